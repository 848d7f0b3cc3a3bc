# SPDX-License-Identifier: Apache-2.0
"""Firmware files into the virtual chip's memory: ELF, Intel hex, or the plain bytes of flash.

What a file is decides its first bytes, not its name: ``\\x7fELF`` is an ELF, a colon begins Intel hex (Intel's "Hexadecimal Object File
Format Specification", revision A, record types 0 to 5), anything else is a binary image for the start of flash.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cm4tiny.boards.boards import default_board
from cm4tiny.boards.chips import ChipDescription
from cm4tiny.boards.virtual.loader import LoadedElf, check_place, check_vectors, elf_from_bytes
from cm4tiny.elf_files import read_image_file
from cm4tiny.errors import FirmwareError, WrongTargetError

_MAX_RECORDS = 360_000
"""All memory of the chip in records of eight bytes; programs write sixteen or more into one."""
_MAX_HEX_BYTES = 16 << 20
_HEX_ONLY = frozenset(b":0123456789ABCDEFabcdef\r\n \t\x1a")
_MAGIC = {
    b"MZ": "a program for Windows",
    b"PK": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"\xfd7zXZ": "an xz archive",
    b"S0": "a Motorola S-record file; convert it: arm-none-eabi-objcopy -I srec -O ihex",
    b"UFM": "a UF2 or DFU file",
    b"DfuSe": "a DfuSe file",
    b"!<arch>": "a library of object files",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself; run: git lfs pull",
}


def load_image(path: Path, chip: ChipDescription | None = None) -> LoadedElf:
    """Reads a firmware image for a chip; None: the default board's.

    Raises:
        FirmwareError: no file, nothing in it, a damaged hex file, overlapping records, no vector table.
        WrongTargetError: made for another chip.
        ImageTooLargeError: it does not fit into flash or RAM.
    """
    chip = chip or default_board().chip
    data = read_image_file(path)
    if not data:
        raise FirmwareError(f"{path} is empty", hint="get it again, or build it")
    if data.startswith(b"\x7fELF"):
        return elf_from_bytes(path, data, chip)
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            raise FirmwareError(f"{path} is not a firmware image", why=f"it is {kind}", hint="give an .elf, .bin or .hex file")
    segments = _hex_segments(path, data, chip) if data.lstrip().startswith(b":") else _binary_segments(path, data, chip)
    check_vectors(path, segments, chip)
    return LoadedElf(segments, (), chip)


def _binary_segments(path: Path, data: bytes, chip: ChipDescription) -> tuple[tuple[int, bytes], ...]:
    if all(byte in _HEX_ONLY or 0x20 <= byte < 0x7F for byte in data[:256]):
        raise FirmwareError(f"{path} is not a firmware image", why="it is text, and not Intel hex", hint="give an .elf, .bin or .hex file")
    check_place(path, chip.flash.start, len(data), chip)
    return ((chip.flash.start, data),)


class _Record(NamedTuple):
    line: int
    kind: int
    offset: int
    data: bytes


def _hex_records(path: Path, text: bytes) -> list[_Record]:
    records: list[_Record] = []
    if len(text) > _MAX_HEX_BYTES:
        raise FirmwareError(
            f"{path} is not a firmware image of this chip",
            why=f"it has {len(text)} bytes; all memory of the chip takes a hex file of 8 million",
            hint="get the file again, and compare its checksum",
        )
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip(b" \t\x1a")
        if not line:
            continue
        try:
            content = bytes.fromhex(line[1:].decode("ascii"))
        except ValueError:
            content = b""
        if len(records) > _MAX_RECORDS:
            raise _damaged(path, number, f"is more than the {_MAX_RECORDS} records that this chip has memory for")
        if not line.startswith(b":") or len(content) < 5 or len(content) != content[0] + 5:
            raise _damaged(path, number, "is not a record, or was cut off")
        if sum(content) & 0xFF:
            raise _damaged(path, number, f"has the checksum {content[-1]:02x} instead of {-sum(content[:-1]) & 0xFF:02x}")
        records.append(_Record(number, content[3], int.from_bytes(content[1:3], "big"), content[4:-1]))
        if content[3] == 1:
            return records
    raise FirmwareError(f"{path} is damaged", why="it has no end record", hint="get the file again: it was cut off")


def _damaged(path: Path, line: int, why: str) -> FirmwareError:
    return FirmwareError(f"{path} is damaged", why=f"line {line} {why}", hint="get the file again, and compare its checksum")


def _hex_segments(path: Path, text: bytes, chip: ChipDescription) -> tuple[tuple[int, bytes], ...]:
    base, pieces = 0, []
    for record in _hex_records(path, text):
        if record.kind == 0 and not record.data:
            continue
        if record.kind == 0:
            pieces.append((base + record.offset, record))
        elif record.kind in (2, 4) and len(record.data) == 2:
            base = int.from_bytes(record.data, "big") << (4 if record.kind == 2 else 16)
        elif record.kind not in (1, 3, 5):
            raise _damaged(path, record.line, f"is of type {record.kind}, which does not exist")
    pieces.sort(key=lambda piece: piece[0])
    segments: list[tuple[int, bytearray]] = []
    for address, record in pieces:
        end = segments[-1][0] + len(segments[-1][1]) if segments else -1
        if address < end:
            raise _damaged(path, record.line, f"writes to 0x{address:08x}, as another record does")
        if address == end:
            segments[-1][1].extend(record.data)
        else:
            segments.append((address, bytearray(record.data)))
    if not segments:
        raise FirmwareError(f"{path} has nothing to load", why="it has no data record", hint="build it again")
    return _placed(path, segments, chip)


def _placed(path: Path, segments: list[tuple[int, bytearray]], chip: ChipDescription) -> tuple[tuple[int, bytes], ...]:
    flash = chip.flash
    if 0 in flash.aliases and all(address + len(data) <= flash.size for address, data in segments):
        # linked for the boot alias; the same memory
        segments = [(address + flash.start, data) for address, data in segments]
    for address, data in segments:
        if 0x1FF0_0000 <= address < 0x2000_0000:
            raise WrongTargetError(
                f"{path} writes the option bytes or the system memory",
                why=f"a record goes to 0x{address:08x}",
                hint="make the hex file of the program alone",
            )
        check_place(path, address, len(data), chip)
    return tuple((address, bytes(data)) for address, data in segments)
