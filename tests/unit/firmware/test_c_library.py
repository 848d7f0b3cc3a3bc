# SPDX-License-Identifier: Apache-2.0
"""Which part of Debian's newlib packages is taken, and what is refused."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from cm4tiny.errors import ToolchainError
from cm4tiny.firmware import c_library
from cm4tiny.firmware.toolchain import Toolchain

CLANG = Toolchain("zig", ("zig", "cc"), "zig 0", "0")


@pytest.mark.parametrize(
    ("member", "place"),
    [
        ("./usr/include/newlib/math.h", "include/math.h"),
        ("./usr/include/newlib/c++/12.2.1/cmath", "include/c++/12.2.1/cmath"),
        (
            "./usr/include/newlib/c++/12.2.1/arm-none-eabi/thumb/v7e-m+fp/hard/bits/c++config.h",
            "include/c++/12.2.1/arm-none-eabi/thumb/v7e-m+fp/hard/bits/c++config.h",
        ),
        ("./usr/include/newlib/c++/12.2.1/arm-none-eabi/thumb/v6-m/nofp/bits/c++config.h", None),
        ("./usr/lib/arm-none-eabi/newlib/thumb/v7e-m+fp/hard/libc.a", "lib/libc.a"),
        ("./usr/lib/arm-none-eabi/newlib/thumb/v7e-m+fp/hard/libc_nano.a", None),
        ("./usr/lib/arm-none-eabi/newlib/thumb/v6-m/nofp/libc.a", None),
        ("./usr/include/newlib/../../../etc/passwd", None),
        ("/etc/passwd", None),
    ],
)
def test_only_headers_and_the_boards_variant_are_taken(member: str, place: str | None) -> None:
    assert c_library._place(PurePosixPath(member)) == (PurePosixPath(place) if place else None)


def test_links_and_members_outside_are_not_written(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (("./usr/include/newlib/math.h", tarfile.REGTYPE), ("./usr/include/newlib/link.h", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info, io.BytesIO(b""))
        evil = tarfile.TarInfo("./usr/include/newlib/../../../../evil.h")
        archive.addfile(evil, io.BytesIO(b""))
    buffer.seek(0)
    c_library._unpack_stream(buffer, tmp_path / "out")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()] == ["out/include/math.h"]


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_a_package_is_unpacked(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text("Package: x\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: x\n")
    (tree / "usr/include/newlib").mkdir(parents=True)
    (tree / "usr/include/newlib/math.h").write_text("/* math */\n")
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(tree), str(tmp_path / "x.deb")], check=True, capture_output=True)
    c_library.unpack_package(tmp_path / "x.deb", tmp_path / "out")
    assert (tmp_path / "out/include/math.h").read_text() == "/* math */\n"


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_a_damaged_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_bytes(b"!<arch>\nnot a package")
    with pytest.raises(ToolchainError, match=r"x\.deb is damaged"):
        c_library.unpack_package(tmp_path / "x.deb", tmp_path / "out")


def test_without_apt_the_hint_names_another_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ToolchainError) as caught:
        c_library.download_packages(("libnewlib-dev",), tmp_path)
    assert "Arm GNU tool chain" in caught.value.hint


def test_packages_that_cannot_be_fetched_say_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*args: object, **kwargs: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 100, "", "W: nothing\nE: Unable to locate package libnewlib-dev\n")

    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(ToolchainError) as caught:
        c_library.download_packages(("libnewlib-dev",), tmp_path)
    assert caught.value.why == "E: Unable to locate package libnewlib-dev"
    assert "apt-get update" in caught.value.hint


def test_clang_without_a_c_library_is_refused() -> None:
    with pytest.raises(ToolchainError) as caught:
        c_library.find_c_library(CLANG)
    assert "--toolchain=debian" in caught.value.hint


def test_what_apt_complains_of_is_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a program in place of ``apt-get``."""
    for name in ("apt-get", "dpkg-deb"):
        (tmp_path / name).write_text("#!/bin/sh\necho Reading\necho 'W: old list' >&2\necho 'E: no such package' >&2\nexit 100\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CM_TINY_OFFLINE", raising=False)
    with pytest.raises(ToolchainError, match="cannot be fetched") as caught:
        c_library.download_packages(["libnewlib-arm-none-eabi"], tmp_path)
    assert caught.value.why == "E: no such package"


def test_a_library_that_installing_did_not_bring_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gcc = Toolchain("path", ("arm-none-eabi-gcc",), "gcc 12", "")
    monkeypatch.setattr(c_library, "user_cache", lambda: tmp_path)
    monkeypatch.setattr(c_library, "_probe", lambda toolchain, library: "no newlib")
    monkeypatch.setattr(c_library, "_own_archives", lambda toolchain: ())
    monkeypatch.setattr(c_library, "_gcc_version", lambda toolchain: "12.2.1")
    installed: list[str] = []
    monkeypatch.setattr(c_library, "_install", lambda home, version, events: installed.append(version))
    with pytest.raises(ToolchainError, match="cannot build C\\+\\+ with a C library") as caught:
        c_library.find_c_library(gcc)
    assert installed == ["12.2.1"] and "holds no C++ headers of GCC 12.2.1" in caught.value.why
    with pytest.raises(ToolchainError, match="none is in the cache") as caught:
        c_library.find_c_library(gcc, install=False)
    assert caught.value.why == "no newlib" and installed == ["12.2.1"]
