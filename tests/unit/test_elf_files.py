# SPDX-License-Identifier: Apache-2.0
"""ELF and hex files that lie about their sizes: an error at once, never a MemoryError, never a long wait."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.tiny_elf import FLASH, VECTORS, Load, attributes, numbered, tiny_elf

from cm4tiny.boards.elf_image import read_elf
from cm4tiny.boards.virtual.image_files import load_image
from cm4tiny.elf_files import build_attributes
from cm4tiny.errors import FirmwareError, WrongTargetError


def patched(offset: int, value: int, form: str = "<I", marks: bytes | None = None) -> bytes:
    data = bytearray(tiny_elf(Load(VECTORS, FLASH), marks=marks))
    struct.pack_into(form, data, offset, value)
    return bytes(data)


def symbols(count: int, entry: int = 16, names: bytes = b"\0x\0") -> bytes:
    """An ELF with a symbol table of that many functions."""
    data = bytearray(tiny_elf(Load(VECTORS, FLASH)))
    table = len(data)
    data += struct.pack("<IIIBBH", 1, FLASH + 9, 4, 2, 0, 1) * count
    strings = len(data)
    data += names
    section = struct.unpack_from("<I", data, 32)[0]
    headers = bytes(data[section : section + 80])
    struct.pack_into("<I", data, 32, len(data))
    struct.pack_into("<H", data, 48, 4)
    data += headers + struct.pack("<10I", 0, 2, 0, 0, table, 16 * count, 3, 0, 4, entry)
    data += struct.pack("<10I", 0, 3, 0, 0, strings, len(names), 0, 0, 1, 0)
    return bytes(data)


PROGRAM, SECTIONS = 52, 52 + 32 + len(VECTORS) + 27
HOSTILE_ELFS: dict[str, Callable[[], bytes]] = {
    "a segment of 4 GB": lambda: patched(PROGRAM + 16, 0xFFFFFFFF),
    "a segment beyond the file": lambda: patched(PROGRAM + 4, 0x7FFFFFFF),
    "65535 segments": lambda: patched(44, 0xFFFF, "<H"),
    "program headers of no size": lambda: patched(42, 0, "<H"),
    "program headers beyond the file": lambda: patched(28, 0xFFFFFFF0),
    "65535 sections": lambda: patched(48, 0xFFFF, "<H"),
    "section headers of no size": lambda: patched(46, 0, "<H"),
    "section headers beyond the file": lambda: patched(32, 0xFFFFFFF0),
    "segments that overlap": lambda: tiny_elf(Load(VECTORS + bytes(64), FLASH), Load(bytes(64), FLASH + 32)),
    "symbols of no size": lambda: symbols(4, entry=0),
    "a million symbols": lambda: symbols(1_000_000),
    "attributes of no length": lambda: tiny_elf(marks=b"A" + bytes(64)),
    "attributes of 4 GB": lambda: tiny_elf(marks=b"A\xff\xff\xff\xffaeabi\0\x01" + bytes(32)),
    "attributes with an endless number": lambda: tiny_elf(
        marks=b"A" + struct.pack("<I", 40) + b"aeabi\0\x01" + struct.pack("<I", 30) + b"\xff" * 25),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_ELFS)
@pytest.mark.parametrize("read", [load_image, read_elf])
def test_an_elf_that_lies_about_a_size_is_refused_at_once(tmp_path: Path, read: Callable[[Path], object], name: str) -> None:
    path = tmp_path / "image.elf"
    path.write_bytes(HOSTILE_ELFS[name]())
    began = time.process_time()
    if name == "segments that overlap" and read is read_elf:
        read(path)  # only a loader minds
        return
    with pytest.raises(FirmwareError, match=r"damaged|truncated") as caught:
        read(path)
    assert caught.value.why and caught.value.hint
    assert time.process_time() - began < 2  # a second, on a loaded machine


def test_sixty_thousand_symbols_with_names_that_do_not_end_are_read_in_linear_time(tmp_path: Path) -> None:
    path = tmp_path / "image.elf"
    path.write_bytes(symbols(60_000, names=b"\0" + b"x" * 1_000_000))
    began = time.process_time()
    assert [symbol.name for symbol in load_image(path).functions] == ["x" * 1024]
    assert time.process_time() - began < 2


def tagged(**tags: int) -> bytes:
    """An attributes section: the CPU's architecture (6), profile (7), FPU (10)."""
    return numbered({{"arch": 6, "profile": 7, "fpu": 10}[name]: value for name, value in tags.items()})


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        (tagged(arch=16, profile=ord("M")), "Armv8-M Baseline"),
        (tagged(arch=17, profile=ord("M")), "Armv8-M Mainline"),
        (tagged(arch=21, profile=ord("M")), "Armv8.1-M"),
        (tagged(arch=10, profile=ord("A")), "profile 'A'"),
        (tagged(arch=10, profile=ord("R")), "profile 'R'"),
        (tagged(arch=5), "Armv5TEJ"),
        (tagged(arch=13, profile=ord("M"), fpu=8), "FPv5"),
        (tagged(arch=13, profile=ord("M"), fpu=7), "FPv5"),
    ],
)
@pytest.mark.parametrize("read", [load_image, read_elf])
def test_a_program_for_another_core_or_fpu_is_refused_by_its_name(
    tmp_path: Path, read: Callable[[Path], object], marks: bytes, said: str
) -> None:
    path = tmp_path / "image.elf"
    path.write_bytes(tiny_elf(marks=marks))
    with pytest.raises(WrongTargetError, match=said) as caught:
        read(path)
    assert "\narm-none-eabi-gcc -mcpu=cortex-m4" in caught.value.hint  # the command stands on a line of its own


