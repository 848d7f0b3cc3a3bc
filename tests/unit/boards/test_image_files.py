# SPDX-License-Identifier: Apache-2.0
"""Firmware files of all kinds: what is loaded, and what is refused and why."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tiny_elf import FLASH, RAM, VECTORS, Load, tiny_elf

from cm4tiny.boards.virtual.image_files import load_image
from cm4tiny.errors import FirmwareError, ImageTooLargeError, WrongTargetError


def record(kind: int, offset: int, data: bytes) -> str:
    content = bytes([len(data)]) + offset.to_bytes(2, "big") + bytes([kind]) + data
    return f":{content.hex().upper()}{-sum(content) & 0xFF:02X}"


END = record(1, 0, b"")


def hex_file(*pieces: tuple[int, bytes]) -> str:
    lines = []
    for address, data in pieces:
        lines += [record(4, 0, (address >> 16).to_bytes(2, "big")), record(0, address & 0xFFFF, data)]
    return "\n".join([*lines, END, ""])


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    def put(content: str | bytes, name: str = "image.hex") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


def test_a_binary_image_goes_to_the_start_of_flash(write) -> None:  # type: ignore[no-untyped-def]
    data = VECTORS + bytes(range(100))
    assert load_image(write(data, "image.bin")).segments == ((FLASH, data),)


def test_an_elf_is_an_elf_whatever_its_name(write) -> None:  # type: ignore[no-untyped-def]
    assert load_image(write(tiny_elf(Load(VECTORS, FLASH)), "image.bin")).segments == ((FLASH, VECTORS),)


def test_hex_records_are_put_together_by_address(write) -> None:  # type: ignore[no-untyped-def]
    text = hex_file((FLASH + len(VECTORS), b"later"), (FLASH, VECTORS), (FLASH + 0x2_0000, b"far"))
    assert load_image(write(text)).segments == ((FLASH, VECTORS + b"later"), (FLASH + 0x2_0000, b"far"))


def test_hex_with_segment_addresses_and_an_entry_point_is_understood(write) -> None:  # type: ignore[no-untyped-def]
    text = "\n".join([record(2, 0, b"\x00\x00"), record(0, 0, VECTORS), record(3, 0, bytes(4)), record(5, 0, bytes(4)), END])
    assert load_image(write(text)).segments == ((FLASH, VECTORS),)  # linked for the boot alias at 0


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_any_cut_and_order_of_records_gives_the_same_memory(parts: list[bytes], chance) -> None:  # type: ignore[no-untyped-def]
    import tempfile

    address, pieces = FLASH, []
    for part in (VECTORS, *parts):
        pieces.append((address, part))
        address += len(part)
    chance.shuffle(pieces)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.hex"
        path.write_text(hex_file(*pieces))
        assert load_image(path).segments == ((FLASH, VECTORS + b"".join(parts)),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (hex_file((FLASH, VECTORS)).replace(END, ""), "has no end record"),
        (hex_file((FLASH, VECTORS))[:-30] + "\n", "line 2 is not a record, or was cut off"),
        (record(0, 0, VECTORS)[:-2] + "00\n" + END, "line 1 has the checksum 00 instead of"),
        (":0011\n" + END, "line 1 is not a record"),
        (":zz000000\n" + END, "line 1 is not a record"),
        (record(9, 0, b"") + "\n" + END, "type 9, which does not exist"),
        (hex_file((FLASH, VECTORS), (FLASH + 4, b"over")), "writes to 0x08000004, as another record does"),
        (END, "has nothing to load"),
    ],
)
def test_a_damaged_hex_file_is_refused_with_its_line(write, text: str, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(FirmwareError, match=message.replace(".", r"\.")) as caught:
        load_image(write(text))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"MZ\x90\x00", "a program for Windows"),
        (b"PK\x03\x04", "a zip archive"),
        (b"S00600004844521B\n", "S-record"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"#!/bin/sh\necho hello, this is text\n", "it is text"),
    ],
)
def test_a_file_that_is_no_firmware_is_named(write, content: bytes, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(FirmwareError, match=message):
        load_image(write(content, "image.bin"))


def test_an_image_for_another_chip_is_refused(write) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(WrongTargetError, match="no vector table of this chip"):
        load_image(write(struct.pack("<II", 0x3000_8000, FLASH | 9) + bytes(100), "image.bin"))  # RAM that is not there
    with pytest.raises(WrongTargetError, match="linked for another chip"):
        load_image(write(hex_file((0x1000_0000 + 0x8_0000, VECTORS))))
    with pytest.raises(WrongTargetError, match="option bytes"):
        load_image(write(hex_file((FLASH, VECTORS), (0x1FFF_7800, bytes(8)))))
    with pytest.raises(FirmwareError, match="no vector table"):
        load_image(write(hex_file((RAM, VECTORS))))


def test_an_image_that_overflows_memory_is_refused(write) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ImageTooLargeError, match="does not fit into flash"):
        load_image(write(VECTORS + bytes(2 * 1024 * 1024), "image.bin"))
    with pytest.raises(ImageTooLargeError, match="does not fit into RAM"):
        load_image(write(hex_file((FLASH, VECTORS), (RAM + 640 * 1024 - 2, b"over"))))


def test_a_missing_file_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match="cannot be read"):
        load_image(tmp_path / "nothing.hex")
