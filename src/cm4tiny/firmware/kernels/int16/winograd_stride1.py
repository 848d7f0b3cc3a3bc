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
from cm4tiny.firmware.kernels.int16.winograd_code import OutputParts, Result, Shape, scatter
from cm4tiny.firmware.kernels.int16.winograd_code import output_transform as framed
from cm4tiny.firmware.kernels.int16.winograd_method import Method

PATCH = 6


def input_transform(shape: Shape, pixel: int, row: int, *, unsigned: bool) -> CFunction:
    """``f(x, v)``: one tile, all channels; x is its upper left corner in the border, v its words in slice 0.

    ``pixel`` and ``row`` are the source's strides in elements. ``unsigned``: no input value is negative.
    """
    a = Assembly()
    stride = 4 * shape.v_slice
    a.emit_all("push {r4-r11, lr}", "sub sp, sp, #144", "mov r11, r1", "mov r9, r0")
    a.constant("lr", shape.pairs)
    a.emit("vmov s0, lr")
    a.label("9")
    a.emit_all("mov r10, sp", "mov lr, #2")
    a.label("8")
    for y in range(3):
        a.emit_all(*[f"ldr r{j}, [r9, #{2 * pixel * j}]" for j in range(PATCH)])
        out = _transform(a, unsigned)
        a.add_imm("r9", "r9", 2 * row)
        a.emit_all(*[f"str {out[j]}, [r10, #{24 * y + 4 * j}]" for j in range(PATCH)])
    a.emit_all("add r10, r10, #72", "subs lr, lr, #1")
    a.loop_end("8")
    a.emit_all("mov r10, sp", "mov lr, #2")
    a.label("7")
    moved = 0
    for j in range(3):
        a.emit_all(*[f"ldr r{y}, [r10, #{24 * y + 4 * j}]" for y in range(PATCH)])
        moved = scatter(a, "r11", _transform(a, False), 6 * j * stride, stride, moved)
    a.add_imm("r11", "r11", 18 * stride - moved)
    a.emit_all("add r10, r10, #12", "subs lr, lr, #1")
    a.loop_end("7")
    a.add_imm("r11", "r11", 16 - 36 * stride)
    a.add_imm("r9", "r9", 4 - 12 * row)
    a.emit_all("vmov lr, s0", "subs lr, lr, #1", "vmov s0, lr")
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
    """Six values in r0..r5 by B, on pairs of int16; returns the registers of the results. Spends r6 and r7."""

    def times_4(to: str, source: str) -> None:
        if unsigned:
            a.emit(f"lsl {to}, {source}, #2")  # the lower half stays below 2**16
        else:
            a.emit_all(f"sadd16 {to}, {source}, {source}", f"sadd16 {to}, {to}, {to}")

    times_4("r6", "r2")
    a.emit("ssub16 r6, r4, r6")  # u = d4 - 4 d2
    times_4("r7", "r0")
    a.emit_all("sadd16 r7, r7, r6", "ssub16 r0, r7, r2")  # 0: u + 4 d0 - d2
    a.emit("ssub16 r4, r4, r2")  # a = d4 - d2
    times_4("r7", "r1")
    a.emit_all("ssub16 r7, r3, r7", "sadd16 r2, r6, r7", "ssub16 r6, r6, r7")  # 1, 2: u +- (d3 - 4 d1)
    a.emit_all("ssub16 r1, r3, r1", "ssub16 r5, r5, r3")  # e = d3 - d1
    a.emit_all("sadd16 r1, r1, r1", "sadd16 r3, r4, r1", "ssub16 r4, r4, r1")  # 3, 4: a +- 2 e
    a.emit_all("sadd16 r1, r1, r1", "ssub16 r5, r5, r1")  # 5: d5 - d3 - 4 e
    return ["r0", "r2", "r6", "r3", "r4", "r5"]


def _portable_transform(target: str, indent: int) -> str:
    lines = [
        "int32_t u = d4 - 4 * d2, w = d3 - 4 * d1, a = d4 - d2, e = d3 - d1;",
        *[f"{target.format(i)} = {value};" for i, value in enumerate(("u + 4 * d0 - d2", "u + w", "u - w", "a + 2 * e", "a - 2 * e"))],
        f"{target.format(5)} = d5 - d3 - 4 * e;",
    ]
    return "".join(" " * indent + line + "\n" for line in lines)


def output_transform(shape: Shape, to: Result) -> CFunction:
    """See :func:`.winograd_code.output_transform`."""
    stride = 4 * shape.m_slice

    def columns(a: Assembly) -> None:
        a.emit_all("mov lr, sp", "mov r1, #2")
        a.label("8")
        for j in range(3):
            a.emit_all(*[f"ldr r{4 + i}, [r0, #{(6 * j + i) * stride}]" for i in range(PATCH)])
            out = _combine(a)
            if j == 2:
                a.add_imm("r0", "r0", 18 * stride)
            a.emit_all(*[f"str {out[y]}, [lr, #{24 * y + 4 * j}]" for y in range(4)])
        a.emit_all("add lr, lr, #12", "subs r1, r1, #1")
        a.loop_end("8")

    def row(a: Assembly, offset: int) -> list[str]:
        a.emit_all(*[f"ldr r{4 + j}, [lr, #{offset + 4 * j}]" for j in range(PATCH)])
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
    """Six sums in r4..r9 by A to four; returns their registers. Spends r10."""
    a.emit_all("add r10, r5, r6", "sub r5, r5, r6", "add r6, r7, r8", "sub r7, r7, r8")
    a.emit_all("add r4, r4, r10", "add r4, r4, r6", "add r8, r5, r7, lsl #1", "add r10, r10, r6, lsl #2")
    a.emit_all("add r5, r5, r7, lsl #3", "add r9, r5, r9, lsl #2")
    return ["r4", "r8", "r10", "r9"]


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
