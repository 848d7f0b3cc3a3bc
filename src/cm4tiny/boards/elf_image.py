# SPDX-License-Identifier: Apache-2.0
"""Reads an ELF image and checks that a chip can run it.

Facts: the ELF specification, "ELF for the Arm Architecture" (e_flags, build attributes: "Addenda to, and Errata in, the ABI"), the ARMv7-M
Architecture Reference Manual B1.5 (vector table, reset); the chip's memory is that of its description.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.sections import SymbolTableSection

from cm4tiny.boards.boards import default_board
from cm4tiny.boards.chips import ChipDescription
from cm4tiny.elf_files import check_core, open_elf, read_image_file
from cm4tiny.errors import FirmwareError, ImageTooLargeError, WrongTargetError

_EF_ARM_ABI_FLOAT_HARD = 0x400


def _rebuild(chip: ChipDescription) -> str:
    return f"build the image for the {chip.name}"


@dataclass(frozen=True)
class Segment:
    """A loadable part: ``data`` is placed at ``address`` (physical), runs at ``run_address``, and occupies ``size`` bytes there."""

    address: int
    run_address: int
    data: bytes = field(repr=False)
    size: int


@dataclass(frozen=True)
class Section:
    """A named part of memory that is occupied at run time."""

    name: str
    address: int
    size: int


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
    chip: ChipDescription
    entry: int
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    symbols: dict[str, Symbol] = field(repr=False)
    attributes: dict[str, int | str]
    hard_float: bool
    vector_table: tuple[int, int] | None
    """Initial stack pointer, and the reset vector with its Thumb bit."""

    @property
    def stack_bytes(self) -> int:
        """Room that the linker script reserves for the stack."""
        return sum(section.size for section in self.sections if section.name == ".stack")

    @property
    def flash_bytes(self) -> int:
        """Bytes stored in flash, initial values of RAM data included."""
        return sum(len(segment.data) for segment in self.segments if segment.address in self.chip.flash)

    @property
    def ram_bytes(self) -> int:
        """Bytes of static data in RAM, without the stack."""
        ram = self.chip.ram
        return sum(section.size for section in self.sections if section.address in ram and section.name != ".stack")


def read_elf(path: Path, *, chip: ChipDescription | None = None, check_vectors: bool = True) -> Image:
    """Reads and checks an ELF file.

    Args:
        chip: that is to run it; None: the default board's.

    Raises:
        FirmwareError: not an ELF file, truncated, not an executable.
        WrongTargetError: made for another processor, or placed where this chip has no memory.
        ImageTooLargeError: starts inside flash or RAM and runs out of it.
    """
    chip = chip or default_board().chip
    try:
        return _read(path, chip, open_elf(path, read_image_file(path)), check_vectors)
    except FirmwareError:
        raise
    except (ELFError, ValueError, KeyError, IndexError, AttributeError, TypeError, AssertionError, UnicodeDecodeError) as error:
        # pyelftools meets damaged files with any of these
        why = str(error) or type(error).__name__
        raise FirmwareError(f"{path} is a damaged ELF file", why=why, hint=_rebuild(chip)) from error


def _read(path: Path, chip: ChipDescription, elf: Any, check_vectors: bool) -> Image:
    _check_machine(path, chip, elf)
    check_core(path, elf)
    segments = _segments(path, chip, elf)
    attributes = _attributes(elf)
    _check_attributes(path, chip, attributes)
    for segment in segments:
        _check_place(path, chip, segment.address, len(segment.data))
        _check_place(path, chip, segment.run_address, segment.size)
    image = Image(
        path=path,
        chip=chip,
        entry=elf.header["e_entry"],
        segments=segments,
        sections=_sections(elf),
        symbols=_symbols(elf),
        attributes=attributes,
        hard_float=bool(elf.header["e_flags"] & _EF_ARM_ABI_FLOAT_HARD) or attributes.get("TAG_ABI_VFP_ARGS") == 1,
        vector_table=_vector_table(chip, segments),
    )
    if check_vectors:
        _check_vectors(image)
    return image


def _check_machine(path: Path, chip: ChipDescription, elf: Any) -> None:
    machine = elf.header["e_machine"]
    if machine != "EM_ARM" or elf.elfclass != 32 or not elf.little_endian:
        raise WrongTargetError(
            f"{path} is not a 32-bit little-endian Arm program",
            why=f"its header says {elf.get_machine_arch()}, {elf.elfclass} bits, {'little' if elf.little_endian else 'big'}-endian",
            hint=_rebuild(chip),
        )
    if elf.header["e_type"] != "ET_EXEC":
        raise FirmwareError(f"{path} is not a linked program", why=f"its ELF type is {elf.header['e_type']}", hint="link it first")


def _segments(path: Path, chip: ChipDescription, elf: Any) -> tuple[Segment, ...]:
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
        raise FirmwareError(f"{path} holds nothing to load", why="it has no segment with contents", hint=_rebuild(chip))
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


def _check_attributes(path: Path, chip: ChipDescription, attributes: dict[str, int | str]) -> None:
    """The profile is 'M' for microcontrollers; an image without attributes is judged by its vector table alone."""
    profile = attributes.get("TAG_CPU_ARCH_PROFILE")
    if profile is not None and profile not in (ord("M"), 0):
        letter = chr(profile) if isinstance(profile, int) else profile
        raise WrongTargetError(
            f"{path} is made for an Arm core of profile '{letter}'",
            why="the Cortex-M4 runs Thumb code of profile 'M' only",
            hint=_rebuild(chip),
        )
    if attributes and not attributes.get("TAG_THUMB_ISA_USE", 1):
        raise WrongTargetError(f"{path} holds no Thumb code", why="the Cortex-M4 runs Thumb code only", hint=_rebuild(chip))


def _check_place(path: Path, chip: ChipDescription, address: int, size: int) -> None:
    for region in (chip.flash, chip.ram):
        if address in region:
            if address + size > region.end:
                raise ImageTooLargeError(
                    f"{path} is {address + size - region.end} bytes too large for {region.name}",
                    why=chip.map_text,
                    hint="use a smaller model",
                )
            return
    if size:
        raise WrongTargetError(
            f"{path} puts {size} bytes at 0x{address:08X}, where the chip has no memory", why=chip.map_text, hint=_rebuild(chip)
        )


def _vector_table(chip: ChipDescription, segments: tuple[Segment, ...]) -> tuple[int, int] | None:
    for segment in segments:
        if segment.address == chip.flash.start and len(segment.data) >= 8:
            return int.from_bytes(segment.data[0:4], "little"), int.from_bytes(segment.data[4:8], "little")
    return None


def _check_vectors(image: Image) -> None:
    chip = image.chip
    ram = chip.ram
    if image.vector_table is None:
        raise WrongTargetError(
            f"{image.path} has no vector table at 0x{chip.flash.start:08X}",
            why="the core reads its stack pointer and reset address from there",
            hint=_rebuild(chip),
        )
    stack, reset = image.vector_table
    if not (ram.start < stack <= ram.end) or stack % 4:
        raise WrongTargetError(f"{image.path} sets the stack pointer to 0x{stack:08X}", why=chip.map_text, hint=_rebuild(chip))
    if not reset & 1:
        raise WrongTargetError(f"{image.path} starts at 0x{reset:08X}", why="a Thumb address is odd", hint=_rebuild(chip))
    target = reset & ~1
    if not any(s.run_address <= target < s.run_address + len(s.data) for s in image.segments):
        raise WrongTargetError(f"{image.path} starts at 0x{reset:08X}, where it has no code", why=chip.map_text, hint=_rebuild(chip))


def _sections(elf: Any) -> tuple[Section, ...]:
    allocated = 0x2  # SHF_ALLOC
    return tuple(
        Section(section.name, section["sh_addr"], section["sh_size"])
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
