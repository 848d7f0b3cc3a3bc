# SPDX-License-Identifier: Apache-2.0
"""Transforms of a 3 x 3 convolution of stride 2: 9 x 9 inputs, 4 x 4 outputs, 81 products instead of 144.

In one dimension, outputs are ``y[i] = g0 x[2i] + g1 x[2i + 1] + g2 x[2i + 2]``. The even inputs meet a filter of two taps, (g0, g2), which
F(4, 2) with the points 0, 1, -1, 2 and infinity computes by 5 products; each of the four odd ones is one product by g1. Both are scaled
by 6. In two dimensions that is 9 x 9 products by 6 x 6 different weights.

Rows and columns of a transformed patch: 0 to 4 even inputs, transformed; 5 to 8 odd inputs as they are. Slices, by (row, column), a and b
even, k and l odd: (a, b) at ``5 b + a``, (a, k) at ``25 + 4 a + k``, (k, b) at ``45 + 4 b + k``, (k, l) at ``65 + 4 l + k``.

Cycles: input, per tile and channel pair: 14 one-dimensional transforms of 5 loads, 13 operations and 5 stores, and what is copied: about
631; output, per tile and channel, 13 transforms and 16 requantisations in the
short form: about 470.
"""

from __future__ import annotations

import numpy as np

from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.assembly import Assembly
from cm4tiny.firmware.kernels.int16.winograd_code import INPUT_ALLOCATION, OutputParts, Result, WinogradShape, scatter
from cm4tiny.firmware.kernels.int16.winograd_code import output_transform as framed
from cm4tiny.firmware.kernels.int16.winograd_method import Method

EVEN, ODD = 5, 4
PATCH = EVEN + ODD
_FIRST = {"even column": 0, "odd column": 25, "odd row": 45}


def input_transform(shape: WinogradShape, pixel: int, row: int, *, unsigned: bool) -> CFunction:
    """As in :mod:`.winograd_stride1`; here it does not matter whether an input value is negative."""
    del unsigned
    a = Assembly(INPUT_ALLOCATION)
    stride, step = 4 * shape.v_slice, 2 * pixel
    a.emit_all("push {r4-r11, lr}", "sub sp, sp, #184", "mov target, v", "mov source, x")
    a.constant("pairs", shape.pairs)
    a.emit("vmov pairs_kept, pairs")
    a.label("9")
    a.emit_all("mov patch, sp", "mov iterations, #5")
    a.label("8")  # even rows, to the stack
    a.emit_all(
        *[f"ldr u{k}, [source, #{step * (2 * k + 1)}]" for k in range(ODD)], *[f"str u{k}, [patch, #{4 * (EVEN + k)}]" for k in range(ODD)]
    )
    a.emit_all(*[f"ldr u{b}, [source, #{step * 2 * b}]" for b in range(EVEN)])
    out = _transform(a)
    a.add_imm("source", "source", 4 * row)
    a.emit_all(*[f"str {out[b]}, [patch, #{4 * b}]" for b in range(EVEN)], "add patch, patch, #36", "subs iterations, iterations, #1")
    a.loop_end("8")
    a.add_imm("source", "source", -18 * row)
    a.add_imm("far", "target", _FIRST["odd row"] * stride)
    a.emit("mov iterations, #2")
    a.label("7")  # odd rows, to their place
    for _ in range(2):
        a.emit_all(*[f"ldr u{b}, [source, #{step * 2 * b}]" for b in range(EVEN)])
        moved = scatter(a, "far", _transform(a), 0, 4 * stride)
        a.emit_all(*[f"ldr u{k}, [source, #{step * (2 * k + 1)}]" for k in range(ODD)])
        moved = scatter(a, "far", [f"u{k}" for k in range(ODD)], 4 * stride * EVEN, 4 * stride, moved)
        a.add_imm("far", "far", stride - moved)
        a.add_imm("source", "source", 4 * row)
    a.emit("subs iterations, iterations, #1")
    a.loop_end("7")
    a.add_imm("source", "source", 4 - 18 * row)
    a.emit_all("mov patch, sp", "mov far, target", "mov iterations, #5")
    a.label("6")  # even columns
    a.emit_all(*[f"ldr u{i}, [patch, #{36 * i}]" for i in range(EVEN)])
    moved = scatter(a, "far", _transform(a), 0, stride)
    a.add_imm("far", "far", EVEN * stride - moved)
    a.emit_all("add patch, patch, #4", "subs iterations, iterations, #1")
    a.loop_end("6")
    a.emit("mov iterations, #2")
    a.label("5")  # odd columns
    for k in range(2):
        a.emit_all(*[f"ldr u{i}, [patch, #{36 * i + 4 * k}]" for i in range(EVEN)])
        a.add_imm("far", "far", stride - scatter(a, "far", _transform(a), 0, 4 * stride))
    a.emit_all("add patch, patch, #8", "subs iterations, iterations, #1")
    a.loop_end("5")
    a.emit_all("add target, target, #16", "vmov pairs, pairs_kept", "subs pairs, pairs, #1", "vmov pairs_kept, pairs")
    a.loop_end("9")
    a.emit_all("add sp, sp, #184", "pop {r4-r11, pc}")
    return a.function("winograd_input", "const int16_t *x, int32_t *v", _portable_input(shape, pixel, row))


