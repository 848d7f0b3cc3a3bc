# SPDX-License-Identifier: Apache-2.0
"""A chip's peripherals as rows of ``description.h``, checked: what the C drivers are compiled for (see :mod:`.chip_header`)."""

from __future__ import annotations

from collections.abc import Iterable

from cm4tiny.boards.boards import BoardDescription
from cm4tiny.boards.chips import ChipDescription, Peripheral
from cm4tiny.boards.chips.clock_tree import Field
from cm4tiny.boards.virtual.clock_rows import tree_rows
from cm4tiny.errors import DescriptionError

_LINES_OF_A_DMA = 7
_UARTS = ("lpuart", "usart")
_UART_LETTERS = "LPUSART"
_CLOCKED = (*_UARTS, "timer16", "timer32")
_NEEDED = {
    "dma": ("dmamux", "rcc-l4"),
    "sai": ("dma",),
    "rng": ("rcc-l4",),
    "rcc-l4": ("pwr-l4", "flash-l4"),
    "pwr-l4": ("rcc-l4",),
    "flash-l4": ("rcc-l4",),
}
"""Drivers that others cannot do without."""
_ONE = {
    "rcc-l4": "RCC_L4",
    "rcc": "RCC_TREE",
    "pwr-l4": "PWR",
    "flash-l4": "FLASH_INTERFACE",
    "dmamux": "DMAMUX",
    "sai": "SAI",
    "crc": "CRC",
    "rng": "RNG",
}
"""Drivers of which a chip has one, or none, and what their addresses are called in C."""

Row = tuple[str, str]


def peripheral_rows(board: BoardDescription) -> list[Row]:
    """Peripherals, by driver.

    Raises:
        DescriptionError: a driver is missing, or cannot be where the description has it.
    """
    of = {driver: [p for p in board.chip.peripherals if p.driver == driver] for driver in {p.driver for p in board.chip.peripherals}}
    _check_drivers(board, of)
    uarts = [board.chip.peripheral(name) for name in uart_order(board.chip)]
    timers = sorted((*of.get("timer32", ()), *of.get("timer16", ())), key=lambda p: p.base)
    units = of.get("dma", [])
    answering = [*of.get("registers", ()), *of.get("rcc", ())]
    rows: list[Row] = []
    for driver, name in _ONE.items():
        rows.append((f"HAS_{name}", "1" if driver in of else "0"))
        if driver in of:
            rows.append((f"{name}_BASE", hexadecimal(of[driver][0].base)))
    return [
        *rows,
        ("RCC_BASE", hexadecimal(board.chip.peripheral("RCC").base)),
        *(tree_rows(board.chip.clock_tree) if board.chip.clock_tree else ()),
        ("SAI_INTERRUPT", f"{of['sai'][0].irqs[0] if 'sai' in of else 0}u"),
        ("UARTS", f"{len(uarts)}"),
        x_list("UART_ROWS", (_uart(p) for p in uarts)),
        ("TIMERS", f"{len(timers)}"),
        x_list("TIMER_ROWS", (f'"{p.name}", {hexadecimal(p.base)}, {int(p.driver == "timer32")}, {p.irqs[0]}u, {_bus(p)}' for p in timers)),
        ("GPIO_PORTS", f"{max(_port(p) for p in of['gpio']) + 1}"),
        x_list("GPIO_ROWS", (f'"{p.name}", {hexadecimal(p.base)}, {_port(p)}u' for p in of["gpio"])),
        ("DMA_UNITS", f"{len(units)}"),
        x_list("DMA_ROWS", (f'"{p.name}", {hexadecimal(p.base)}' for p in units)),
        ("DMA_INTERRUPTS", ", ".join(str(irq) for p in units for irq in p.irqs) or "0"),
        x_list(
            "RESET_ROWS",
            (f"{hexadecimal(p.base + at)}, {hexadecimal(value)}" for p in board.chip.peripherals if p.driver for at, value in p.reset),
        ),
        x_list("STORE_ROWS", (f'"{p.name}", {hexadecimal(p.base)}, {hexadecimal(p.size)}' for p in of.get("registers", ()))),
        x_list("ANSWER_ROWS", (_answer(p, row) for p in answering for row in p.answers)),
        x_list("CONSTANT_ROWS", (_constant(p, row) for p in answering for row in p.constants)),
    ]


