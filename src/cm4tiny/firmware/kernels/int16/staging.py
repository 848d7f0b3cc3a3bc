# SPDX-License-Identifier: Apache-2.0
"""Brings weights from flash into a scratch in SRAM before they are used many times.

``expand`` widens int8 to doubled int16: four bytes (a, b, c, d) become the pairs (a, c) and (b, d), which is what SXTB16 gives; weights are
stored in that order. ``copy`` takes words as they are, for merged weights.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.assembly import Assembly
from cm4tiny.firmware.kernels.registers import Register

_ALLOCATION = (
    Register("from", "r0", "argument: the constant in flash"),
    Register("to", "r1", "argument: the scratch"),
    Register("units", "r2", "argument: units left"),
    Register("end", "r2", "expand: end of the constant"),
)
_QUADS = ("r3", "r12", "lr", "r11")
_UNIT = tuple(f"r{i}" for i in range(4, 12))

UNIT = 8
"""Words of the scratch that one iteration writes."""

_EXPAND = f"""\
    for (int32_t i = 0; i < {UNIT // 2} * units; ++i) {{
        int32_t quad = cm4t_load(from + 4 * i), even = cm4t_even(quad), odd = cm4t_odd(quad);
        to[2 * i] = cm4t_double16(even);
        to[2 * i + 1] = cm4t_double16(odd);
    }}"""
_COPY = f"""\
    for (int32_t i = 0; i < {UNIT} * units; ++i)
        to[i] = from[i];"""


@dataclass(frozen=True)
class Stage:
    """A way to fill a scratch.

    Attributes:
        function: parameters ``from``, ``to``, ``units``.
        cells: elements of the constant in flash per word of the scratch.
        cycles: per word of the scratch, with reading it from flash.
    """

    function: CFunction
    cells: int
    cycles: float


@functools.cache
def expand() -> Stage:
    """35 cycles per 16 weights, and 5 for their 16 bytes of flash."""
    asm = Assembly(_ALLOCATION)
    quads = asm.registers.numbered("quad", _QUADS, "four weights as bytes (a, b, c, d)")
    pairs = asm.registers.numbered("pair", _UNIT, "two doubled weights: of quad n, (a, c) in pair 2 n and (b, d) in the next one")
    asm.emit_all("push {r4-r11, lr}", "add end, from, units, lsl #4")
    asm.label("1")
    asm.emit_all(*[f"ldr {quad}, [from, #{4 * i}]" for i, quad in enumerate(quads)], "add from, from, #16")
    for i, quad in enumerate(quads):
        asm.emit_all(f"sxtb16 {pairs[2 * i]}, {quad}", f"sxtb16 {pairs[2 * i + 1]}, {quad}, ror #8")
    asm.emit_all(*[f"sadd16 {pair}, {pair}, {pair}" for pair in pairs])
    asm.emit_all("stm to!, {pair0-pair7}", "cmp from, end")
    asm.loop_end("1")
    asm.emit("pop {r4-r11, pc}")
    return Stage(asm.function("expand", "const int8_t *from, int32_t *to, int32_t units", _EXPAND), 2, 5)


@functools.cache
def copy() -> Stage:
    """22 cycles per 8 words, and 10 for their 32 bytes of flash."""
    asm = Assembly(_ALLOCATION)
    asm.registers.numbered("word", _UNIT, "a word of a unit")
    asm.emit("push {r4-r11, lr}")
    asm.label("1")
    asm.emit_all("ldm from!, {word0-word7}", "stm to!, {word0-word7}", "subs units, units, #1")
    asm.loop_end("1")
    asm.emit("pop {r4-r11, pc}")
    return Stage(asm.function("copy", "const int32_t *from, int32_t *to, int32_t units", _COPY), 1, 4)


def padded(words: int) -> int:
    """Words in whole units."""
    return -(-words // UNIT) * UNIT
