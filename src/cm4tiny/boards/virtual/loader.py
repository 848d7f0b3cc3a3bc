# SPDX-License-Identifier: Apache-2.0
"""ELF files into the virtual chip's memory: loadable segments by physical address, symbols for crash reports.

``p_paddr`` and not ``p_vaddr`` says where a programmer puts a segment; initialised data would be lost otherwise.
"""

from __future__ import annotations

import bisect
import struct
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from elftools.elf.elffile import ELFFile

from cm4tiny.boards.boards import default_board
from cm4tiny.boards.chips import ChipDescription
from cm4tiny.elf_files import check_core, damaged, open_elf, read_image_file
from cm4tiny.errors import Cm4TinyError, FirmwareError, ImageTooLargeError, WrongTargetError

MAX_REACH = 4096
"""Bytes that a function without a size has at most."""
_FUNCTION = 2
_NAME_BYTES = 1024
_FOUR_GIB = 1 << 32


@dataclass(frozen=True)
class FunctionSymbol:
    """A function.

    Attributes:
        address: where it starts.
        size: bytes, as the symbol table says; 0 if it does not say.
        reach: bytes in which an address is named after it: its size, or up to the next function if there is none; never beyond its section.
    """

    address: int
    size: int
    name: str
    reach: int = MAX_REACH


@dataclass(frozen=True)
class LoadedElf:
    """What goes into a chip's memory, and the functions by address."""

    segments: tuple[tuple[int, bytes], ...]
    functions: tuple[FunctionSymbol, ...]
    chip: ChipDescription = field(default_factory=lambda: default_board().chip, repr=False)

    def function_named(self, name: str) -> FunctionSymbol | None:
        """The function of this name in C or C++ (without arguments); None if there is none, as in a stripped image."""
        names = {name, f"_Z{len(name)}{name}v"} if name else set()
        return next((symbol for symbol in self.functions if symbol.name in names), None)

    def function_at(self, address: int) -> str | None:
        """``"name+0x12"`` of the function around an address, or None."""
        index = bisect.bisect_right(self.functions, address, key=lambda symbol: symbol.address) - 1
        if index < 0:
            return None
        symbol = self.functions[index]
        offset = address - symbol.address
        if offset >= min(symbol.size or MAX_REACH, symbol.reach):
            return None
        return f"{symbol.name}+0x{offset:x}" if offset else symbol.name


def _target(chip: ChipDescription) -> str:
    return f"an ELF for the {chip.name}: flash from 0x{chip.flash.start:08x}, RAM from 0x{chip.ram.start:08x}"


def load_elf(path: Path, chip: ChipDescription | None = None) -> LoadedElf:
    """Reads an ELF for a chip; None: the default board's.

    Raises:
        FirmwareError: no file, not an ELF, a damaged one, nothing to load, no vector table.
        WrongTargetError: not 32-bit little-endian Arm, built for another core or FPU, or linked for other addresses.
        ImageTooLargeError: a segment does not fit into flash or RAM.
    """
    return elf_from_bytes(path, read_image_file(path), chip or default_board().chip)


def elf_from_bytes(path: Path, data: bytes, chip: ChipDescription) -> LoadedElf:
    """The same for the contents of a file; ``path`` is for messages."""
    elf = open_elf(path, data)
    _check_machine(path, elf, chip)
    check_core(path, elf)
    try:
        segments = _segments(path, elf, chip)
        functions = _functions(elf)
    except Cm4TinyError:
        raise
    except Exception as error:  # pyelftools meets damaged files with any exception
        raise damaged(path, f"it cannot be read: {type(error).__name__} {error}") from error
    check_vectors(path, segments, chip)
    return LoadedElf(segments, functions, chip)


def _check_machine(path: Path, elf: ELFFile, chip: ChipDescription) -> None:
    header = elf.header
    if header["e_machine"] != "EM_ARM" or elf.elfclass != 32 or not elf.little_endian:
        order = "little" if elf.little_endian else "big"
        raise WrongTargetError(
            f"{path} is for another processor",
            why=f"machine {header['e_machine']}, {elf.elfclass} bits, {order} endian",
            hint=f"build it with arm-none-eabi-gcc -mcpu={chip.core.name}; this board takes {_target(chip)}",
        )