def _transform(a: Assembly) -> list[str]:
    """Five values in ``u0``..``u4`` by B, on pairs of int16; returns the registers of the results. Spends ``u5`` and ``u6``."""
    a.emit("ssub16 u5, u3, u1")  # 3: t = e3 - e1
    a.emit_all("ssub16 u0, u0, u2", "sadd16 u0, u0, u0", "sadd16 u0, u0, u5")  # 0: 2 (e0 - e2) + t
    a.emit_all("ssub16 u4, u4, u2", "sadd16 u6, u5, u5", "ssub16 u4, u4, u6")  # 4: e4 - e2 - 2 t
    a.emit_all("sadd16 u1, u1, u1", "ssub16 u3, u3, u2", "ssub16 u6, u3, u1")  # 1: e3 - e2 - 2 e1
    a.emit_all("sadd16 u3, u3, u1", "sadd16 u2, u2, u2", "ssub16 u3, u3, u2")  # 2: e3 - 3 e2 + 2 e1
    return ["u0", "u6", "u3", "u5", "u4"]


def _portable_input(shape: WinogradShape, pixel: int, row: int) -> str:
    """``line[9]`` holds a row or a column, first as it is, then transformed."""
    transform = """
                e0 = line[0], e1 = line[2], e2 = line[4], e3 = line[6], e4 = line[8];
                {0} = 2 * (e0 - e2) + e3 - e1;
                {1} = e3 - e2 - 2 * e1;
                {2} = e3 - 3 * e2 + 2 * e1;
                {3} = e3 - e1;
                {4} = e4 - e2 - 2 * (e3 - e1);
                {5} = line[1], {6} = line[3], {7} = line[5], {8} = line[7];"""
    return f"""
    for (int32_t k = 0; k < {shape.pairs}; ++k) {{
        int32_t rows[9][9][2], columns[9][9][2], line[9], e0, e1, e2, e3, e4;
        for (int32_t h = 0; h < 2; ++h) {{
            for (int32_t y = 0; y < 9; ++y) {{
                for (int32_t j = 0; j < 9; ++j) {{
                    line[j] = x[{row} * y + {pixel} * j + 2 * k + h];
                }}{transform.format(*[f"rows[y][{j}][h]" for j in range(9)])}
            }}
            for (int32_t j = 0; j < 9; ++j) {{
                for (int32_t y = 0; y < 9; ++y) {{
                    line[y] = rows[y][j][h];
                }}{transform.format(*[f"columns[{i}][j][h]" for i in range(9)])}
            }}
        }}
        for (int32_t i = 0; i < 9; ++i) {{
            for (int32_t j = 0; j < 9; ++j) {{
                int32_t slice = i < 5 ? (j < 5 ? 5 * j + i : 20 + 4 * i + j) : 40 + 4 * j + i;
                uint32_t low = (uint32_t)columns[i][j][0], high = (uint32_t)columns[i][j][1];
                v[slice * {shape.v_slice} + 4 * k] = (int32_t)((low & 0xffffu) | (high << 16));
            }}
        }}
    }}""".strip("\n")


