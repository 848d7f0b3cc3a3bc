# SPDX-License-Identifier: Apache-2.0
"""The machine's build on the user's machine: no compiler, a broken one, a cache that cannot be written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from virtual_board_programs import ECHO, write_elf

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.virtual.build import COMPILERS
from cm4tiny.deadline import Deadline
from cm4tiny.errors import CompileError, ToolchainError


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    return write_elf(tmp_path, *ECHO)


def test_without_a_compiler_the_board_is_refused_with_what_to_do(echo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ToolchainError, match="no C compiler") as caught:
        VirtualBoard(echo)
    assert "no-such-compiler" in caught.value.why
    assert "gcc and libc6-dev" in caught.value.hint and "get,tiny,board" in caught.value.hint


def test_a_compiler_that_refuses_is_quoted(echo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "cc"
    script.write_text('#!/bin/sh\ncase "$*" in *--version*) echo broken 1.0;; *) echo "cannot find stdio.h" >&2; exit 1;; esac\n')
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path / "cache"))
    with pytest.raises(CompileError, match=r"cannot find stdio\.h"):
        VirtualBoard(echo)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.suffix == ".so"]


@pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="needs a C compiler for this machine")
def test_a_cache_that_cannot_be_written_is_no_obstacle(echo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where the cache should be")
    monkeypatch.setenv("CM_TINY_CACHE", str(blocked))
    with VirtualBoard(echo) as board:
        board.link.write(b"hello%")
        assert board.link.read(Deadline(1.0, board.link.clock)) == b"hello%"
