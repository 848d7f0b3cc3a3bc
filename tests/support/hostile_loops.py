# SPDX-License-Identifier: Apache-2.0
"""Loops of hostile firmware that call one function again and again: what the proof of equal calls has to refuse, or to survive.

A loop with a counter, or something like one, calls a function that does anything: nothing, use the counter, overwrite itself, its caller's
stack, or wander off. Encodings by DDI0403 chapter A7.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from support.hostile_fragments import RAM, constant, word

FUNCTION = 0x1800
"""Of the function, from the begin of flash."""


def call(at: int, target: int) -> list[int]:
    """bl, from one offset to another."""
    offset = target - at - 4
    sign, i1, i2 = offset >> 24 & 1, offset >> 23 & 1, offset >> 22 & 1
    return [0xF000 | sign << 10 | offset >> 12 & 0x3FF, 0xD000 | (i1 ^ sign ^ 1) << 13 | (i2 ^ sign ^ 1) << 11 | offset >> 1 & 0x7FF]


def _step(c: random.Random) -> list[int]:
    """Something with the counter R4, or with other registers."""
    t, n = c.randrange(8), c.choice((4, 4, 4, c.randrange(8)))
    return c.choice(
        (
            [0x1C00 | n << 3 | t], [0x1E00 | c.randrange(8) << 6 | n << 3 | t], [0x4600 | n << 3 | t], [0x0000 | n << 3 | t],
            [0x2800 | n << 8 | c.choice((0, 1, 50, 255))], [0x4280 | t << 3 | n], [0x1800 | n << 6 | t << 3 | t], [0x4340 | n << 3 | t],
            [0xB410], [0xBC10], [0x9400], [0x9C00], [0xB410, 0xBC20], [0x6020 | t], [0x7834], [0xBF08, 0x4620 | t],
            [0xB104 | c.randrange(1, 3) << 3, 0xBF00, 0xBF00], [0xD000 | c.randrange(14) << 8, 0xBF00], [0xBF00], [0xEE00, 0x4A10],
            [0xE92D, 0x0FF0], [0xE8BD, 0x0FF0], [0xE9CD, 0x4500], [0xE9DD, 0x4500], [0xF3EF, 0x8000 | t << 8],
        )
    )  # fmt: skip


def _body(c: random.Random, most: int) -> list[int]:
    return [h for _ in range(c.randrange(most)) for h in _step(c)]


def _function(c: random.Random, noise: Callable[[], list[int]]) -> list[int]:
    work = [*constant(3, c.choice((1, 5, 40))), 0x3B01, 0xD1FD]
    memory = [*constant(6, RAM + 4 * c.randrange(0x28000)), 0x6837, 0x3700 | c.choice((0, 0, 1)), 0x6037]
    parts: list[list[int]] = [work, memory, _body(c, 6), work, memory, noise() if c.random() < 0.2 else []]
    c.shuffle(parts)
    inner = [h for part in parts[: c.randrange(5)] for h in part]
    return [0xB510, *inner, 0xBD10] if c.random() < 0.5 else [*inner, 0x4770]


def looping(c: random.Random, at: int, noise: Callable[[], list[int]]) -> tuple[bytes, bytes]:
    """The code of a loop that stands at an offset of flash, and of the function that it calls."""
    code = [*word(0xE000ED88, 0xF00000)] if c.random() < 0.5 else []
    code += [*constant(5, RAM + 0x1000 + 4 * c.randrange(0x8000)), 0x46AD]
    code += constant(4, c.choice((3, 20, 200, 5000, 0x80000005, 0xFFFFFFF0, c.getrandbits(32))))
    begin = len(code)
    code += _body(c, 3) if c.random() < 0.3 else []
    code += call(at + 2 * len(code), FUNCTION)
    code += _body(c, 4) if c.random() < 0.5 else []
    code += [c.choice((0x3C01, 0x3C01, 0x3C01, 0x3401, 0x3C02, 0xBF00, 0x1E64))] + ([0x2C00 | c.choice((0, 7))] if c.random() < 0.4 else [])
    code += [0xD000 | c.choice((1, 1, 1, 2, 8, 10, 12, 13)) << 8 | (begin - len(code) - 2) & 0xFF]
    code += [*constant(6, 0x40008000), 0x6837, 0xE7FE]
    function = _function(c, noise)
    return struct.pack(f"<{len(code)}H", *code), struct.pack(f"<{len(function)}H", *function)


_CALLS = 60
_MAIN = 0x800
_HANDLER = 0x1C00
_WORK = [*constant(3, 20), 0x3B01, 0xD1FD]
_LONGER = [*constant(3, 300), 0x3B01, 0xD1FD]
_SYSTICK = [*word(0xE000E014, 99), *word(0xE000E018, 0), *word(0xE000E010, 7)]


def _loop(before: list[int], between: Callable[[int], list[int]]) -> list[int]:
    code = [*constant(4, _CALLS), *before]
    begin = len(code)
    code += call(_MAIN + 2 * len(code), FUNCTION)
    code += between(_MAIN + 2 * len(code))
    code.append(0x3C01)
    return [*code, 0xD100 | (begin - len(code) - 2) & 0xFF, *constant(6, 0x40008000), 0x6837, 0xE7FE]


def _once_more(at: int) -> list[int]:
    return [0x2C32, 0xD101, *call(at + 4, FUNCTION)]


LOOPS: dict[str, tuple[list[int], list[int]]] = {
    "nothing depends on the counter": (_loop([], lambda at: []), [*_WORK, 0x4770]),
    "one iteration calls twice": (_loop([], _once_more), [*_WORK, 0x4770]),
    "the function looks at its caller's counter": (_loop([], lambda at: []), [0x2C32, 0xD105, *_LONGER, *_WORK, 0x4770]),
    "an interrupt comes in between": (_loop(_SYSTICK, lambda at: []), [*_WORK, 0x4770]),
}
"""Loops of 60 iterations and the function that they call, by what is odd about them."""


def loop_image(name: str) -> bytes:
    """Flash with one of the loops, for FLASH; the handler of SysTick works for a while at every eighth interrupt."""
    code, function = LOOPS[name]
    handler = [*constant(6, RAM), 0x6837, 0x3701, 0x6037, 0x077F, 0xD105, *_LONGER, 0x4770]
    image = bytearray(0x2000)
    struct.pack_into("<16I", image, 0, RAM + 0x10000, 0x08000000 + _MAIN | 1, *([0x08000000 + _HANDLER | 1] * 14))
    for at, halfwords in ((_MAIN, code), (FUNCTION, function), (_HANDLER, handler)):
        struct.pack_into(f"<{len(halfwords)}H", image, at, *halfwords)
    return bytes(image)
