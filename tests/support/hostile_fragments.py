# SPDX-License-Identifier: Apache-2.0
"""Pieces of hostile firmware that aim at one part of the machine each: alignment, what unicorn computes otherwise, SRAM banks, settings.

Each function makes code from a random source; encodings by DDI0403 chapter A7, registers by RM0432.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

RAM, RAM2, FLASH, SYSTEM = 0x20000000, 0x10000000, 0x08000000, 0x1FFF0000
RCC, PWR, FLASH_UNIT, GPIOG = 0x40021000, 0x40007000, 0x40022000, 0x48001800
CPACR, CCR, VTOR = 0xE000ED88, 0xE000ED14, 0xE000ED08
_BANK_ENDS = (RAM, RAM + 0x30000, RAM + 0x40000, RAM + 0xA0000, RAM2, RAM2 + 0x10000, FLASH, FLASH + 0x200000, 0x200000, SYSTEM + 0x10000)
_REGISTERS = (*range(6), *range(8, 13), 14)


def constant(register: int, value: int) -> list[int]:
    """movw, movt."""
    halfwords = []
    for opcode, half in ((0xF240, value & 0xFFFF), (0xF2C0, value >> 16 & 0xFFFF)):
        halfwords += [opcode | half >> 12 | (half >> 11 & 1) << 10, (half >> 8 & 7) << 12 | register << 8 | half & 0xFF]
    return halfwords


def word(address: int, value: int) -> list[int]:
    """A store of a word through R6 and R7."""
    return [*constant(6, address), *constant(7, value), 0x6037]


def near_an_end(c: random.Random) -> int:
    """An address a few bytes before or behind the end of a bank or memory."""
    return (c.choice(_BANK_ENDS) + c.randrange(-40, 24)) & 0xFFFFFFFF


def _several_words(c: random.Random) -> list[int]:
    """A load or store of more than one word, or one that must be aligned, by R6."""
    t, u, s = c.choice(_REGISTERS), c.choice(_REGISTERS), c.randrange(16)
    listed = c.getrandbits(13) & ~(1 << 6) | 1 << c.randrange(6) | (0x8000 if c.random() < 0.02 else 0)
    back, count = c.randrange(2) << 5, c.randrange(1, 20)
    return c.choice(
        (
            [0xE896 | back, listed], [0xE886 | back, listed & 0x7FFF], [0xE916 | back, listed], [0xE906 | back, listed & 0x7FFF],
            [0xC800 | 6 << 8 | listed & 0xBF | 1], [0xC000 | 6 << 8 | listed & 0xBF | 1],
            [0xE9D6, t << 12 | u << 8 | c.getrandbits(3)], [0xE9C6, t << 12 | u << 8 | c.getrandbits(3)], [0xE8F6, t << 12 | u << 8 | 2],
            [0xED96, s << 12 | 0xA00 | c.getrandbits(3)], [0xED86, s << 12 | 0xA00 | c.getrandbits(3)], [0xED16, s << 12 | 0xB00],
            [0xEC96 | back, 0xA00 | count], [0xEC86 | back, 0xA00 | count], [0xED36, 0xB00 | 2 * (count % 8 + 1)],
            [0xE856, t << 12 | 0xF00 | c.getrandbits(3)], [0xE846, t << 12 | u << 8 | c.getrandbits(3)],
            [0xE8D6, t << 12 | 0xF5F], [0xE8C6, t << 12 | 0xF50 | u], [0xE8D6, 0xF010 | t],
            [0xF8D6, t << 12 | c.getrandbits(4)], [0xF8C6, t << 12 | c.getrandbits(4)], [0xF8B6, t << 12 | c.getrandbits(4)],
            [0xF8A6, t << 12 | c.getrandbits(4)], [0xF856, t << 12 | 0xB00 | 1 << c.randrange(5)], [0x6830 | c.randrange(6)],
        )
    )  # fmt: skip


def unaligned(c: random.Random) -> list[int]:
    """Accesses that are not aligned, in IT blocks and with masks behind them; with and without the trap; to memory, its ends, registers."""
    code = word(CPACR, 0xF00000)
    if c.random() < 0.4:
        code += word(CCR, c.choice((8, 0x18, 0x208, 0x218, 0)))
    for _ in range(c.randrange(2, 12)):
        kinds = (near_an_end(c), RAM + c.randrange(0x400), RCC + c.randrange(0xA0), 0x40004400 + c.randrange(0x40), c.getrandbits(32))
        place = c.choice(kinds)
        code += constant(6, place | c.randrange(4))
        inside = [_several_words(c) for _ in range(c.randrange(1, 5))]
        if c.random() < 0.5 and len(inside) <= 4:
            condition, mask = c.randrange(15), c.getrandbits(4) & ~((1 << 4 - len(inside)) - 1) | 1 << 4 - len(inside)
            code.append(0xBF00 | condition << 4 | mask & 15)
        code += [half for part in inside for half in part]
        code += c.choice(([], [0xB672], [0xB671], [0xB662], [0xBF00], [0xDF01]))
    return code


def bank_ends(c: random.Random) -> list[int]:
    """A loop that reads and writes over the end of a bank, sampled with every base; the stack may be there, too."""
    code = [*constant(5, near_an_end(c)), 0x46AD] if c.random() < 0.3 else []
    body: list[int] = []
    for _ in range(c.randrange(1, 5)):
        register, t = c.randrange(4), c.randrange(8, 13)
        code += constant(register, near_an_end(c) & ~3)
        step = c.choice((4, 8, 255))
        body += c.choice(
            (
                [0xF850 | register, t << 12 | 0xB00 | step], [0xF840 | register, t << 12 | 0x900 | step],
                [0xF850 | register, t << 12 | 0xD00 | step], [0xF850 | register, t << 12 | c.randrange(4) << 4 | t],
                [0xE8B0 | register, 0x1C00], [0xF8D0 | register, t << 12 | c.getrandbits(12)],
            )
        )  # fmt: skip
    code += constant(4, c.choice((1, 3, 40, 2000)))
    return [*code, *body, 0x3C01, 0xD100 | -(len(body) + 3) & 0xFF]


def settings(c: random.Random) -> list[int]:
    """The registers of clocks, power and flash, with values that nearly make sense, in any order."""
    choices: tuple[tuple[int, Sequence[int]], ...] = (
        (RCC, (0x63, 0x01000063, 0x00010063, 0x100, 0x01050163, 0, 0xB9, c.getrandbits(32))),
        (RCC + 8, (0, 1, 2, 3, 0x83, 0x93, 0xF3, 0x2403, c.getrandbits(16))),
        (RCC + 0xC, (0x01003C01, 0x01001E01, 0x01000002, 0x0100FF71, c.getrandbits(32))),
        (RCC + 0x88, (0, 0xC00, 0x400, 0x0C000000, c.getrandbits(32))), (RCC + 0x94, (0, 3, c.getrandbits(32))),
        (RCC + 0x90, (0, 1, 0x101, c.getrandbits(32))), (RCC + 0x98, (0, 1, 3)),
        (RCC + 0x58, (0, 1 << 28, 0xFFFFFFFF, c.getrandbits(32))), (RCC + 0x4C, (0, 0x7F, c.getrandbits(32))),
        (PWR, (0x200, 0x400, 0x600, 0, 0x100, c.getrandbits(16))), (PWR + 4, (0, 0x200, c.getrandbits(12))),
        (PWR + 0x80, (0, 0x100, c.getrandbits(16))), (FLASH_UNIT, (0x600, 0x605, 0x705, 0x1805, 0, 15, c.getrandbits(16))),
        (FLASH_UNIT + 8, (0x45670123, 0xCDEF89AB)), (FLASH_UNIT + 0x14, (1, 0x80000000, c.getrandbits(32))),
        (FLASH_UNIT + 0x20, (c.getrandbits(32),)), (GPIOG, (0xFFBFFFFF, 0xFF7FFFFF, c.getrandbits(32))), (GPIOG + 0x18, (1 << 11, 1 << 27)),
        (0xE000ED10, (0, 4, 2, 0x10)),
    )  # fmt: skip
    code: list[int] = []
    for _ in range(c.randrange(4, 30)):
        address, values = c.choice(choices)
        code += word(address, c.choice(values))
        if c.random() < 0.2:
            code += [*constant(4, c.randrange(1, 200)), 0x3C01, 0xD1FD]
    return code


def otherwise(c: random.Random) -> list[int]:
    """What unicorn computes otherwise, in flash and RAM: Q of SMLAD, VCVT from fixed point with rounding modes, LDREX over exceptions."""
    code = word(CPACR, 0xF00000)
    for _ in range(c.randrange(2, 10)):
        s = c.randrange(16)
        code += c.choice(
            (
                [*constant(0, 0x80008000), *constant(1, c.choice((0x80000000, 0xFFFFFFFF, 1))), 0xFB20 | c.randrange(2) << 4, 0x1200],
                [0xF3EF, 0x8000 | c.randrange(13) << 8 | c.randrange(4)], [*constant(0, c.getrandbits(2) << 22), 0xEEE1, 0x0A10],
                [0xEEBA | c.randrange(2), s << 12 | 0xA40 | c.randrange(2) << 7 | c.getrandbits(4)], [0xDF00],
                [*constant(6, RAM + 4 * c.randrange(64)), 0xE856, 0x1F00, 0xDF00, 0xE846, 0x1200],
                word(0xE000EF3C, c.getrandbits(2) << 22), word(0xE000ED04, c.choice((1 << 28, 1 << 26, 1 << 31))), word(VTOR, FLASH),
            )
        )  # fmt: skip
    if c.random() < 0.5:
        place, tail = (near_an_end(c) if c.random() < 0.5 else RAM + 0x800) & ~1, [*code[-60:], 0x4770]
        code += [h for i, half in enumerate(tail) for h in (*constant(6, place + 2 * i), *constant(7, half), 0x8037)]
        code += [*constant(5, place | 1), 0x47A8]
    return code


AIMED = (unaligned, unaligned, bank_ends, settings, settings, otherwise)