@pytest.mark.parametrize(
    "marks", [attributes(), tagged(arch=11, profile=ord("M")), tagged(arch=10, profile=ord("M")), tagged(arch=13, fpu=6)]
)
def test_a_program_for_this_core_or_a_smaller_one_is_taken(tmp_path: Path, marks: bytes) -> None:
    path = tmp_path / "image.elf"
    path.write_bytes(tiny_elf(marks=marks))
    assert load_image(path).segments == ((FLASH, VECTORS),)


def test_attributes_with_texts_are_read_around_them() -> None:
    body = b"\x057E-M\0" + bytes([6, 13]) + bytes([32, 1]) + b"vendor\0" + bytes([67]) + b"2.09\0" + bytes([10, 6])
    part = b"\x01" + struct.pack("<I", 5 + len(body)) + body
    data = b"A" + struct.pack("<I", 4 + 6 + len(part)) + b"aeabi\0" + part
    assert build_attributes(data) == {6: 13, 10: 6}


# --- hex, and what is not a file ----------------------------------------------------------------------------------------------------------


def record(address: int, kind: int, data: bytes) -> bytes:
    content = bytes([len(data)]) + struct.pack(">H", address) + bytes([kind]) + data
    return b":" + content.hex().encode() + b"%02x\n" % (-sum(content) & 0xFF)


END = b":00000001ff\n"
HOSTILE_HEX: dict[str, Callable[[], bytes]] = {
    "empty records": lambda: record(0, 0, b"") * 400_000 + END,
    "records of one byte": lambda: record(0, 0, b"x") * 400_000 + END,
    "a line of 20 MB": lambda: b":" + b"00" * 10_000_000,
    "empty lines": lambda: b":" + b"\n" * 20_000_000,
    "short lines": lambda: b":\n" * 8_000_000,
}


@pytest.mark.parametrize("name", HOSTILE_HEX)
def test_a_hex_file_of_nothing_is_refused_in_a_second(tmp_path: Path, name: str) -> None:
    path = tmp_path / "image.hex"
    path.write_bytes(HOSTILE_HEX[name]())
    began = time.process_time()
    with pytest.raises(FirmwareError) as caught:
        load_image(path)
    assert caught.value.why and caught.value.hint
    assert time.process_time() - began < 3  # a second, on a loaded machine


def test_empty_records_among_others_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "image.hex"
    path.write_bytes(record(0, 4, b"\x08\x00") + record(0, 0, VECTORS) + record(0x4000, 0, b"") + END)
    assert load_image(path).segments == ((FLASH, VECTORS),)


def test_a_file_that_never_ends_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match="not a regular file"):
        load_image(Path("/dev/zero"))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FirmwareError, match="not a regular file"):
        load_image(pipe)
    huge = tmp_path / "huge.bin"
    with huge.open("wb") as file:
        file.truncate(1 << 36)
    with pytest.raises(FirmwareError, match="not a firmware image"):
        load_image(huge)