def _segments(path: Path, elf: ELFFile, chip: ChipDescription) -> tuple[tuple[int, bytes], ...]:
    segments = []
    for segment in elf.iter_segments():
        if segment["p_type"] != "PT_LOAD" or segment["p_filesz"] == 0:
            continue
        address, data = int(segment["p_paddr"]), bytes(segment.data())
        check_place(path, address, len(data), chip)
        segments.append((address, data))
    segments.sort(key=lambda entry: entry[0])
    for (first, data), (second, _) in pairwise(segments):
        if second < first + len(data):
            raise damaged(path, f"two segments overlap at 0x{second:08x}")
    if not segments:
        raise FirmwareError(f"{path} has nothing to load", why="it has no loadable segment", hint="link it; an object file will not do")
    return tuple(segments)


def check_place(path: Path, address: int, size: int, chip: ChipDescription) -> None:
    """Raises if so many bytes do not belong into a chip's memory at this address."""
    for memory in (chip.flash, chip.ram):
        if address in memory:
            if address + size > memory.end:
                raise ImageTooLargeError(
                    f"{path} does not fit into {memory.name}",
                    why=f"a segment of {size} bytes at 0x{address:08x}; {memory.name} ends at 0x{memory.end:08x}",
                    hint="use a smaller model or let the linker remove unused sections",
                )
            return
    raise WrongTargetError(
        f"{path} is linked for another chip",
        why=f"a segment goes to 0x{address:08x}, where an {chip.name} has neither flash nor RAM",
        hint=f"link it for the {chip.name}; this board takes {_target(chip)}",
    )


def check_vectors(path: Path, segments: tuple[tuple[int, bytes], ...], chip: ChipDescription) -> None:
    """Raises if flash does not begin with a stack pointer in RAM and a reset vector in flash."""
    flash = chip.flash
    for address, data in segments:
        if address == flash.start and len(data) >= 8:
            stack, start = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:8], "little")
            if _lies_in(chip, "flash", start) and _lies_in(chip, "ram", stack - 1) and start & 1:
                return
            raise WrongTargetError(
                f"{path} has no vector table of this chip",
                why=f"the words at 0x{flash.start:08x} are 0x{stack:08x} (initial stack pointer) and 0x{start:08x} (reset vector)",
                hint="put the vector table first: initial stack pointer in RAM, reset vector in flash with bit 0 set",
            )
    raise FirmwareError(
        f"{path} has no vector table",
        why=f"no segment starts at 0x{flash.start:08x}",
        hint="link the vector table to the start of flash",
    )


def _lies_in(chip: ChipDescription, kind: str, address: int) -> bool:
    """Whether memory of a kind is at an address, at an alias of it included."""
    places = ((start, memory.size) for memory in chip.memory if memory.kind == kind for start in (memory.start, *memory.aliases))
    return any(start <= address < start + size for start, size in places)


def _functions(elf: ELFFile) -> tuple[FunctionSymbol, ...]:
    found: dict[int, tuple[int, str, int]] = {}
    sections = [(int(section["sh_addr"]), int(section["sh_size"])) for section in elf.iter_sections()]
    for section in elf.iter_sections():
        if section["sh_type"] != "SHT_SYMTAB":
            continue
        names = elf.get_section(section["sh_link"]).data()
        for name, value, size, info, _, index in struct.iter_unpack("<IIIBBH", section.data()):
            address = value & ~1
            if info & 15 == _FUNCTION and name < len(names) and names[name] and (size or address not in found):
                text = names[name : name + _NAME_BYTES].partition(b"\0")[0].decode("utf-8", "replace")
                start, length = sections[index] if 0 < index < len(sections) else (address, _FOUR_GIB)
                found[address] = size, text, max(0, start + length - address)
    rows = sorted(found.items())
    ends = [*(address for address, _ in rows[1:]), _FOUR_GIB]
    return tuple(
        FunctionSymbol(address, size, name, min(room, size or min(MAX_REACH, end - address)))
        for (address, (size, name, room)), end in zip(rows, ends, strict=False)
    )
