# SPDX-License-Identifier: Apache-2.0
"""Small programs that give the virtual board values which no sane firmware would: one a kind, each with what must come of it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from support.hostile_firmware import FLASH, RAM, constant
from support.tiny_elf import Load, tiny_elf

PARK = 0xE7FE
LOOP = (0xE000, 0xBF00, 0xE7FC)  # b +2, nop, b -4: never one instruction alone, which would be a park
DMA1, DMAMUX, LPUART1, USART1, GPIOF, RCC, SYSTICK = 0x40020000, 0x40020800, 0x40008000, 0x40013800, 0x48001400, 0x40021000, 0xE000E010
SAI1, TIM2, TIM3 = 0x40015400, 0x40000000, 0x40000400
MEMORY_TO_MEMORY, WORDS, MEMORY_UP, PERIPHERAL_UP, CIRCULAR, TO_PERIPHERAL, ON = 0x4000, 0xA00, 0x80, 0x40, 0x20, 0x10, 1


def poke(*stores: tuple[int, int]) -> list[int]:
    """Word stores, in order."""
    code: list[int] = []
    for address, value in stores:
        code += [*constant(6, address), *constant(7, value), 0x6037]
    return code


ALL_ON = (
    *((RCC + offset, 0xFFFFFFFF) for offset in (0x48, 0x4C, 0x50, 0x58, 0x5C, 0x60)),
    (0x40007004, 1 << 9), (0x48001820, 8 << 28), (0x48001824, 0x78), (0x48001800, 0xFFFABFFF),
)  # fmt: skip
"""All clocks; PG7 and PG8 belong to LPUART1, PG9 to USART1."""


def channel(number: int) -> int:
    """Address of CCR of a channel of DMA1, from 1."""
    return DMA1 + 8 + 20 * (number - 1)


def set_channel(number: int, peripheral: int, memory: int, items: int, control: int, request: int = 0) -> list[int]:
    """All registers of a channel; the control register last."""
    base = channel(number)
    return poke((DMAMUX + 4 * (number - 1), request), (base + 8, peripheral), (base + 12, memory), (base + 4, items), (base, control))


def _duel(control: int, items: int) -> list[int]:
    lists = [(RAM, 0), (RAM + 4, control), (RAM + 16, 0), (RAM + 20, control)]
    other = channel(2)
    return [
        *poke(*lists, (other + 8, channel(1)), (other + 12, RAM + 16), (other + 4, items)),
        *set_channel(1, channel(2), RAM, items, control),
    ]


_COPY = MEMORY_TO_MEMORY | WORDS | TO_PERIPHERAL | ON
_UART_ON = [(LPUART1, 0xD), (LPUART1 + 8, 0xC0)]

PROGRAMS: Mapping[str, list[int]] = {
    "channels that start each other": [*_duel(_COPY | MEMORY_UP, 0xFFFF), PARK],
    "channels that start each other, one item at a time": [*_duel(_COPY, 1), PARK],
    "channels that start each other in circles": [*_duel(_COPY | MEMORY_UP | CIRCULAR, 2), *LOOP],
    "a channel that writes its own control register": [
        *poke((RAM, _COPY | MEMORY_UP)), *set_channel(1, channel(1), RAM, 0xFFFF, _COPY | MEMORY_UP), *LOOP],
    "a channel that is started again and again": [
        *set_channel(1, RAM, RAM + 0x100, 0xFFFF, 0),
        *poke((channel(1), _COPY & ~1)), *constant(0, channel(1)), *constant(1, _COPY & ~1), *constant(2, _COPY), *constant(3, 0xFFFF),
        0x6001, 0x6043, 0x6002, 0xE7FB],
    "items of the reserved size": [
        *poke((RAM, 0x41414141), (RAM + 4, 0x42424242), (RAM + 8, 0x43434343)),
        *set_channel(1, RAM, RAM + 0x100, 2, MEMORY_TO_MEMORY | 0xF00 | MEMORY_UP | PERIPHERAL_UP | ON), PARK],
    "a circle to the UART": [
        *poke((RAM, 0x41)), *set_channel(1, LPUART1 + 0x28, RAM, 16, 0xB1, 35), *poke(*_UART_ON), *LOOP],
    "a circle for the UART that does not reach it": [
        *set_channel(1, RAM + 0x100, RAM, 16, 0xB1, 35), *poke(*_UART_ON), *LOOP],
    "a circle for a UART that may not send": [
        *set_channel(1, LPUART1 + 0x28, RAM, 16, 0xB1, 35), *poke((LPUART1, 1), (LPUART1 + 8, 0x80)), *LOOP],
    "a circle from the UART that does not read it": [
        *set_channel(1, RAM + 0x100, RAM, 16, 0xA1, 34), *poke(*_UART_ON), *LOOP],
    "a circle from the SAI that does not read it": [
        *set_channel(1, RAM + 0x100, RAM, 16, 0xA1, 36), *poke((SAI1 + 0x10, 0xFFFF0F00), (SAI1 + 4, 0x30081)), *LOOP],
    "a divider of zero by eight": [
        *poke((USART1, 0x8000), (USART1 + 12, 8), (USART1, 0x800D), (USART1 + 0x28, 10)), *LOOP],
    "a divider of zero": [
        *poke((LPUART1 + 12, 0), (LPUART1, 0xD), (LPUART1 + 0x28, 10)), *LOOP],
    "a PLL without input": [*poke((RCC + 12, 0x01000000), (RCC, 0x01000063), (RCC + 8, 3), (LPUART1, 0xD), (LPUART1 + 0x28, 10)), *LOOP],
    "timers with periods of one": [
        *poke((TIM2 + 0x2C, 0), (TIM2 + 0x0C, 0x1F), (TIM2, 1), (TIM3 + 0x24, 0xFFFF), (TIM3 + 0x2C, 1), (TIM3 + 0x0C, 0x1F), (TIM3, 1),
              (SYSTICK + 4, 0), (SYSTICK, 7)), *LOOP],
}  # fmt: skip
"""Named so that a test or an entry of the fault ledger says what it tries."""


def repeated(stores: Iterable[tuple[int, int]]) -> list[int]:
    """Two stores for ever, with addresses and values held in registers: five cycles a round."""
    (first, one), (second, two) = stores
    return [*constant(0, first), *constant(1, one), *constant(2, second), *constant(3, two), 0x6001, 0x6013, 0xE7FC]


def write_program(folder: Path, code: Iterable[int]) -> Path:
    """An ELF of the program: it begins right after two vectors."""
    halfwords = [*poke(*ALL_ON), *code]
    path = folder / "hostile.elf"
    vectors = struct.pack("<II", RAM + 0xA0000, FLASH + 9)
    path.write_bytes(tiny_elf(Load(vectors + struct.pack(f"<{len(halfwords)}H", *halfwords), FLASH)))
    return path
