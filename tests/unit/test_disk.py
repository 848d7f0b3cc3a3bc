# SPDX-License-Identifier: Apache-2.0
"""A full disk is reported as one, with the folder that is full."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cm4tiny.boards.virtual import build as board_build
from cm4tiny.disk import disk_full, naming_full_disk, refuse_full_disk
from cm4tiny.errors import DiskFullError, ToolchainError
from cm4tiny.firmware import toolchain
from cm4tiny.firmware.toolchain import Toolchain


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB without room; needs root."""
    place = tmp_path / "full"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("only root may mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(place: Path) -> None:
    with pytest.raises(OSError, match="No space"), (place / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_the_error_names_the_folder_and_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path))
    with pytest.raises(DiskFullError) as caught, naming_full_disk("unpacking", tmp_path / "not" / "there"):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    assert str(tmp_path) in caught.value.why and "CM_TINY_CACHE" in caught.value.hint
    with pytest.raises(PermissionError), naming_full_disk("unpacking", tmp_path):
        raise PermissionError(errno.EACCES, "no")


def test_only_messages_about_a_full_disk_count(tmp_path: Path) -> None:
    refuse_full_disk("compiling", "x.c:1: error: expected ';'", tmp_path)
    with pytest.raises(DiskFullError, match="compiling failed"):
        refuse_full_disk("compiling", "cc1: fatal error: error writing to x.s: No space left on device", tmp_path)


def test_of_several_folders_the_full_one_is_named(full_disk: Path, tmp_path: Path) -> None:
    fill(full_disk)
    error = disk_full("x", "No space left on device", tmp_path, full_disk)
    assert str(full_disk) in error.why and f"{tmp_path} " not in error.why


def fake_compiler(folder: Path, message: str) -> Path:
    program = folder / "arm-none-eabi-gcc"
    program.write_text(f"#!/bin/sh\ncase $1 in --version) echo fake 1.0;; -print*) echo no;; *) echo '{message}' >&2; exit 1;; esac\n")
    program.chmod(0o755)
    return program


def test_a_compiler_that_finds_no_room_is_not_called_unusable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_compiler(tmp_path, "/tmp/ccX.s: No space left on device")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(DiskFullError, match="the disk is full"):
        toolchain.find_toolchain("auto", install=False)
    fake_compiler(tmp_path, "error: unknown option")
    with pytest.raises(ToolchainError, match="cannot compile"):
        toolchain.toolchain_at(program)


def test_a_full_folder_for_temporary_files_is_named(full_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(full_disk)
    monkeypatch.setattr("tempfile.tempdir", str(full_disk))
    monkeypatch.setenv("TMPDIR", str(full_disk))
    with pytest.raises(DiskFullError) as caught:
        toolchain.find_toolchain("auto", install=False)
    assert str(full_disk) in caught.value.why and "TMPDIR" in caught.value.hint


def test_a_full_cache_is_named_when_the_boards_library_is_built(full_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(full_disk)
    monkeypatch.setenv("CM_TINY_CACHE", str(full_disk))
    with pytest.raises(DiskFullError) as caught:
        board_build.native_library()
    assert str(full_disk) in caught.value.why and "CM_TINY_CACHE" in caught.value.hint


def test_the_message_of_a_tool_chain_counts_wherever_it_runs(tmp_path: Path) -> None:
    program = fake_compiler(tmp_path, "ld: final link failed: No space left on device")
    with pytest.raises(DiskFullError):
        Toolchain("path", (str(program),), "1", "1").run(["x.c"], cwd=tmp_path, timeout_s=60)
