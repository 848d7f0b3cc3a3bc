# SPDX-License-Identifier: Apache-2.0
"""What the firmware's build makes from a board's description: the header ``board_description.h`` and ``memory.ld``, the linker's memory.

The start-up code and the drivers of a chip (``firmware/chips``) take every address, pin and clock that differs between boards from these.
"""

from __future__ import annotations

from cm4tiny.boards.boards import BoardDescription, Pin

HEADER, MEMORY = "board_description.h", "memory.ld"
_VDDIO2_PORT, _VDDIO2_FROM = "GPIOG", 2
"""PG2 to PG15 hang on a supply of their own, which firmware declares valid (RM0432, "Independent I/O supply rail")."""


def board_files(board: BoardDescription) -> dict[str, str]:
    """Name -> text of the generated files."""
    return {HEADER: header(board), MEMORY: memory_script(board)}


def header(board: BoardDescription) -> str:
    """The text of ``board_description.h``: macros ``CHIP_``, ``CLOCK_``, ``VCP_`` (the virtual COM port), ``TIMESTAMP_`` and ``PINS_``."""
    chip, port = board.chip, board.com_port
    uart, rcc = chip.peripheral(port.uart), chip.peripheral("RCC").base
    ports = sorted({pin.port_name for pin in (port.tx, port.rx, board.timestamp_pin)})
    values = (
        ("CHIP_INTERRUPTS", str(chip.core.interrupts)),
        ("CHIP_RAM_START", _hex(chip.ram.start)),
        ("CLOCK_SYSTEM_HZ", f"{board.clock.hclk_hz}u"),
        ("CLOCK_INTERNAL_HZ", f"{chip.clock.internal_hz}u"),
        ("CLOCK_PLL_M", f"{board.clock.pll_m}u"),
        ("CLOCK_PLL_N", f"{board.clock.pll_n}u"),
        ("CLOCK_PLL_R", f"{board.clock.pll_r}u"),
        ("CLOCK_FLASH_WAIT_STATES", f"{board.clock.wait_states}u"),
        ("VCP_BASE", _hex(uart.base)),
        ("VCP_IS_LPUART", str(int(port.uart.startswith("LPUART")))),
        ("VCP_ENABLE_REGISTER", _hex(rcc + uart.enable_offset)),
        ("VCP_ENABLE_BIT", f"{uart.enable_bit}u"),
        ("VCP_KERNEL_CLOCK_SHIFT", f"{uart.kernel_clock.bit if uart.kernel_clock else 0}u"),
        *_pin(board, "VCP_TX", port.tx),
        ("VCP_TX_FUNCTION", f"{port.tx_function}u"),
        *_pin(board, "VCP_RX", port.rx),
        ("VCP_RX_FUNCTION", f"{port.rx_function}u"),
        ("VCP_ON_VDDIO2", str(int(_on_vddio2(port.tx) or _on_vddio2(port.rx)))),
        *_pin(board, "TIMESTAMP", board.timestamp_pin),
        ("TIMESTAMP_ON_VDDIO2", str(int(_on_vddio2(board.timestamp_pin)))),
        ("PINS_ENABLE_REGISTER", _hex(rcc + chip.peripheral(ports[0]).enable_offset)),
        ("PINS_ENABLE_MASK", _hex(sum(1 << chip.peripheral(name).enable_bit for name in ports))),
    )
    head = f"/* The {board.name} with its {chip.name}, made from their descriptions by the build. */\n#pragma once\n"
    return head + "".join(f"#define {name} {value}\n" for name, value in values)


def memory_script(board: BoardDescription) -> str:
    """The text of ``memory.ld``, which the chip's linker script includes."""
    flash, ram = board.chip.flash, board.chip.ram
    return f"""/* Memory of the {board.chip.name} and the stack of the {board.name}, made from their descriptions by the build. */
MEMORY
{{
    FLASH ({flash.access})  : ORIGIN = {flash.start:#010x}, LENGTH = {flash.size // 1024}K
    RAM   ({ram.access}) : ORIGIN = {ram.start:#010x}, LENGTH = {ram.size // 1024}K
}}
_stack_size = {board.stack_bytes};
_red_zone_size = {board.red_zone_bytes};
"""


def _hex(value: int) -> str:
    return f"0x{value:08X}u"


def _pin(board: BoardDescription, name: str, pin: Pin) -> tuple[tuple[str, str], ...]:
    return (f"{name}_PORT", _hex(board.chip.peripheral(pin.port_name).base)), (f"{name}_PIN", f"{pin.number}u")


def _on_vddio2(pin: Pin) -> bool:
    return pin.port_name == _VDDIO2_PORT and pin.number >= _VDDIO2_FROM
