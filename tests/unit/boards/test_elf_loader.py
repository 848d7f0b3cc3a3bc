# SPDX-License-Identifier: Apache-2.0
"""ELF files into the virtual chip's memory, and what is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from support.tiny_elf import EM_386, FLASH, RAM, VECTORS, Load, add_symbols, tiny_elf

from cm4tiny.boards.virtual.loader import FunctionSymbol, LoadedElf, load_elf
from cm4tiny.errors import FirmwareError, ImageTooLargeError, WrongTargetError


def elf(folder: Path, data: bytes) -> Path:
    path = folder / "image.elf"
    path.write_bytes(data)
    return path


def test_segments_go_where_they_are_stored_not_where_they_run(tmp_path: Path) -> None:
    loaded = load_elf(elf(tmp_path, tiny_elf(Load(VECTORS, FLASH), Load(b"data", FLASH + 0x100, run_address=RAM))))
    assert loaded.segments == ((FLASH, VECTORS), (FLASH + 0x100, b"data"))


def test_segments_without_contents_are_skipped(tmp_path: Path) -> None:
    assert len(load_elf(elf(tmp_path, tiny_elf(Load(VECTORS, FLASH), Load(b"", RAM, size=100)))).segments) == 1


@pytest.mark.parametrize("data", [b"", b"not an elf at all", tiny_elf()[:40]])
def test_damaged_files_are_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(FirmwareError, match=r"is not an ELF file|is a damaged ELF file"):
        load_elf(elf(tmp_path, data))


def test_another_processor_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(WrongTargetError, match="another processor") as caught:
        load_elf(elf(tmp_path, tiny_elf(machine=EM_386)))
    assert "EM_386" in caught.value.why and "cortex-m4" in caught.value.hint


@pytest.mark.parametrize("address", [0x00010000, 0x90000000, 0x20100000])
def test_another_chips_addresses_are_refused(tmp_path: Path, address: int) -> None:
    with pytest.raises(WrongTargetError, match="linked for another chip"):
        load_elf(elf(tmp_path, tiny_elf(Load(VECTORS, address))))


@pytest.mark.parametrize(("address", "size", "name"), [(FLASH + 0x1FFFF0, 32, "flash"), (RAM + 0x9FFF0, 32, "RAM")])
def test_what_does_not_fit_is_refused(tmp_path: Path, address: int, size: int, name: str) -> None:
    with pytest.raises(ImageTooLargeError, match=f"does not fit into {name}"):
        load_elf(elf(tmp_path, tiny_elf(Load(VECTORS, FLASH), Load(bytes(size), address))))


def test_an_image_without_a_vector_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match="has no vector table"):
        load_elf(elf(tmp_path, tiny_elf(Load(VECTORS, FLASH + 0x1000))))


@pytest.mark.parametrize("vectors", [(0x20010000, 0x08000100), (0x30000000, 0x08000101), (0x20010000, 0x20000001)])
def test_a_vector_table_of_another_chip_is_refused(tmp_path: Path, vectors: tuple[int, int]) -> None:
    with pytest.raises(WrongTargetError, match="no vector table of this chip"):
        load_elf(elf(tmp_path, tiny_elf(Load(struct.pack("<II", *vectors), FLASH))))


def test_an_elf_with_nothing_in_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match="nothing to load"):
        load_elf(elf(tmp_path, tiny_elf(Load(b"", FLASH, size=16))))


def test_addresses_are_named_by_the_function_around_them() -> None:
    image = LoadedElf((), (FunctionSymbol(0x100, 16, "first"), FunctionSymbol(0x120, 0, "second")))
    assert image.function_at(0x100) == "first"
    assert image.function_at(0x10E) == "first+0xe"
    assert image.function_at(0x110) is None
    assert image.function_at(0x200) == "second+0xe0"
    assert image.function_at(0xFF) is None


def test_a_function_without_a_size_does_not_name_what_lies_far_behind_it() -> None:
    image = LoadedElf((), (FunctionSymbol(0x100, 0, "handler"),))
    assert image.function_at(0x10FF) == "handler+0xfff"
    assert image.function_at(0x1100) is None and image.function_at(0x2000_0000) is None


def with_symbols(*symbols: tuple[str, int, int, int], sections: tuple[tuple[int, int], ...] = ((FLASH, 0x10000),)) -> bytes:
    return add_symbols(tiny_elf(), *symbols, sections=sections)


def test_an_elf_without_symbols_has_no_functions(tmp_path: Path) -> None:
    assert load_elf(elf(tmp_path, tiny_elf())).functions == ()
    assert load_elf(elf(tmp_path, with_symbols())).functions == ()


def test_a_function_without_a_size_ends_at_the_next_one(tmp_path: Path) -> None:
    loaded = load_elf(elf(tmp_path, with_symbols(("fault", FLASH + 0x101, 0, 1), ("next", FLASH + 0x121, 8, 1))))
    assert loaded.function_at(FLASH + 0x11E) == "fault+0x1e"
    assert loaded.function_at(FLASH + 0x120) == "next"
    assert loaded.function_at(FLASH + 0x128) is None
    assert [symbol.size for symbol in loaded.functions] == [0, 8]


def test_a_function_without_a_size_ends_with_its_section(tmp_path: Path) -> None:
    loaded = load_elf(elf(tmp_path, with_symbols(("fault", FLASH + 0x101, 0, 1), sections=((FLASH, 0x180),))))
    assert loaded.function_at(FLASH + 0x17E) == "fault+0x7e"
    assert loaded.function_at(FLASH + 0x180) is None


def test_a_function_with_a_size_that_lies_ends_with_its_section(tmp_path: Path) -> None:
    loaded = load_elf(elf(tmp_path, with_symbols(("all", FLASH + 0x101, 0xFFFFFFFF, 1), sections=((FLASH, 0x180),))))
    assert loaded.function_at(FLASH + 0x17E) == "all+0x7e"
    assert loaded.function_at(RAM) is None


@pytest.mark.parametrize("section", [0, 0xFFF1, 99])
def test_a_function_of_no_section_is_named_for_4096_bytes(tmp_path: Path, section: int) -> None:
    loaded = load_elf(elf(tmp_path, with_symbols(("absolute", FLASH + 0x101, 0, section))))
    assert loaded.function_at(FLASH + 0x10FE) == "absolute+0xffe"
    assert loaded.function_at(FLASH + 0x1100) is None


def test_of_two_names_at_one_address_the_one_with_a_size_counts(tmp_path: Path) -> None:
    names = (("sized", FLASH + 0x101, 8, 1), ("bare", FLASH + 0x101, 0, 1))
    for symbols in (names, names[::-1]):
        assert load_elf(elf(tmp_path, with_symbols(*symbols))).function_at(FLASH + 0x104) == "sized+0x4"
