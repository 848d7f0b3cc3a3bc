# SPDX-License-Identifier: Apache-2.0
"""What the virtual chip's C code is compiled for: the header ``description.h``, made from a board's and its chip's description.

No chip constant stands in the C files. Memory, peripherals, core and pins are constants of their compilation, so that a look at an address
costs nothing; another board has a library of its own. Lists are macros that apply a macro ``X`` to each row.
"""

from __future__ import annotations

from cm4tiny.boards.boards import BoardDescription, Pin
from cm4tiny.boards.chips import Memory
from cm4tiny.boards.virtual.cores import CORES, CoreFacts
from cm4tiny.boards.virtual.peripheral_rows import Row, cannot, hexadecimal, peripheral_rows, x_list

NAME = "description.h"
_PAGE = 0x1000
_ROM_BYTES = 0x10000
_MOST_BYTES = 16 << 20
_TOP = 1 << 32
_PERIPHERALS = 0x4000_0000


def description_header(board: BoardDescription) -> str:
    """The text of ``description.h``.

    Raises:
        DescriptionError: the virtual chip has no such core, memory or peripherals.
    """
    chip = board.chip
    core = core_facts(board)
    system, smps = _system(board), board.smps
    values = [
        *_memory(board),
        ("SYSTEM_MEMORY_BASE", hexadecimal(system.start)),
        ("SYSTEM_MEMORY_SIZE", hexadecimal(system.size)),
        ("UNIQUE_ID_OFFSET", hexadecimal(chip.identity.uid_address - system.start)),
        ("FLASH_KB_OFFSET", hexadecimal(chip.identity.flash_kb_address - system.start)),
        x_list(
            "SIGNATURE", (f"{hexadecimal(at - system.start)}, {size}u, {hexadecimal(value)}" for at, size, value in chip.identity.signature)
        ),
        ("IDCODE", hexadecimal(chip.identity.idcode)),
        ("IDCODE_ADDRESS", hexadecimal(chip.identity.idcode_address)),
        *_core(board, core),
        *peripheral_rows(board),
        *_pin("TIMESTAMP", board.timestamp_pin),
        ("HAS_SMPS", "1" if smps else "0"),
        *_pin("SMPS_ENABLE", smps.enable if smps else Pin(0, 0)),
        *_pin("SMPS_POWER_GOOD", smps.power_good if smps else Pin(0, 0)),
        ("SMPS_PORT_BASE", hexadecimal(chip.peripheral(smps.switch.port_name).base if smps else _TOP - 1)),
        *_pin("SMPS_SWITCH", smps.switch if smps else Pin(0, 0)),
    ]
    head = f"/* The {chip.name} on a {board.name}, made from their descriptions. */\n#pragma once\n"
    return head + "".join(f"#define {name} {value}\n" for name, value in values)


# --- the core -----------------------------------------------------------------------------------------------------------------------


def core_facts(board: BoardDescription) -> CoreFacts:
    """What the board's core is to unicorn.

    Raises:
        DescriptionError: it cannot be emulated.
    """
    core = board.chip.core
    if (core.name, core.fpu) not in CORES:
        known = ", ".join(f"{name} with {fpu}" for name, fpu in CORES)
        raise cannot(board, f"its core is a {core.name} with the FPU {core.fpu}", f"the virtual chip's can be {known}")
    return CORES[core.name, core.fpu]


def _core(board: BoardDescription, core: CoreFacts) -> list[Row]:
    described = board.chip.core
    return [
        ("CORE_MODEL", f"UC_CPU_ARM_{core.model}"),
        ("CORE_ARCHITECTURE", f"{core.architecture}"),
        ("CORE_DOUBLES_FAULT", f"{int(core.doubles_fault)}"),
        ("CORE_CPUID", hexadecimal(core.cpuid)),
        ("CORE_MPU_TYPE", hexadecimal(core.mpu_type)),
        *zip(("CORE_CLIDR", "CORE_CTR", "CORE_CCSIDR"), map(hexadecimal, core.caches), strict=True),
        ("CORE_MVFR0", hexadecimal(core.mvfr0)),
        ("CORE_MVFR1", hexadecimal(core.mvfr1)),
        x_list("CORE_PROBES", (", ".join(f"0x{byte:02X}" for byte in code) + f", {int(has)}" for _, code, has in core.probes)),
        ("INTERRUPTS", f"{described.interrupts}u"),
        ("PRIORITY_BITS", f"0x{(0xFF << (8 - described.priority_bits)) & 0xFF:02X}u"),
        ("HAS_BIT_BAND", "1" if described.bit_band else "0"),
    ]


# --- memory -------------------------------------------------------------------------------------------------------------------------


