# SPDX-License-Identifier: Apache-2.0
"""How the machine's library is found, named and refused, without building it."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from cm4tiny.boards.catalogue import check_board
from cm4tiny.boards.virtual import build
from cm4tiny.errors import ToolchainError
from cm4tiny.settings import sanitizing

COMPILER = build.HostCompiler(("cc",), "cc 1.0")


def test_the_librarys_name_depends_on_compiler_and_unicorn(tmp_path: Path) -> None:
    unicorn = build.Unicorn(tmp_path, tmp_path / "libunicorn.so.2", "2.1.4", "ab" * 32)
    key = build.library_key(COMPILER, unicorn)
    assert key == build.library_key(COMPILER, replace(unicorn, folder=tmp_path / "elsewhere"))
    others = [
        build.library_key(build.HostCompiler(("cc",), "cc 2.0"), unicorn),
        build.library_key(build.HostCompiler(("clang",), "cc 1.0"), unicorn),
        build.library_key(COMPILER, replace(unicorn, sha256="cd" * 32)),
    ]
    assert len({key, *others}) == 4


def test_the_librarys_name_depends_on_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unicorn = build.Unicorn(tmp_path, tmp_path / "libunicorn.so.2", "2.1.4", "ab" * 32)
    key = build.library_key(COMPILER, unicorn)
    (tmp_path / "machine.c").write_text("int changed;")
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    assert build.library_key(COMPILER, unicorn) != key


@pytest.mark.parametrize(("value", "flags"), [("yes", build.SANITIZED), ("1", build.SANITIZED), ("no", build.FLAGS), (None, build.FLAGS)])
def test_sanitizers_are_asked_for_by_a_word_that_means_yes(
    value: str | None, flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CM_TINY_SANITIZE", raising=False)
    if value is not None:
        monkeypatch.setenv("CM_TINY_SANITIZE", value)
    assert build.flags() == flags
    assert sanitizing() == (flags == build.SANITIZED)


def test_all_sources_are_packaged_beside_the_module() -> None:
    names = {path.name for path in build.source_files()}
    assert {"core.h", "machine.c", "timing.c", "caches.c", "bus.c", "clocks.c", "uart.c", "system.c"} <= names


def test_the_compiler_asked_for_is_taken_or_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "mycc"
    fake.write_text("#!/bin/sh\necho mycc 9.9\necho more\n")
    fake.chmod(0o755)
    monkeypatch.setenv("CC", f"{fake} -m64")
    assert build.find_compiler() == build.HostCompiler((str(fake), "-m64"), "mycc 9.9")
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(ToolchainError, match="no C compiler") as caught:
        build.find_compiler()
    assert "no-such-compiler" in caught.value.why and "CC" in caught.value.hint


def test_a_host_without_any_compiler_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare_host(monkeypatch, tmp_path)
    with pytest.raises(ToolchainError, match="no C compiler") as caught:
        build.native_library()
    assert "gcc and libc6-dev" in caught.value.hint
    assert not list((tmp_path / "cache").glob("**/*.so"))


def bare_host(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("CM_TINY_CACHE", str(folder / "cache"))


def test_a_host_without_any_compiler_borrows_zigs_for_one_compilation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, zig_that_compiles: list[str]
) -> None:
    """Later boards need it no more, and nothing of it stays."""
    bare_host(monkeypatch, tmp_path)
    made = build.native_library(install=True)
    assert made.compiler == f"{build.ZIG_WHEEL.project} {build.ZIG_WHEEL.version}"
    assert build.native_library().sha256 == made.sha256
    assert zig_that_compiles == ["fetched", "removed"]
    assert sorted(path.suffix for path in (tmp_path / "cache").glob("**/*") if path.is_file()) == [".json", ".lock", ".so"]


@pytest.fixture
def zig_that_compiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A wheel whose program writes its cache where it is told to, and what it is asked for."""
    happened: list[str] = []
    program = tmp_path / "zig"
    body = 'mkdir -p "$ZIG_GLOBAL_CACHE_DIR" && echo runtime > "$ZIG_GLOBAL_CACHE_DIR/runtime.o"\nwhile [ "$1" != -o ]; do shift; done\n'
    program.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{body}echo library > $2\n", encoding="utf-8")
    program.chmod(0o755)

    @contextlib.contextmanager
    def borrowed(wheel: object, events: object) -> Iterator[Path]:
        happened.append("fetched")
        yield program
        happened.append("removed")

    monkeypatch.setattr(build, "borrowed_program", borrowed)
    return happened


def test_a_host_without_compiler_or_network_is_refused_with_both_reasons(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def offline(wheel: object, events: object) -> Path:
        raise ToolchainError("pip could not fetch ziglang", why="the network is off")

    bare_host(monkeypatch, tmp_path)
    monkeypatch.setattr(build, "borrowed_program", offline)
    with pytest.raises(ToolchainError, match="no C compiler") as caught:
        check_board("virtual")
    assert "none of cc, gcc, clang runs" in caught.value.why
    assert "pip could not fetch ziglang: the network is off" in caught.value.why


def test_a_unicorn_without_headers_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    with pytest.raises(ToolchainError, match="headers or library are missing"):
        build.find_unicorn()


def test_the_digest_of_the_board_covers_the_cost_model_and_the_librarys_name_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("machine.c", "cycle_model.py"):
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    before = build.sources_sha256(), build.package_sha256()
    (tmp_path / "cycle_model.py").write_text("2")
    after = build.sources_sha256(), build.package_sha256()
    assert after[0] == before[0] and after[1] != before[1]


def test_the_loaded_library_is_the_bytes_that_were_compared_whatever_happens_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cm4tiny.boards.virtual.native import load_library

    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path))
    built = build.native_library()
    built.path.write_bytes(b"not a library")
    assert load_library(built).cm4_free is not None
    again = build.native_library()
    assert again.content == built.content and again.path.read_bytes() == built.content


def test_where_programs_in_memory_are_forbidden_a_private_copy_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    from cm4tiny.boards.virtual import native

    def forbidden(*_: object) -> int:
        raise PermissionError(1, "not here")

    monkeypatch.setattr(native.os, "memfd_create", forbidden)
    assert native.load_library.__wrapped__(build.native_library()).cm4_free is not None
