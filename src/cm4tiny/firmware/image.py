# SPDX-License-Identifier: Apache-2.0
"""Reads an ELF image and checks that the STM32L4R5 can run it.

Facts: the ELF specification, "ELF for the Arm Architecture" (e_flags, build attributes: "Addenda to, and Errata in, the ABI"), the ARMv7-M
Architecture Reference Manual B1.5 (vector table, reset), RM0432 "Memory organization" (2 MB flash, 640 KB SRAM).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.sections import SymbolTableSection

from cm4tiny.elf_files import check_core, open_elf, read_image_file
from cm4tiny.errors import FirmwareError, ImageTooLargeError, WrongTargetError

_EF_ARM_ABI_FLOAT_HARD = 0x400
_HINT_REBUILD = "build the image for the NUCLEO-L4R5ZI"


@dataclass(frozen=True)
class Region:
    """A range of memory of the chip."""

    name: str
    start: int
    size: int

    @property
    def end(self) -> int:
        """First address behind it."""
        return self.start + self.size

    def __contains__(self, address: int) -> bool:
        return self.start <= address < self.end

    def __str__(self) -> str:
        return f"{self.name} 0x{self.start:08X}..0x{self.end - 1:08X} ({self.size // 1024} KB)"


FLASH = Region("flash", 0x08000000, 2048 * 1024)
RAM = Region("RAM", 0x20000000, 640 * 1024)
MEMORY_MAP = (FLASH, RAM)
"""What the STM32L4R5ZI offers to a program."""

_MAP_TEXT = f"the STM32L4R5ZI has {FLASH} and {RAM}"


@dataclass(frozen=True)
class Segment:
    """A loadable part: ``data`` is placed at ``address`` (physical), runs at ``run_address``, and occupies ``size`` bytes there."""

    address: int
    run_address: int
    data: bytes = field(repr=False)
    size: int


@dataclass(frozen=True)
class Section:
    """A named part of memory that is occupied at run time; ``in_file`` is False for zero-initialised data."""

    name: str
    address: int
    size: int
    in_file: bool


@dataclass(frozen=True)
class Symbol:
    """A named address; ``size`` in bytes, 0 if unknown; functions have the Thumb bit cleared."""

    name: str
    address: int
    size: int
    kind: str


@dataclass(frozen=True)
class Image:
    """An executable as read from its file."""

    path: Path
    entry: int
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    symbols: dict[str, Symbol] = field(repr=False)
    attributes: dict[str, int | str]
    hard_float: bool
    vector_table: tuple[int, int] | None

    @property
    def stack_pointer(self) -> int:
        """Initial stack pointer, the first word of the vector table."""
        return self.vector_table[0] if self.vector_table else 0

    @property
    def reset_address(self) -> int:
        """Reset vector with its Thumb bit, the second word of the vector table."""
        return self.vector_table[1] if self.vector_table else 0

    @property
    def stack_bytes(self) -> int:
        """Room that the linker script reserves for the stack."""
        return sum(section.size for section in self.sections if section.name == ".stack")

    @property
    def flash_bytes(self) -> int:
        """Bytes stored in flash, initial values of RAM data included."""
        return sum(len(segment.data) for segment in self.segments if segment.address in FLASH)

    @property
    def ram_bytes(self) -> int:
        """Bytes of static data in RAM, without the stack."""
        return sum(section.size for section in self.sections if section.address in RAM and section.name != ".stack")


def read_elf(path: Path, *, check_vectors: bool = True) -> Image:
    """Reads and checks an ELF file.

    Raises:
        FirmwareError: not an ELF file, truncated, not an executable.
        WrongTargetError: made for another processor, or placed where this chip has no memory.
        ImageTooLargeError: starts inside flash or RAM and runs out of it.
    """
    try:
        return _read(path, open_elf(path, read_image_file(path)), check_vectors)
    except FirmwareError:
        raise
    except (ELFError, ValueError, KeyError, IndexError, AttributeError, TypeError, AssertionError, UnicodeDecodeError) as error:
        # pyelftools meets damaged files with any of these
        why = str(error) or type(error).__name__
        raise FirmwareError(f"{path} is a damaged ELF file", why=why, hint=_HINT_REBUILD) from error


def _read(path: Path, elf: Any, check_vectors: bool) -> Image:
    _check_machine(path, elf)
    check_core(path, elf)
    segments = _segments(path, elf)
    attributes = _attributes(elf)
    _check_attributes(path, attributes)
    for segment in segments:
        _check_place(path, segment.address, len(segment.data))
        _check_place(path, segment.run_address, segment.size)
    image = Image(
        path=path,
        entry=elf.header["e_entry"],
        segments=segments,
        sections=_sections(elf),
        symbols=_symbols(elf),
        attributes=attributes,
        hard_float=bool(elf.header["e_flags"] & _EF_ARM_ABI_FLOAT_HARD) or attributes.get("TAG_ABI_VFP_ARGS") == 1,
        vector_table=_vector_table(segments),
    )
    if check_vectors:
        _check_vectors(image)
    return image


def _check_machine(path: Path, elf: Any) -> None:
    machine = elf.header["e_machine"]
    if machine != "EM_ARM" or elf.elfclass != 32 or not elf.little_endian:
        raise WrongTargetError(
            f"{path} is not a 32-bit little-endian Arm program",
            why=f"its header says {elf.get_machine_arch()}, {elf.elfclass} bits, {'little' if elf.little_endian else 'big'}-endian",
            hint=_HINT_REBUILD,
        )
    if elf.header["e_type"] != "ET_EXEC":
        raise FirmwareError(f"{path} is not a linked program", why=f"its ELF type is {elf.header['e_type']}", hint="link it first")


def _segments(path: Path, elf: Any) -> tuple[Segment, ...]:
    found = []
    for segment in elf.iter_segments():
        if segment["p_type"] != "PT_LOAD" or segment["p_memsz"] == 0:
            continue
        data = segment.data() if segment["p_filesz"] else b""
        if len(data) != segment["p_filesz"]:
            raise FirmwareError(
                f"{path} is truncated",
                why=f"the segment at 0x{segment['p_paddr']:08X} has {len(data)} of {segment['p_filesz']} bytes",
                hint="copy or build the file again",
            )
        # Without file contents nothing is placed, so the load address of such a segment means nothing.
        address = segment["p_paddr"] if data else segment["p_vaddr"]
        found.append(Segment(address, segment["p_vaddr"], data, segment["p_memsz"]))
    if not any(segment.data for segment in found):
        raise FirmwareError(f"{path} holds nothing to load", why="it has no segment with contents", hint=_HINT_REBUILD)
    return tuple(sorted(found, key=lambda segment: segment.address))


def _attributes(elf: Any) -> dict[str, int | str]:
    section = elf.get_section_by_name(".ARM.attributes")
    found: dict[str, int | str] = {}
    if section is None:
        return found
    for subsection in section.iter_subsections():
        for part in subsection.iter_subsubsections():
            for attribute in part.iter_attributes():
                if isinstance(attribute.value, (int, str)):
                    found[attribute.tag] = attribute.value
    return found


def _check_attributes(path: Path, attributes: dict[str, int | str]) -> None:
    """The profile is 'M' for microcontrollers; an image without attributes is judged by its vector table alone."""
    profile = attributes.get("TAG_CPU_ARCH_PROFILE")
    if profile is not None and profile not in (ord("M"), 0):
        letter = chr(profile) if isinstance(profile, int) else profile
        raise WrongTargetError(
            f"{path} is made for an Arm core of profile '{letter}'",
            why="the Cortex-M4 runs Thumb code of profile 'M' only",
            hint=_HINT_REBUILD,
        )
    if attributes and not attributes.get("TAG_THUMB_ISA_USE", 1):
        raise WrongTargetError(f"{path} holds no Thumb code", why="the Cortex-M4 runs Thumb code only", hint=_HINT_REBUILD)


def _check_place(path: Path, address: int, size: int) -> None:
    for region in MEMORY_MAP:
        if address in region:
            if address + size > region.end:
                raise ImageTooLargeError(
                    f"{path} is {address + size - region.end} bytes too large for {region.name}",
                    why=_MAP_TEXT,
                    hint="use a smaller model",
                )
            return
    if size:
        raise WrongTargetError(
            f"{path} puts {size} bytes at 0x{address:08X}, where the chip has no memory", why=_MAP_TEXT, hint=_HINT_REBUILD
        )


def _vector_table(segments: tuple[Segment, ...]) -> tuple[int, int] | None:
    for segment in segments:
        if segment.address == FLASH.start and len(segment.data) >= 8:
            return int.from_bytes(segment.data[0:4], "little"), int.from_bytes(segment.data[4:8], "little")
    return None


def _check_vectors(image: Image) -> None:
    if image.vector_table is None:
        raise WrongTargetError(
            f"{image.path} has no vector table at 0x{FLASH.start:08X}",
            why="the core reads its stack pointer and reset address from there",
            hint=_HINT_REBUILD,
        )
    stack, reset = image.vector_table
    if not (RAM.start < stack <= RAM.end) or stack % 4:
        raise WrongTargetError(f"{image.path} sets the stack pointer to 0x{stack:08X}", why=_MAP_TEXT, hint=_HINT_REBUILD)
    if not reset & 1:
        raise WrongTargetError(f"{image.path} starts at 0x{reset:08X}", why="a Thumb address is odd", hint=_HINT_REBUILD)
    target = reset & ~1
    if not any(s.run_address <= target < s.run_address + len(s.data) for s in image.segments):
        raise WrongTargetError(f"{image.path} starts at 0x{reset:08X}, where it has no code", why=_MAP_TEXT, hint=_HINT_REBUILD)


def _sections(elf: Any) -> tuple[Section, ...]:
    allocated = 0x2  # SHF_ALLOC
    return tuple(
        Section(section.name, section["sh_addr"], section["sh_size"], section["sh_type"] != "SHT_NOBITS")
        for section in elf.iter_sections()
        if section["sh_flags"] & allocated and section["sh_size"]
    )


def _symbols(elf: Any) -> dict[str, Symbol]:
    found: dict[str, Symbol] = {}
    for table in elf.iter_sections():
        if not isinstance(table, SymbolTableSection):
            continue
        for symbol in table.iter_symbols():
            kind = symbol["st_info"]["type"]
            if symbol.name and not symbol.name.startswith("$") and symbol["st_shndx"] != "SHN_UNDEF" and kind in _KINDS:
                address = symbol["st_value"]
                found[symbol.name] = Symbol(symbol.name, address & ~1 if kind == "STT_FUNC" else address, symbol["st_size"], _KINDS[kind])
    return found


_KINDS = {"STT_FUNC": "function", "STT_OBJECT": "object", "STT_NOTYPE": "label"}