def _check_drivers(board: BoardDescription, of: dict[str, list[Peripheral]]) -> None:
    chip = board.chip
    missing = [need for driver in of for need in _NEEDED.get(driver, ()) if need not in of]
    if ("rcc-l4" in of) == ("rcc" in of):
        rule = "the virtual chip's is rcc-l4, of the STM32L4+, or rcc, with a clock_tree"
        raise cannot(board, f"the RCC of the {chip.name} has no driver", rule)
    if ("rcc" in of) != (chip.clock_tree is not None):
        raise cannot(board, "it has a clock_tree and no driver rcc, or the other way round", "they belong together")
    if missing or "gpio" not in of or not (of.get("lpuart") or of.get("usart")):
        raise cannot(
            board, f"drivers are missing: {', '.join(missing) or 'gpio or usart'}", "each chip has ports, a UART, and what drivers need"
        )
    for driver, found in of.items():
        if driver in _ONE and len(found) > 1:
            raise cannot(board, f"{len(found)} peripherals have the driver {driver}", "there is one")
        for p in found if driver else ():
            _check_peripheral(board, p)


def _check_peripheral(board: BoardDescription, p: Peripheral) -> None:
    lines = _LINES_OF_A_DMA if p.driver == "dma" else 1 if p.driver in (*_CLOCKED, "sai") else 0
    most = board.chip.core.interrupts
    if len(p.irqs) != lines or any(irq >= most for irq in p.irqs):
        raise cannot(board, f"{p.name} has the interrupts {list(p.irqs)}", f"its driver has {lines}, below {most}")
    if p.driver in _CLOCKED and not p.bus:
        raise cannot(board, f"{p.name} has no bus", "its clock follows from that bus's prescaler")
    if p.size % 4 or (p.driver != "registers" and p.size < 0x400) or p.base % 4:
        raise cannot(board, f"{p.name} has 0x{p.size:x} bytes at 0x{p.base:08x}", "registers are words, and drivers have 256 of them")
    offsets = (*(at for at, _ in p.reset), *(at for row in p.answers for at in (row[0], row[3])), *(row[0] for row in p.constants))
    if any(at >= p.size for at in offsets):
        raise cannot(board, f"a reset value or an answer of {p.name} is not in it", "registers are inside their peripheral")
    if p.driver == "gpio" and (len(p.name) != 5 or p.name[4] not in "ABCDEFGHIJK"):
        raise cannot(board, f"a port is called {p.name} and not GPIOA to GPIOK", "pins are numbered by the letter")
    if p.driver in _UARTS and not p.name.lstrip(_UART_LETTERS).isdecimal():
        raise cannot(board, f"a UART is called {p.name} and not by a number", "they are in the order of their numbers")


def uart_order(chip: ChipDescription) -> tuple[str, ...]:
    """UARTs that are modelled, in the order in which the C code numbers them: LPUARTs, then by number."""
    names = [p.name for p in chip.peripherals if p.driver in _UARTS]
    return tuple(sorted(names, key=lambda name: (not name.startswith("LP"), int(name.lstrip(_UART_LETTERS)))))


def _answer(p: Peripheral, row: tuple[int, int, int, int, int]) -> str:
    at, bit, width, source, low = row
    return f"{hexadecimal(p.base + at)}, {bit}u, {hexadecimal((1 << width) - 1)}, {source // 4}u, {low}u"


def _constant(p: Peripheral, row: tuple[int, int, int]) -> str:
    at, ones, zeros = row
    return f"{hexadecimal(p.base + at)}, {hexadecimal(ones)}, {hexadecimal(zeros)}"


def _uart(p: Peripheral) -> str:
    clock = p.kernel_clock or Field(0, 0, 1)
    place = f"{clock.offset}u, {clock.bit}u, {clock.width}u"
    return f'"{p.name}", {hexadecimal(p.base)}, {int(p.driver == "lpuart")}, {p.irqs[0]}u, {_bus(p)}, {place}, {p.request}u'


def _bus(p: Peripheral) -> str:
    return f"{p.bus[-1:] or 0}u"


def _port(p: Peripheral) -> int:
    return ord(p.name[4]) - ord("A")


def cannot(board: BoardDescription, why: str, rule: str) -> DescriptionError:
    """The error for a board that has no virtual one."""
    return DescriptionError(
        f"the {board.name} cannot be emulated",
        why=f"{why}; {rule}",
        hint="use the real board, or extend the virtual chip: docs/add-a-board.md",
    )


def hexadecimal(value: int) -> str:
    """An unsigned constant of C."""
    return f"0x{value:08X}u"


def x_list(name: str, rows: Iterable[str]) -> Row:
    """A macro that applies a macro X to each row."""
    return f"{name}(X)", " ".join(f"X({row})" for row in rows)
