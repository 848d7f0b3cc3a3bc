# SPDX-License-Identifier: Apache-2.0
"""Transforms of F(4x4, 3x3): 6 x 6 inputs, 4 x 4 outputs, 36 products.

Slice ``6 j + i`` is row i, column j of the transformed tile. Cycles: input, per tile and channel pair, 12 one-dimensional transforms of 6
loads, 20 operations (17 in the first six if no input is negative) and 6 stores: about 415; output, per tile and channel, 10 transforms
and 16 requantisations in the short form: about 281.
"""

from __future__ import annotations

import numpy as np

from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.assembly import Assembly
from cm4tiny.firmware.kernels.int16.winograd_code import INPUT_ALLOCATION, OutputParts, Result, WinogradShape, scatter
from cm4tiny.firmware.kernels.int16.winograd_code import output_transform as framed
from cm4tiny.firmware.kernels.int16.winograd_method import Method

PATCH = 6


def input_transform(shape: WinogradShape, pixel: int, row: int, *, unsigned: bool) -> CFunction:
    """``f(x, v)``: one tile, all channels; x is its upper left corner in the border, v its words in slice 0.

    ``pixel`` and ``row`` are the source's strides in elements. ``unsigned``: no input value is negative.
    """
    a = Assembly(INPUT_ALLOCATION)
    stride = 4 * shape.v_slice
    a.emit_all("push {r4-r11, lr}", "sub sp, sp, #144", "mov target, v", "mov source, x")
    a.constant("pairs", shape.pairs)
    a.emit("vmov pairs_kept, pairs")
    a.label("9")
    a.emit_all("mov patch, sp", "mov iterations, #2")
    a.label("8")
    for y in range(3):
        a.emit_all(*[f"ldr u{j}, [source, #{2 * pixel * j}]" for j in range(PATCH)])
        out = _transform(a, unsigned)
        a.add_imm("source", "source", 2 * row)
        a.emit_all(*[f"str {out[j]}, [patch, #{24 * y + 4 * j}]" for j in range(PATCH)])
    a.emit_all("add patch, patch, #72", "subs iterations, iterations, #1")
    a.loop_end("8")
    a.emit_all("mov patch, sp", "mov iterations, #2")
    a.label("7")
    moved = 0
    for j in range(3):
        a.emit_all(*[f"ldr u{y}, [patch, #{24 * y + 4 * j}]" for y in range(PATCH)])
        moved = scatter(a, "target", _transform(a, False), 6 * j * stride, stride, moved)
    a.add_imm("target", "target", 18 * stride - moved)
    a.emit_all("add patch, patch, #12", "subs iterations, iterations, #1")
    a.loop_end("7")
    a.add_imm("target", "target", 16 - 36 * stride)
    a.add_imm("source", "source", 4 - 12 * row)
    a.emit_all("vmov pairs, pairs_kept", "subs pairs, pairs, #1", "vmov pairs_kept, pairs")
    a.loop_end("9")
    a.emit_all("add sp, sp, #144", "pop {r4-r11, pc}")
    portable = f"""
    for (int32_t k = 0; k < {shape.pairs}; ++k) {{
        int32_t rows[6][6][2], columns[6][2];
        for (int32_t y = 0; y < 6; ++y) {{
            for (int32_t h = 0; h < 2; ++h) {{
                const int16_t *p = x + {row} * y + 2 * k + h;
                int32_t d0 = p[0], d1 = p[{pixel}], d2 = p[{2 * pixel}], d3 = p[{3 * pixel}], d4 = p[{4 * pixel}], d5 = p[{5 * pixel}];
{_portable_transform("rows[y][{}][h]", 16)}            }}
        }}
        for (int32_t j = 0; j < 6; ++j) {{
            for (int32_t h = 0; h < 2; ++h) {{
                int32_t d0 = rows[0][j][h], d1 = rows[1][j][h], d2 = rows[2][j][h];
                int32_t d3 = rows[3][j][h], d4 = rows[4][j][h], d5 = rows[5][j][h];
{_portable_transform("columns[{}][h]", 16)}            }}
            for (int32_t i = 0; i < 6; ++i) {{
                uint32_t low = (uint32_t)columns[i][0], high = (uint32_t)columns[i][1];
                v[(6 * j + i) * {shape.v_slice} + 4 * k] = (int32_t)((low & 0xffffu) | (high << 16));
            }}
        }}
    }}"""
    return a.function("winograd_input", "const int16_t *x, int32_t *v", portable.strip("\n"))


