# SPDX-License-Identifier: Apache-2.0
"""Zeros where no producer of an int16 tensor writes and a consumer reads: its border, and channels that only fill a pixel up.

Cost: one cycle per word, halfwords at odd ends, about 5 per iteration of a loop (16 words or a few rows) and per plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cm4tiny.firmware.kernels.base import Kernel, Param, Tir, prim_func
from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.assembly import Assembly
from cm4tiny.firmware.kernels.int16.storage import Storage
from cm4tiny.firmware.kernels.registers import Register

_UNROLL = 16  # words per iteration of a loop
_UNROLLED = 48  # stores that are written out rather than looped over
_REACH = 4096  # bytes that an immediate offset reaches
_ALLOCATION = (
    Register("o", "r0", "argument: the tensor; later: the plane"),
    Register("zero", "r1", "0"),
    Register("at", "r2", "where a loop writes"),
    Register("end", "r3", "where it ends"),
    Register("planes_end", "r4", "end of the planes"),
    Register("far", "r12", "cells out of reach of an immediate offset"),
)

_PORTABLE = """    for (int32_t plane = 0; plane < {planes}; ++plane, o += {plane}) {{
        for (int32_t i = 0; i < {head}; ++i) {{
            o[i] = 0;
        }}
        for (int32_t y = 0; y < {between}; ++y) {{
{middle}        }}
        for (int32_t i = {tail}; i < {end}; ++i) {{
            o[i] = 0;
        }}
    }}"""
_PORTABLE_RUN = """            for (int32_t i = {start}; i < {end}; ++i) {{
                o[i + {row} * y] = 0;
            }}
"""


def clear_border(target: Storage, *, padding: bool = True) -> Kernel:
    """Zeros into all cells that are border or, if ``padding``, fill up pixels. The tensor is the only parameter."""
    code = _clear(_Runs.of(target)) if any(target.border) else None
    filled = padding and target.layout == "NHWC" and target.pixel > target.channels

    def body(o: Any) -> None:
        tir = Tir()
        if code is not None:
            tir.emit(code.name, tir.at(o, 0))
        if filled:
            with tir.loop(target.height, "y") as y, tir.loop(target.width, "t") as t:
                for c in range(target.channels, target.pixel):
                    tir.store(o, target.origin + y * target.row + t * target.pixel + c, tir.ir.int16(0))

    return Kernel("clear", prim_func([Param("o", target.elements, "int16")], body), code=() if code is None else (code,))


@dataclass(frozen=True)
class _Runs:
    """The border of one image, in elements from its start: ``head`` first ones, what lies between one row's interior and the next's,
    and from ``tail`` to ``end``."""

    planes: int
    plane: int
    head: int
    row: int
    rows_between: int
    middle: tuple[tuple[int, int], ...]
    tail: int
    end: int

    @staticmethod
    def of(target: Storage) -> _Runs:
        _, left, bottom, right = (n * target.pixel for n in target.border)
        first = target.origin + target.width * target.pixel  # right of the first row's interior
        gap = target.row - target.width * target.pixel
        pieces = tuple((first + a, first + b) for a, b in ((0, right), (gap - left, gap)) if b > a)
        if len(pieces) == 2:
            merged = ((first, first + gap),)
            pieces = merged if _stores(merged) <= _stores(pieces) else pieces
        last = first + (target.height - 1) * target.row
        end = (target.height + target.border[0] + target.border[2]) * target.row if bottom else last + right
        planes = target.channels if target.layout == "NCHW" else 1
        return _Runs(planes, target.channel, target.origin, target.row, target.height - 1, pieces, last, end)


def _stores(runs: tuple[tuple[int, int], ...]) -> int:
    return sum((b + 1) // 2 - a // 2 for a, b in runs)


def _fill(code: Assembly, base: str, start: int, end: int) -> None:
    """Zeros from element ``start`` to ``end``; ``base`` is word aligned, all offsets are in reach."""
    if start % 2 and start < end:
        code.emit(f"strh zero, [{base}, #{2 * start}]")
        start += 1
    for at in range(start, end - 1, 2):
        code.emit(f"str zero, [{base}, #{2 * at}]")
    if end > start and end % 2:
        code.emit(f"strh zero, [{base}, #{2 * (end - 1)}]")


def _long_fill(code: Assembly, label: str, start: int, end: int) -> None:
    """The same from the plane's start, of any length and at any distance."""
    if 2 * end <= _REACH and _stores(((start, end),)) <= _UNROLLED:
        _fill(code, "o", start, end)
        return
    even = start - start % 2
    code.add_imm("at", "o", 2 * even)
    if start % 2:
        code.emit("strh zero, [at, #2]")
        code.add_imm("at", "at", 4)
        even += 2
    iterations = (end - even) // (2 * _UNROLL)
    if iterations:
        code.add_imm("end", "at", 4 * _UNROLL * iterations)
        code.label(label)
        _fill(code, "at", 0, 2 * _UNROLL)
        code.add_imm("at", "at", 4 * _UNROLL)
        code.emit("cmp at, end")
        code.loop_end(label)
    _fill(code, "at", 0, end - even - 2 * _UNROLL * iterations)


