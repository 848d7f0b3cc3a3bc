# SPDX-License-Identifier: Apache-2.0
"""Which image is meant, and which board."""

from pathlib import Path

import pytest

from cm4tiny.boards.catalogue import check_board, open_board, simulated_label
from cm4tiny.errors import FirmwareError, LinkError, UsageError
from cm4tiny.runner.smoke_test import find_image


def test_the_one_elf_of_a_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.elf").write_bytes(b"")
    assert find_image("", str(tmp_path)) == tmp_path / "a.elf"


def test_two_elfs_or_none_are_not_guessed_at(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match="0 ELF files"):
        find_image("", str(tmp_path))
    for name in ("a.elf", "b.elf"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(FirmwareError, match="2 ELF files"):
        find_image("", str(tmp_path))


def test_nothing_or_both_is_a_usage_error(tmp_path: Path) -> None:
    for elf, folder in (("", ""), ("a.elf", str(tmp_path))):
        with pytest.raises(UsageError, match="which image"):
            find_image(elf, folder)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match=r"none\.elf"):
        find_image(str(tmp_path / "none.elf"), "")


def test_without_a_real_board_the_cable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path))
    monkeypatch.setattr("cm4tiny.boards.nucleo.ports.list_ports.comports", list)
    monkeypatch.setattr("cm4tiny.boards.nucleo.ports.ports", lambda row, listed: [])
    for use in (lambda: check_board("NUCLEO"), lambda: open_board("NUCLEO", tmp_path / "a.elf")):
        with pytest.raises(LinkError) as caught:
            use()
        assert "cable" in str(caught.value)


def test_a_mistyped_board_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        check_board("virtuel")
    assert "virtual" in str(caught.value)


def test_only_the_virtual_board_is_labelled_simulated() -> None:
    assert simulated_label("virtual")
    assert not simulated_label("NUCLEO")