def _memory(board: BoardDescription) -> list[Row]:
    """RAM of all regions lies in one buffer: the largest piece first, then what else there is by address."""
    chip = board.chip
    flash, main = chip.flash, chip.ram
    regions = _regions(board)
    places: dict[str, int] = {}
    end = 0
    for region in sorted(regions, key=lambda region: (region.start not in main, region.start)):
        places[region.name] = end
        end += region.size
    own = [(main.start, main.size, 0), *((r.start, r.size, places[r.name]) for r in regions if r.start not in main)]
    windows = [*own, *((alias, r.size, places[r.name]) for r in regions for alias in r.aliases)]
    vectors = [*((start, size) for start, size, _ in windows), *((start, flash.size) for start in (flash.start, *flash.aliases))]
    if not any(start <= chip.boot_address < start + size for start, size in vectors):
        raise cannot(board, f"no memory is at its boot address 0x{chip.boot_address:08X}", "the core finds its vectors there")
    banks = [region for region in regions if region.start in main]
    return [
        ("FLASH_BASE", hexadecimal(flash.start)),
        ("FLASH_SIZE", hexadecimal(flash.size)),
        ("SRAM_BASE", hexadecimal(main.start)),
        ("SRAM_SIZE", hexadecimal(main.size)),
        ("RAM_BYTES", hexadecimal(end)),
        ("RAM_END", hexadecimal(_gaps(windows)[-1][0])),
        ("BOOT_ADDRESS", hexadecimal(chip.boot_address)),
        x_list("FLASH_WINDOWS", (hexadecimal(start) for start in (flash.start, *flash.aliases))),
        ("FLASH_WINDOW_COUNT", f"{1 + len(flash.aliases)}"),
        x_list("RAM_WINDOWS", (f"{hexadecimal(start)}, {hexadecimal(size)}, {hexadecimal(offset)}" for start, size, offset in windows)),
        ("RAM_WINDOW_COUNT", f"{len(windows)}"),
        x_list("OUTSIDE_RAM", (f"{hexadecimal(first)}, {hexadecimal(last)}" for first, last in _gaps(windows))),
        x_list("RAM_BANKS", (f"{hexadecimal(bank.start)}, {hexadecimal(bank.size)}, {number}u" for number, bank in enumerate(banks, 1))),
    ]


def _regions(board: BoardDescription) -> list[Memory]:
    """RAM by address, and flash, checked: what the C code indexes its arrays by."""
    chip = board.chip
    flash = chip.flash
    regions = sorted((memory for memory in chip.memory if memory.kind == "ram"), key=lambda memory: memory.start)
    even = all(start % flash.size == 0 for start in (flash.start, *flash.aliases))
    if flash.size & (flash.size - 1) or not _ROM_BYTES <= flash.size <= _MOST_BYTES or not even:
        raise cannot(board, f"its flash is {flash}", "the virtual chip's is a power of two from 64 KB to 16 MB, at multiples of its size")
    if sum(region.size for region in regions) > _MOST_BYTES:
        raise cannot(board, "it has more than 16 MB of RAM", "the virtual chip has no more")
    for region in regions:
        for start in (region.start, *region.aliases):
            if region.size % _PAGE or start % _PAGE:
                raise cannot(board, f"{region} is not a multiple of 4 KB", "the virtual chip's RAM is")
            if start + region.size > _PERIPHERALS:
                raise cannot(board, f"{region} lies among peripherals", "RAM of the virtual chip lies below 0x40000000")
    return regions


def _gaps(windows: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """First and last address of each range without RAM."""
    gaps, at = [], 0
    for start, size, _ in sorted(windows):
        if start > at:
            gaps.append((at, start - 1))
        at = start + size
    return [*gaps, (at, _TOP - 1)]


def _system(board: BoardDescription) -> Memory:
    identity = board.chip.identity
    found = [memory for memory in board.chip.memory if memory.kind == "rom"]
    if len(found) != 1:
        raise cannot(board, f"{len(found)} regions are of the kind rom", "the virtual chip has one, with the unique id in it")
    rom = found[0]
    if not rom.start <= identity.uid_address <= rom.end - 12 or rom.size < _ROM_BYTES or rom.size % _ROM_BYTES or rom.start % _PAGE:
        raise cannot(board, f"its unique id at 0x{identity.uid_address:08X} is not in {rom}", "the virtual chip keeps it there")
    for at, size in ((identity.flash_kb_address, 2), *((at, size) for at, size, _ in identity.signature)):
        if not rom.start <= at <= rom.end - size:
            raise cannot(board, f"its signature at 0x{at:08X} is not in {rom}", "the virtual chip keeps it there")
    return rom


def _pin(name: str, pin: Pin) -> tuple[Row, Row]:
    return (f"{name}_PORT", f"{pin.port}u"), (f"{name}_PIN", f"{pin.number}u")
