# SPDX-License-Identifier: Apache-2.0
"""Checks of ELF images, on files written by hand."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.tiny_elf import EM_386, ET_REL, FLASH, RAM, SOFT_FLOAT, VECTORS, Load, attributes, tiny_elf

from cm4tiny.boards.elf_image import Image, read_elf
from cm4tiny.errors import FirmwareError, ImageTooLargeError, WrongTargetError


def read(folder: Path, contents: bytes) -> Image:
    path = folder / "image.elf"
    path.write_bytes(contents)
    return read_elf(path)


def test_a_right_image_is_read(tmp_path: Path) -> None:
    image = read(tmp_path, tiny_elf(Load(VECTORS, FLASH), Load(b"abcd", FLASH + 64, RAM), Load(b"", RAM + 4, size=100), marks=attributes()))
    assert (image.vector_table, image.entry) == ((RAM + 640 * 1024, FLASH + 9), FLASH + 9)
    assert [(s.address, s.run_address, s.data, s.size) for s in image.segments] == [
        (FLASH, FLASH, VECTORS, len(VECTORS)),
        (FLASH + 64, RAM, b"abcd", 4),
        (RAM + 4, RAM + 4, b"", 100),
    ]
    assert image.flash_bytes == len(VECTORS) + 4
    assert image.hard_float
    assert image.attributes["TAG_CPU_ARCH_PROFILE"] == ord("M")


def test_an_image_without_attributes_is_judged_by_its_vector_table(tmp_path: Path) -> None:
    assert read(tmp_path, tiny_elf()).attributes == {}


def test_a_soft_float_image_is_seen_as_such(tmp_path: Path) -> None:
    assert not read(tmp_path, tiny_elf(flags=SOFT_FLOAT)).hard_float


@pytest.mark.parametrize("contents", [b"", b"\x7fEL", b"hello, world", b"\x00" * 100])
def test_a_file_that_is_no_elf_is_refused(tmp_path: Path, contents: bytes) -> None:
    with pytest.raises(FirmwareError, match="is not an ELF file"):
        read(tmp_path, contents)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match="cannot be read"):
        read_elf(tmp_path / "nothing.elf")


@pytest.mark.parametrize("length", [5, 20, 52, 60])
def test_an_elf_cut_in_its_headers_is_called_damaged(tmp_path: Path, length: int) -> None:
    with pytest.raises(FirmwareError, match=r"damaged|truncated|nothing to load"):
        read(tmp_path, tiny_elf()[:length])


def test_an_elf_cut_in_its_contents_is_called_truncated(tmp_path: Path) -> None:
    whole = bytearray(tiny_elf(Load(VECTORS + bytes(1000), FLASH)))
    whole[32:36] = bytes(4)  # no section table, which would lie behind the cut
    whole[48:52] = bytes(4)
    with pytest.raises(FirmwareError, match="truncated") as caught:
        read(tmp_path, bytes(whole[:-800]))
    assert "of 1016 bytes" in caught.value.why


def test_another_processor_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(WrongTargetError, match="not a 32-bit little-endian Arm program") as caught:
        read(tmp_path, tiny_elf(machine=EM_386))
    assert "x86" in caught.value.why


def test_an_unlinked_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match="not a linked program"):
        read(tmp_path, tiny_elf(kind=ET_REL))


def test_an_application_processor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongTargetError, match="profile 'A'"):
        read(tmp_path, tiny_elf(marks=attributes(profile="A")))


def test_code_without_thumb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongTargetError, match="no Thumb code"):
        read(tmp_path, tiny_elf(marks=attributes(thumb=0)))


@pytest.mark.parametrize("address", [0x00000000, 0x08200000, 0x10000000, 0x200A0000, 0x40000000, 0xFFFFFFF0])
def test_contents_outside_the_memory_are_refused_and_the_memory_map_is_named(tmp_path: Path, address: int) -> None:
    with pytest.raises(WrongTargetError, match="where the chip has no memory") as caught:
        read(tmp_path, tiny_elf(Load(VECTORS, FLASH), Load(b"abcd", address)))
    assert "flash 0x08000000..0x081FFFFF (2048 KB)" in caught.value.why
    assert "RAM 0x20000000..0x2009FFFF (640 KB)" in caught.value.why


def test_data_that_runs_out_of_ram_says_by_how_many_bytes(tmp_path: Path) -> None:
    with pytest.raises(ImageTooLargeError, match="24 bytes too large for RAM"):
        read(tmp_path, tiny_elf(Load(VECTORS, FLASH), Load(b"", RAM + 1024, size=640 * 1024 - 1000)))


def test_contents_that_run_out_of_flash_say_by_how_many_bytes(tmp_path: Path) -> None:
    with pytest.raises(ImageTooLargeError, match="16 bytes too large for flash"):
        read(tmp_path, tiny_elf(Load(VECTORS, FLASH), Load(bytes(32), FLASH + 2048 * 1024 - 16)))


def test_an_image_without_contents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match="nothing to load"):
        read(tmp_path, tiny_elf(Load(b"", RAM, size=16)))


def test_a_missing_vector_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongTargetError, match="no vector table at 0x08000000"):
        read(tmp_path, tiny_elf(Load(VECTORS, FLASH + 0x1000)))


@pytest.mark.parametrize(
    ("stack", "reset", "message"),
    [
        (0x10001000, FLASH + 9, "sets the stack pointer to 0x10001000"),
        (RAM + 6, FLASH + 9, "sets the stack pointer"),
        (RAM, FLASH + 9, "sets the stack pointer"),
        (RAM + 4096, FLASH + 8, "starts at 0x08000008"),
        (RAM + 4096, FLASH + 0x1001, "where it has no code"),
        (RAM + 4096, 0x00000009, "where it has no code"),
    ],
)
def test_wrong_vectors_are_refused(tmp_path: Path, stack: int, reset: int, message: str) -> None:
    with pytest.raises(WrongTargetError, match=message):
        read(tmp_path, tiny_elf(Load(struct.pack("<II", stack, reset) + VECTORS[8:], FLASH)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_causes_any_other_error_than_a_firmware_error(tmp_path: Path, data: st.DataObject) -> None:
    contents = bytearray(tiny_elf(marks=attributes()))
    for _ in range(data.draw(st.integers(1, 4))):
        contents[data.draw(st.integers(4, len(contents) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(4, len(contents)))
    with contextlib.suppress(FirmwareError):
        read(tmp_path, bytes(contents[:cut]))
