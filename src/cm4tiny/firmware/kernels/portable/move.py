# SPDX-License-Identifier: Apache-2.0
"""Values that only change their place: slices, transpositions, padding, concatenation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cm4tiny.firmware.kernels.base import Array, Kernel, Param, Tir, prim_func, words
from cm4tiny.firmware.kernels.portable.loops import merged, nest

_SHORT = 8  # values; shorter runs are copied one by one, without a call


@dataclass(frozen=True)
class Piece:
    """A box of values that goes from one tensor to the output.

    Attributes:
        source: number of the input.
        shape: of the box.
        start, strides: where its values lie in the input, in elements.
        to_start, to_strides: where they go.
    """

    source: int
    shape: tuple[int, ...]
    start: int
    strides: tuple[int, ...]
    to_start: int
    to_strides: tuple[int, ...]


def move(sizes: Sequence[int], pieces: Sequence[Piece], output: int, fill: int | None = None) -> Kernel:
    """Copies boxes.

    Args:
        sizes: number of values of each input.
        pieces: do not overlap in the output.
        output: number of its values.
        fill: value of the output where no piece lies; None: pieces lie everywhere.
    """

    def body(*buffers: Any) -> None:
        tir = Tir()
        *inputs, o = buffers
        if fill is not None:
            tir.emit("memset", tir.at(o, 0), fill, output)
        for piece in pieces:
            _copy(tir, piece, inputs[piece.source], o)

    params = [Param(f"x{i}", size) for i, size in enumerate(sizes)]
    return Kernel("move", prim_func([*params, Param("o", output)], body))


def _copy(tir: Tir, piece: Piece, x: Any, o: Any) -> None:
    shape, (strides, to_strides) = merged(piece.shape, piece.strides, piece.to_strides)
    run = 1
    if shape and strides[-1] == to_strides[-1] == 1 and shape[-1] >= _SHORT:
        run = shape[-1]
        shape, strides, to_strides = shape[:-1], strides[:-1], to_strides[:-1]

    def one(start: Any, to: Any) -> None:
        if run > 1:
            tir.emit("memcpy", tir.at(o, piece.to_start + to), tir.at(x, piece.start + start), run)
        else:
            tir.store(o, piece.to_start + to, x[piece.start + start])

    nest(tir, shape, (strides, to_strides), one)


def gather(size: int, rows: Array, columns: Array, run: int) -> Kernel:
    """Copies runs: the one of row y and column x begins at ``rows[y] + columns[x]`` in the input and is next in the output.

    Args:
        size: number of input values.
        rows, columns: int32, offsets in elements.
        run: values of a run.
    """

    def body(x: Any, rows: Any, columns: Any, o: Any) -> None:
        tir = Tir()
        with tir.loop(height, "y") as y, tir.loop(width, "t") as t:
            start, to = tir.let("start", rows[y] + columns[t]), (y * width + t) * run
            if run >= _SHORT:
                tir.emit("memcpy", tir.at(o, to), tir.at(x, start), run)
            else:
                with tir.loop(run, "c") as c:
                    tir.store(o, to + c, x[start + c])

    height, width = rows.size, columns.size
    params = [Param("x", size), Param("rows", height, "int32"), Param("columns", width, "int32"), Param("o", height * width * run)]
    return Kernel("gather", prim_func(params, body), (words(rows), words(columns)))
