# SPDX-License-Identifier: Apache-2.0
"""What the virtual chip's C code is compiled for: the header ``description.h``, made from a board's and its chip's description.

The C code knows the peripherals of one family of chips, one flash, and RAM in one piece of which a later bank is seen once more.
Memory sizes and pins are constants of its compilation, so that a look at an address costs nothing; another board has a library of its own.
"""

from __future__ import annotations

from cm4tiny.boards.boards import BoardDescription, Pin, default_board
from cm4tiny.boards.chips import Memory
from cm4tiny.errors import DescriptionError

NAME = "description.h"
_GRAIN = 0x10000
_MOST_BYTES = 16 << 20


def description_header(board: BoardDescription) -> str:
    """The text of ``description.h``.

    Raises:
        DescriptionError: the virtual chip has no such memory, or the chip is of another family.
    """
    chip = board.chip
    known = default_board().chip
    if chip.start_up != known.start_up:
        raise _cannot(board, f"the {chip.name} starts as {chip.start_up}", f"the virtual chip's peripherals are those of {known.start_up}")
    flash, ram, system, banks = chip.flash, chip.ram, _system(board), _banks(board)
    aliased = next(bank for bank in banks if bank.aliases)
    smps = board.smps
    values = [
        ("FLASH_BASE", _hex(flash.start)),
        ("FLASH_SIZE", _hex(flash.size)),
        ("SRAM_BASE", _hex(ram.start)),
        ("SRAM_SIZE", _hex(ram.size)),
        ("SRAM2_ALIAS", _hex(aliased.aliases[0])),
        ("SRAM2_OFFSET", _hex(aliased.start - ram.start)),
        ("SRAM2_SIZE", _hex(aliased.size)),
        ("SYSTEM_MEMORY_BASE", _hex(system.start)),
        ("SYSTEM_MEMORY_SIZE", _hex(system.size)),
        ("UNIQUE_ID_OFFSET", _hex(chip.identity.uid_address - system.start)),
        ("IDCODE", _hex(chip.identity.idcode)),
        ("INTERRUPTS", f"{chip.core.interrupts}u"),
        *_pin("TIMESTAMP", board.timestamp_pin),
        ("HAS_SMPS", "1" if smps else "0"),
        *_pin("SMPS_ENABLE", smps.enable if smps else Pin(0, 0)),
        *_pin("SMPS_POWER_GOOD", smps.power_good if smps else Pin(0, 0)),
        *_pin("SMPS_SWITCH", smps.switch if smps else Pin(0, 0)),
    ]
    head = f"/* The {chip.name} on a {board.name}, made from their descriptions. */\n#pragma once\n"
    return head + "".join(f"#define {name} {value}\n" for name, value in values)


def _system(board: BoardDescription) -> Memory:
    found = [memory for memory in board.chip.memory if memory.kind == "rom"]
    if len(found) != 1:
        raise _cannot(board, f"{len(found)} regions are of the kind rom", "the virtual chip has one, with the unique id in it")
    uid = board.chip.identity.uid_address
    if not found[0].start <= uid <= found[0].end - 12 or found[0].size < _GRAIN:
        raise _cannot(board, f"its unique id at 0x{uid:08X} is not in {found[0]}", "the virtual chip keeps it there")
    return found[0]


def _banks(board: BoardDescription) -> list[Memory]:
    """The RAM's parts by address, checked: what the C code indexes its arrays by."""
    chip = board.chip
    flash, ram = chip.flash, chip.ram
    if flash.size & (flash.size - 1) or not _GRAIN <= flash.size <= _MOST_BYTES or flash.start % flash.size:
        raise _cannot(board, f"its flash is {flash}", "the virtual chip's is a power of two from 64 KB to 16 MB, at a multiple of its size")
    if flash.aliases != (0,):
        raise _cannot(board, "its flash is not seen at 0", "the virtual chip boots from there")
    banks = sorted((memory for memory in chip.memory if memory.kind == "ram"), key=lambda memory: memory.start)
    if sum(bank.size for bank in banks) != ram.size or ram.size > _MOST_BYTES:
        raise _cannot(board, "its RAM has gaps or more than 16 MB", "the virtual chip's is in one piece")
    if any(bank.size % _GRAIN or bank.start % _GRAIN for bank in banks):
        raise _cannot(board, "a RAM region is not a multiple of 64 KB", "the virtual chip's are")
    seen_twice = [bank for bank in banks for _ in bank.aliases]
    if len(seen_twice) != 1 or seen_twice[0] is banks[0] or not flash.size <= seen_twice[0].aliases[0] < ram.start - seen_twice[0].size:
        raise _cannot(board, "its RAM's aliases are others", "the virtual chip has one, of a later bank, between flash and RAM")
    return banks


def _cannot(board: BoardDescription, why: str, rule: str) -> DescriptionError:
    return DescriptionError(
        f"the {board.name} cannot be emulated",
        why=f"{why}; {rule}",
        hint="use the real board, or extend the virtual chip: docs/add-a-board.md",
    )


def _hex(value: int) -> str:
    return f"0x{value:08X}u"


def _pin(name: str, pin: Pin) -> tuple[tuple[str, str], tuple[str, str]]:
    return (f"{name}_PORT", f"{pin.port}u"), (f"{name}_PIN", f"{pin.number}u")
