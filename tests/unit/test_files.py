# SPDX-License-Identifier: Apache-2.0
"""Files appear whole or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cm4tiny.files import move_into_place, replace_folder, replacing, write_atomically


def test_a_file_and_its_folder_are_written(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b.txt"
    assert write_atomically(file, "é\n", sync=True) == file
    assert file.read_bytes() == "é\n".encode() and stat.S_IMODE(file.stat().st_mode) == 0o644
    write_atomically(file, b"\xff", mode=0o600)
    assert file.read_bytes() == b"\xff" and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["b.txt"]


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "\ud800")
    with pytest.raises(KeyboardInterrupt), replacing(file) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert file.read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("kept")
    link.symlink_to(target)
    write_atomically(link, "new")
    assert target.read_text() == "kept" and link.read_text() == "new" and not link.is_symlink()


def test_a_finished_file_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    (tmp_path / "part").write_text("new")
    (tmp_path / "f").write_text("old")
    assert move_into_place(tmp_path / "part", tmp_path / "f") == tmp_path / "f"
    assert [path.name for path in tmp_path.iterdir()] == ["f"] and (tmp_path / "f").read_text() == "new"


def test_a_folder_is_replaced_and_the_older_one_put_aside(tmp_path: Path) -> None:
    fresh, home, aside = (tmp_path / name for name in ("fresh", "home", "aside"))
    fresh.mkdir()
    replace_folder(fresh, home, aside)
    assert home.is_dir() and not aside.exists()
    (home / "old").touch()
    fresh.mkdir()
    replace_folder(fresh, home, aside)
    assert list(home.iterdir()) == [] and (aside / "old").exists()


def test_a_folder_that_cannot_be_replaced_stays(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "old").touch()
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "absent", home, tmp_path / "aside")
    assert (home / "old").exists() and not (tmp_path / "aside").exists()