def _between(code: Assembly, runs: _Runs) -> None:
    """The cells at the sides: all rows written out if they are few, or a loop over some rows at a time."""
    if not runs.middle or not runs.rows_between:
        return
    rows, stores = runs.rows_between, _stores(runs.middle)
    reach = 2 * ((rows - 1) * runs.row + runs.middle[-1][1])
    if reach <= _REACH and rows * stores <= _UNROLLED:
        for y in range(rows):
            for a, b in runs.middle:
                _fill(code, "o", a + y * runs.row, b + y * runs.row)
        return
    start = runs.middle[0][0] // 2 * 2
    per_iteration = max(1, min(rows, _UNROLLED // 2 // stores, _REACH // (2 * runs.row) - 1))
    iterations, rest = divmod(rows, per_iteration)
    code.add_imm("at", "o", 2 * start)
    code.add_imm("end", "at", 2 * runs.row * per_iteration * iterations)
    code.label("2")
    for count in (per_iteration, rest):
        for y in range(count):
            for a, b in runs.middle:
                _side(code, a - start + y * runs.row, b - start + y * runs.row)
        if count == per_iteration:
            code.add_imm("at", "at", 2 * runs.row * per_iteration)
            code.emit("cmp at, end")
            code.loop_end("2")
            if not rest:
                return


def _side(code: Assembly, start: int, end: int) -> None:
    if 2 * end <= _REACH:
        _fill(code, "at", start, end)
        return
    code.add_imm("far", "at", start // 2 * 4)
    _fill(code, "far", start % 2, end - start // 2 * 2)


def _clear(runs: _Runs) -> CFunction:
    code = Assembly(_ALLOCATION)
    code.emit("mov zero, #0")
    if runs.planes > 1:
        code.emit("push {r4, r8}")
        code.add_imm("planes_end", "o", 2 * runs.plane * runs.planes)
        code.label("1")
    _long_fill(code, "3", 0, runs.head)
    _between(code, runs)
    _long_fill(code, "4", runs.tail, runs.end)
    if runs.planes > 1:
        code.add_imm("o", "o", 2 * runs.plane)
        code.emit("cmp o, planes_end")
        code.loop_end("1")
        code.emit("pop {r4, r8}")
    code.emit("bx lr")
    middle = "".join(_PORTABLE_RUN.format(start=a, end=b, row=runs.row) for a, b in runs.middle)
    text = _PORTABLE.format(planes=runs.planes, plane=runs.plane if runs.planes > 1 else 0, head=runs.head, between=runs.rows_between,
                        middle=middle, tail=runs.tail, end=runs.end)  # fmt: skip
    return code.function("clear", "int16_t *o", text)