def output_transform(shape: WinogradShape, to: Result) -> CFunction:
    """See :func:`.winograd_code.output_transform`."""
    stride = 4 * shape.m_slice

    def column(a: Assembly, even: int, ahead: int) -> None:
        """From [m, even * i] and [odd_rows, i slices] to ``rows``; ``m`` moves by ``ahead`` slices."""
        a.emit_all(*[f"ldr u{i}, [m, #{even * i}]" for i in range(EVEN)])
        out = _combine(a)
        spare = ["u1", "u3", "u6", "extra"]
        a.emit_all(*[f"ldr {r}, [odd_rows, #{k * stride}]" for k, r in enumerate(spare)])
        a.emit_all(*[f"add {v}, {v}, {r}" for v, r in zip(out, spare, strict=True)])
        a.add_imm("m", "m", ahead * stride)
        a.add_imm("odd_rows", "odd_rows", ODD * stride)
        a.emit_all(*[f"str {out[y]}, [rows, #{36 * y}]" for y in range(4)])

    def columns(a: Assembly) -> None:
        a.emit_all("mov rows, sp", "mov iterations, #5")
        a.add_imm("odd_rows", "m", _FIRST["odd row"] * stride)
        a.label("8")
        column(a, stride, EVEN)
        a.emit_all("add rows, rows, #4", "subs iterations, iterations, #1")
        a.loop_end("8")
        a.emit("mov iterations, #2")
        a.label("6")
        for _ in range(2):
            column(a, ODD * stride, 1)
            a.emit("add rows, rows, #4")
        a.emit("subs iterations, iterations, #1")
        a.loop_end("6")
        a.emit("mov m, odd_rows")

    def row(a: Assembly, offset: int) -> list[str]:
        a.emit_all(*[f"ldr u{j}, [rows, #{offset + 4 * j}]" for j in range(EVEN)], f"ldr u6, [rows, #{offset + 20}]")
        out = _combine(a)
        a.emit(f"add {out[0]}, {out[0]}, u6")
        spare = ["u1", "u3", "u6"]
        a.emit_all(*[f"ldr {r}, [rows, #{offset + 24 + 4 * k}]" for k, r in enumerate(spare)])
        a.emit_all(*[f"add {v}, {v}, {r}" for v, r in zip(out[1:], spare, strict=True)])
        return out

    sums = ("d[0] + d[1] + d[2] + d[3]", "d[1] - d[2] + 2 * d[3]", "d[1] + d[2] + 4 * d[3]", "d[1] - d[2] + 8 * d[3] + d[4]")
    portable = f"""        for (int32_t j = 0; j < 9; ++j) {{
            uint32_t d[9];
            for (int32_t i = 0; i < 9; ++i) {{
                int32_t slice = i < 5 ? (j < 5 ? 5 * j + i : 20 + 4 * i + j) : 40 + 4 * j + i;
                d[i] = (uint32_t)p[slice * {shape.m_slice}];
            }}
            {" ".join(f"rows[{y}][j] = {text} + d[{5 + y}];" for y, text in enumerate(sums))}
        }}
        for (int32_t y = 0; y < 4; ++y) {{
            uint32_t *d = rows[y];
            uint32_t sums[4] = {{{", ".join(f"{text} + d[{5 + x}]" for x, text in enumerate(sums))}}};"""
    return framed(shape, to, OutputParts(PATCH, columns, PATCH, row, portable, METHOD.shift))


def _combine(a: Assembly) -> list[str]:
    """Five sums in ``u0``..``u4`` by the even half of A to four; returns their registers. Spends ``u5``; ``u1`` and ``u3`` are free."""
    a.emit_all("add u5, u1, u2", "sub u1, u1, u2", "add u0, u0, u5", "add u0, u0, u3", "add u2, u1, u3, lsl #1")
    a.emit_all("add u5, u5, u3, lsl #2", "add u1, u1, u3, lsl #3", "add u4, u4, u1")
    return ["u0", "u2", "u5", "u4"]


def _even(taps: list[int]) -> list[int]:
    """Coefficients of the five even inputs -> of all nine."""
    row = [0] * PATCH
    row[::2] = taps
    return row


METHOD = Method(
    id="winograd 4x4/2",
    stride=2,
    g=np.array([[3, 0, 0], [-3, 0, -3], [-1, 0, 1], [1, 0, 2], [0, 0, 6], [0, 6, 0]]),
    b=np.array(
        [_even(taps) for taps in ([2, -1, -2, 1, 0], [0, -2, -1, 1, 0], [0, 2, -3, 1, 0], [0, -1, 0, 1, 0], [0, 2, -1, -2, 1])]
        + [[int(j == 2 * k + 1) for j in range(PATCH)] for k in range(ODD)]
    ),
    a=np.hstack([[[1, 1, 1, 1, 0], [0, 1, -1, 2, 0], [0, 1, 1, 4, 0], [0, 1, -1, 8, 1]], np.eye(4, dtype=int)]),
    component=(0, 1, 2, 3, 4, 5, 5, 5, 5),
    slices=(
        *[(a, b) for b in range(EVEN) for a in range(EVEN)],
        *[(a, EVEN + k) for a in range(EVEN) for k in range(ODD)],
        *[(EVEN + k, b) for b in range(EVEN) for k in range(ODD)],
        *[(EVEN + k, EVEN + n) for n in range(ODD) for k in range(ODD)],
    ),
    shift=1,
    input_cycles=631,
    output_cycles=470,
    input_transform=input_transform,
    output_transform=output_transform,
)
