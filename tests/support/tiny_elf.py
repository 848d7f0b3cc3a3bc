# SPDX-License-Identifier: Apache-2.0
"""Writes small ELF files by hand (ELF specification; "ELF for the Arm Architecture"), so that image checks need no compiler."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

EM_ARM, EM_386 = 40, 3
ET_REL, ET_EXEC = 1, 2
HARD_FLOAT = 0x05000400
SOFT_FLOAT = 0x05000200
FLASH, RAM = 0x08000000, 0x20000000
VECTORS = struct.pack("<II", RAM + 640 * 1024, FLASH + 9) + b"\xfe\xe7" * 4  # stack, reset, "b ." a few times


@dataclass(frozen=True)
class Load:
    """One PT_LOAD entry: contents, where they are stored, where they run, size in memory (default: that of the contents)."""

    data: bytes
    address: int
    run_address: int | None = None
    size: int | None = None


def attributes(profile: str = "M", thumb: int = 2, vfp_args: int = 1) -> bytes:
    """Contents of ``.ARM.attributes``: CPU_arch v7E-M, its profile, Thumb use and the float calling convention."""
    return numbered({6: 13, 7: ord(profile), 9: thumb, 28: vfp_args})


def numbered(numbers: Mapping[int, int]) -> bytes:
    """Contents of ``.ARM.attributes``: numbers below 128 by tag."""
    tags = bytes(part for entry in numbers.items() for part in entry)
    file_part = b"\x01" + struct.pack("<I", 5 + len(tags)) + tags
    vendor = b"aeabi\0"
    return b"A" + struct.pack("<I", 4 + len(vendor) + len(file_part)) + vendor + file_part


def tiny_elf(
    *loads: Load, machine: int = EM_ARM, kind: int = ET_EXEC, flags: int = HARD_FLOAT, marks: bytes | None = None, endian: int = 1
) -> bytes:
    """An ELF file of the given segments; default: one segment with a right vector table. ``marks`` is an attributes section."""
    loads = loads or (Load(VECTORS, FLASH),)
    names = b"\0.shstrtab\0.ARM.attributes\0"
    offset = 52 + 32 * len(loads)
    headers, body = b"", b""
    for load in loads:
        run = load.address if load.run_address is None else load.run_address
        size = len(load.data) if load.size is None else load.size
        headers += struct.pack("<IIIIIIII", 1, offset + len(body), run, load.address, len(load.data), size, 7, 4)
        body += load.data
    sections = [bytes(40), _section(1, 3, offset + len(body), len(names))]
    body += names
    if marks is not None:
        sections.append(_section(11, 0x70000003, offset + len(body), len(marks)))
        body += marks
    identity = b"\x7fELF" + bytes([1, endian, 1]) + bytes(9)
    order = "<" if endian == 1 else ">"
    header = struct.pack(
        order + "HHIIIIIHHHHHH", kind, machine, 1, FLASH + 9, 52, offset + len(body), flags, 52, 32, len(loads), 40, len(sections), 1
    )
    return identity + header + headers + body + b"".join(sections)


def _section(name: int, kind: int, offset: int, size: int) -> bytes:
    return struct.pack("<IIIIIIIIII", name, kind, 0, 0, offset, size, 0, 0, 1, 0)


def add_symbols(elf: bytes, *symbols: tuple[str, int, int, int], sections: tuple[tuple[int, int], ...] = ((FLASH, 0x10000),)) -> bytes:
    """An ELF of ``tiny_elf`` with other sections (address, size) and functions (name, address, size, section from 1)."""
    names, rows, at = b"\0" + b"".join(name.encode() + b"\0" for name, *_ in symbols), bytes(16), 1
    for name, address, size, section in symbols:
        rows += struct.pack("<IIIBBH", at, address, size, 0x12, 0, section)
        at += len(name) + 1
    count = len(sections) + 3
    place = len(elf) + 40 * count
    table = bytes(40)
    for address, size in sections:
        table += struct.pack("<10I", 0, 8, 6, address, 0, size, 0, 0, 4, 0)
    table += struct.pack("<10I", 0, 2, 0, 0, place, len(rows), count - 1, 0, 4, 16)
    table += struct.pack("<10I", 0, 3, 0, 0, place + len(rows), len(names), 0, 0, 1, 0)
    data = bytearray(elf)
    struct.pack_into("<I", data, 32, len(elf))
    struct.pack_into("<HH", data, 48, count, count - 1)
    return bytes(data) + table + rows + names
