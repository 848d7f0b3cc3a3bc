# SPDX-License-Identifier: Apache-2.0
"""RESIZE_BILINEAR in integers: four neighbours, weights of 10 bits per axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cm4tiny.firmware.kernels.base import Kernel, Param, Tir, prim_func, words

CYCLES_PER_VALUE = 30
ONE = 1 << 10


@dataclass(frozen=True)
class Axis:
    """Per output row or column: the two that it lies between, and its distance to the first, in 1/1024."""

    lower: tuple[int, ...]
    upper: tuple[int, ...]
    fraction: tuple[int, ...]


def bilinear(size: int, rows: Axis, columns: Axis, row: int, channels: int) -> Kernel:
    """One image; ``row`` is the number of values in a row of the input, ``size`` in all of it.

    The weights of a value add up to 2**20 and none exceeds 1.5 * 2**20 (at a border that the centre of a pixel lies behind), so that all
    sums fit into 32 bits.
    """
    height, width = len(rows.lower), len(columns.lower)

    def body(x: Any, rows: Any, columns: Any, o: Any) -> None:
        tir = Tir()
        ir = tir.ir
        with tir.loop(height, "y") as y, tir.loop(width, "t") as t:
            r0, r1, fy = (tir.let(name, rows[3 * y + i]) for i, name in enumerate(("r0", "r1", "fy")))
            c0, c1, fx = (tir.let(name, columns[3 * t + i]) for i, name in enumerate(("c0", "c1", "fx")))
            with tir.loop(channels, "c") as c:
                corners = [ir.Cast("int32", x[r + k + c]) for r in (r0, r1) for k in (c0, c1)]
                weights = [(ONE - fy) * (ONE - fx), (ONE - fy) * fx, fy * (ONE - fx), fy * fx]
                total = corners[0] * weights[0] + corners[1] * weights[1] + corners[2] * weights[2] + corners[3] * weights[3]
                value = tir.let("value", total)
                half = ir.Select(value > 0, ir.int32(1 << 19), ir.int32(-(1 << 19)))
                tir.store(o, (y * width + t) * channels + c, ir.Cast("int8", ir.truncdiv(value + half, ir.int32(1 << 20))))

    held = (_table(rows, row), _table(columns, channels))
    params = [Param("x", size), Param("rows", 3 * height, "int32"), Param("columns", 3 * width, "int32")]
    return Kernel("bilinear", prim_func([*params, Param("o", height * width * channels)], body), held)


def _table(axis: Axis, step: int) -> Any:
    scaled: Sequence[Sequence[int]] = ([step * n for n in axis.lower], [step * n for n in axis.upper], axis.fraction)
    return words(np.array(scaled).T)
