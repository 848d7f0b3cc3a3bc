# SPDX-License-Identifier: Apache-2.0
"""Folders that are trusted for their bytes: every kind of damage is found, and nothing else is called damage."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cm4tiny.digests import file_sha256, known_sha256
from cm4tiny.sealed import SEAL, damage, seal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "cc").write_bytes(b"\x7fELF" + bytes(range(256)))
    (tree / "bin" / "cc").chmod(0o755)
    (tree / "include").mkdir()
    (tree / "include" / "math.h").write_text("double exp(double);\n")
    (tree / "empty").write_bytes(b"")
    (tree / "gcc").symlink_to("bin/cc")
    seal(tree)
    return tree


def flip(path: Path, place: int = -1) -> None:
    """One flipped bit; size and time of modification stay."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_an_untouched_folder_is_sound_also_at_another_place(folder: Path) -> None:
    assert damage(folder) == ""
    moved = folder.rename(folder.with_name("moved"))
    assert damage(moved) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tree: flip(tree / "bin" / "cc"), "bin/cc has other bytes"),
        (lambda tree: flip(tree / "include" / "math.h", 0), "include/math.h has other bytes"),
        (lambda tree: os.truncate(tree / "bin" / "cc", 100), "bin/cc has 100 bytes"),
        (lambda tree: (tree / "empty").write_bytes(b"x"), "empty has 1 bytes"),
        (lambda tree: (tree / "empty").unlink(), "empty is missing"),
        (lambda tree: (tree / "bin" / "cc").chmod(0o644), "not executable"),
        (lambda tree: (tree / "include" / "stdint.h").write_text(""), "include/stdint.h was added"),
        (lambda tree: ((tree / "gcc").unlink(), (tree / "gcc").symlink_to("/bin/true")), "the link gcc leads elsewhere"),
        (lambda tree: ((tree / "empty").unlink(), (tree / "empty").symlink_to("gcc")), "empty is missing"),
        (lambda tree: (tree / SEAL).unlink(), "no sealed.json"),
        (lambda tree: (tree / SEAL).write_text("[" * 100_000), "cannot be read"),
        (lambda tree: (tree / SEAL).write_text('{"format": 1, "files": [], "links": {}}'), "not one of this version"),
        (lambda tree: (tree / SEAL).write_text('{"format": 1, "files": {}, "links": {}}'), "was added"),
        (lambda tree: flip(tree / SEAL, 60), ""),
    ],
)
def test_every_kind_of_damage_is_named(folder: Path, change: Callable[[Path], object], words: str) -> None:
    change(folder)
    found = damage(folder)
    assert found and words in found


def test_a_bit_that_flips_after_the_first_look_of_a_process_is_found_although_the_time_was_put_back(folder: Path) -> None:
    assert damage(folder) == ""
    flip(folder / "bin" / "cc", 7)
    assert "bin/cc has other bytes" in damage(folder)
    flip(folder / "bin" / "cc", 7)
    assert damage(folder) == ""


def test_a_known_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for text in (b"one", b"two", b""):
        path.write_bytes(text)
        assert known_sha256(path) == known_sha256(path) == file_sha256(path)