def _transform(a: Assembly, unsigned: bool) -> list[str]:
    """Six values in ``u0``..``u5`` by B, on pairs of int16; returns the registers of the results. Spends ``u6`` and ``u7``."""

    def times_4(to: str, source: str) -> None:
        if unsigned:
            a.emit(f"lsl {to}, {source}, #2")  # the lower half stays below 2**16
        else:
            a.emit_all(f"sadd16 {to}, {source}, {source}", f"sadd16 {to}, {to}, {to}")

    times_4("u6", "u2")
    a.emit("ssub16 u6, u4, u6")  # u = d4 - 4 d2
    times_4("u7", "u0")
    a.emit_all("sadd16 u7, u7, u6", "ssub16 u0, u7, u2")  # 0: u + 4 d0 - d2
    a.emit("ssub16 u4, u4, u2")  # a = d4 - d2
    times_4("u7", "u1")
    a.emit_all("ssub16 u7, u3, u7", "sadd16 u2, u6, u7", "ssub16 u6, u6, u7")  # 1, 2: u +- (d3 - 4 d1)
    a.emit_all("ssub16 u1, u3, u1", "ssub16 u5, u5, u3")  # e = d3 - d1
    a.emit_all("sadd16 u1, u1, u1", "sadd16 u3, u4, u1", "ssub16 u4, u4, u1")  # 3, 4: a +- 2 e
    a.emit_all("sadd16 u1, u1, u1", "ssub16 u5, u5, u1")  # 5: d5 - d3 - 4 e
    return ["u0", "u2", "u6", "u3", "u4", "u5"]


def _portable_transform(target: str, indent: int) -> str:
    lines = [
        "int32_t u = d4 - 4 * d2, w = d3 - 4 * d1, a = d4 - d2, e = d3 - d1;",
        *[f"{target.format(i)} = {value};" for i, value in enumerate(("u + 4 * d0 - d2", "u + w", "u - w", "a + 2 * e", "a - 2 * e"))],
        f"{target.format(5)} = d5 - d3 - 4 * e;",
    ]
    return "".join(" " * indent + line + "\n" for line in lines)


def output_transform(shape: WinogradShape, to: Result) -> CFunction:
    """See :func:`.winograd_code.output_transform`."""
    stride = 4 * shape.m_slice

    def columns(a: Assembly) -> None:
        a.emit_all("mov rows, sp", "mov iterations, #2")
        a.label("8")
        for j in range(3):
            a.emit_all(*[f"ldr u{i}, [m, #{(6 * j + i) * stride}]" for i in range(PATCH)])
            out = _combine(a)
            if j == 2:
                a.add_imm("m", "m", 18 * stride)
            a.emit_all(*[f"str {out[y]}, [rows, #{24 * y + 4 * j}]" for y in range(4)])
        a.emit_all("add rows, rows, #12", "subs iterations, iterations, #1")
        a.loop_end("8")

    def row(a: Assembly, offset: int) -> list[str]:
        a.emit_all(*[f"ldr u{j}, [rows, #{offset + 4 * j}]" for j in range(PATCH)])
        return _combine(a)

    portable = f"""        for (int32_t j = 0; j < 6; ++j) {{
            uint32_t d[6], s, r;
            for (int32_t i = 0; i < 6; ++i) {{
                d[i] = (uint32_t)p[(6 * j + i) * {shape.m_slice}];
            }}
            s = d[1] + d[2], r = d[1] - d[2];
            rows[0][j] = d[0] + s + d[3] + d[4];
            rows[1][j] = r + 2 * (d[3] - d[4]);
            rows[2][j] = s + 4 * (d[3] + d[4]);
            rows[3][j] = r + 8 * (d[3] - d[4]) + 4 * d[5];
        }}
        for (int32_t y = 0; y < 4; ++y) {{
            uint32_t *d = rows[y], s = d[1] + d[2], r = d[1] - d[2];
            uint32_t sums[4] = {{d[0] + s + d[3] + d[4], r + 2 * (d[3] - d[4]), s + 4 * (d[3] + d[4]),
                                r + 8 * (d[3] - d[4]) + 4 * d[5]}};"""
    return framed(shape, to, OutputParts(PATCH, columns, PATCH, row, portable, METHOD.shift))


def _combine(a: Assembly) -> list[str]:
    """Six sums in ``u0``..``u5`` by A to four; returns their registers. Spends ``u6``."""
    a.emit_all("add u6, u1, u2", "sub u1, u1, u2", "add u2, u3, u4", "sub u3, u3, u4")
    a.emit_all("add u0, u0, u6", "add u0, u0, u2", "add u4, u1, u3, lsl #1", "add u6, u6, u2, lsl #2")
    a.emit_all("add u1, u1, u3, lsl #3", "add u5, u1, u5, lsl #2")
    return ["u0", "u4", "u6", "u5"]


METHOD = Method(
    id="winograd 4x4",
    stride=1,
    g=np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 6]]),
    b=np.array(
        [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0], [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]]
    ),
    a=np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 4]]),
    component=tuple(range(6)),
    slices=tuple((i, j) for j in range(6) for i in range(6)),
    shift=5,
    input_cycles=415,
    output_cycles=281,
    input_transform=input_transform,
    output_transform=output_transform,
)
