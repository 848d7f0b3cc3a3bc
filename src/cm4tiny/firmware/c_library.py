# SPDX-License-Identifier: Apache-2.0
"""The C library and the C++ headers that third-party inference code needs: newlib for the Cortex-M4F with hard floats.

This project's own firmware links with nothing. TensorFlow Lite for Microcontrollers and past submissions include ``<cmath>``, ``<math.h>``
and the like and call a dozen functions of them. A complete Arm tool chain brings newlib; Debian splits it off into packages of 2 GB for all
cores. From those this module takes the headers and the one variant of the library that the board uses, 34 MB, into the user's cache; no
right of an administrator is needed. apt checks the packages' signatures.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from cm4tiny.digests import known_sha256
from cm4tiny.disk import naming_full_disk
from cm4tiny.errors import ToolchainError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import replace_folder
from cm4tiny.firmware.flags import flags
from cm4tiny.firmware.toolchain import Toolchain
from cm4tiny.locks import acquire
from cm4tiny.network import require_network
from cm4tiny.paths import user_cache
from cm4tiny.scratch import scratch_folder
from cm4tiny.sealed import damage, seal

DEBIAN_PACKAGES = ("libnewlib-dev", "libstdc++-arm-none-eabi-dev", "libnewlib-arm-none-eabi")
MULTILIB = "thumb/v7e-m+fp/hard"
DOWNLOAD_TIMEOUT_S = 600
LOCK_TIMEOUT_S = 900
LIBRARIES = ("-Wl,--start-group", "-lm", "-lc", "-lgcc", "-Wl,--end-group")
_STEP = "C library"
_HEADERS = PurePosixPath("usr/include/newlib")
_LIBRARY_FOLDER = PurePosixPath("usr/lib/arm-none-eabi/newlib", MULTILIB)
_ARCHIVES = ("libc.a", "libm.a")

_PROBE = """\
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>
extern "C" void Reset_Handler(void);
volatile float seen;
void Reset_Handler(void) { seen = std::exp(seen) + static_cast<float>(std::max(1, 2)); }
"""


@dataclass(frozen=True)
class CLibrary:
    """Switches that make a compiler see the library.

    ``compile`` goes to C and C++ units, ``compile_cxx`` before it to C++ units only, ``link`` after all objects. ``version`` says whose it
    is, ``archives`` are the files that are linked.
    """

    compile: tuple[str, ...]
    compile_cxx: tuple[str, ...]
    link: tuple[str, ...]
    version: str
    archives: tuple[Path, ...] = ()


def find_c_library(toolchain: Toolchain, *, install: bool = True, events: EventStream = SILENT) -> CLibrary:
    """The tool chain's own newlib, or Debian's, fetched once.

    Raises:
        ToolchainError: the tool chain has none and none can be fetched, or it cannot compile C++.
    """
    if toolchain.family != "gcc":
        raise ToolchainError(
            "this tool chain has no C library for the board",
            why=f"{toolchain.version} comes without newlib and without C++ headers for Cortex-M4",
            hint="choose an Arm GCC: --toolchain=debian, or an Arm GNU tool chain on PATH",
        )
    own = CLibrary((), (), LIBRARIES, "of the tool chain", _own_archives(toolchain))
    reason = _probe(toolchain, own)
    if not reason:
        return own
    version = _gcc_version(toolchain)
    home = user_cache() / "toolchains" / f"newlib-gcc-{version}"
    library = _library_at(home, version)
    if library is None:
        if not install and not home.is_dir():
            raise ToolchainError("the tool chain has no C library and none is in the cache", why=reason)
        _install(home, version, events)
        library = _library_at(home, version)
    if library is None:
        raise _unusable(toolchain, f"{home} holds no C++ headers of GCC {version}")
    failed = _probe(toolchain, library)
    if failed:
        raise _unusable(toolchain, failed)
    return library


def _unusable(toolchain: Toolchain, reason: str) -> ToolchainError:
    return ToolchainError(
        f"{toolchain.cc[0]} cannot build C++ with a C library",
        why=reason,
        hint="install Debian's gcc-arm-none-eabi, or put an Arm GNU tool chain (with newlib) on PATH",
    )


def _gcc_version(toolchain: Toolchain) -> str:
    with scratch_folder("ask") as folder:
        done = toolchain.run(["-dumpfullversion"], cwd=folder, timeout_s=60)
    return done.stdout.strip()


def _library_at(home: Path, version: str) -> CLibrary | None:
    headers, cxx = home / "include", home / "include" / "c++" / version
    if not (home / "complete").is_file() or damage(home) or not cxx.is_dir():
        return None
    multilib = cxx / "arm-none-eabi" / MULTILIB
    compile_cxx = tuple(part for folder in (cxx, multilib, cxx / "backward") for part in ("-isystem", str(folder)))
    # -nostdinc++: no other C++ headers get between; the compiler's own C headers (stdint, stdarg) stay in front of newlib's.
    return CLibrary(
        compile=("-isystem", str(headers)),
        compile_cxx=("-nostdinc++", *compile_cxx),
        link=(f"-L{home / 'lib'}", *LIBRARIES),
        version=(home / "complete").read_text(encoding="utf-8").strip(),
        archives=tuple(home / "lib" / name for name in _ARCHIVES),
    )


def _own_archives(toolchain: Toolchain) -> tuple[Path, ...]:
    """Where a tool chain keeps its own C library for the board; empty if it has none."""
    found = []
    with scratch_folder("ask") as folder:
        for name in _ARCHIVES:
            done = toolchain.run([*flags("target", toolchain.family), f"-print-file-name={name}"], cwd=folder, timeout_s=60)
            found.append(Path(done.stdout.strip()))
    return tuple(path for path in found if path.is_absolute() and path.is_file())


def _probe(toolchain: Toolchain, library: CLibrary) -> str:
    """Compiles and links a few lines; the first error, or an empty string."""
    with naming_full_disk("trying a C library"), scratch_folder("newlib") as scratch:
        (scratch / "probe.cc").write_text(_PROBE, encoding="ascii")
        target = flags("target", toolchain.family)
        compile_command = [*target, "-std=c++17", "-fno-exceptions", "-fno-rtti", *library.compile_cxx, *library.compile]
        link = [*target, "-nostdlib", "-Wl,-e,Reset_Handler", "probe.o", *library.link, "-o", "probe.elf"]
        for command in ([*compile_command, "-c", "probe.cc", "-o", "probe.o"], link):
            try:
                done = toolchain.run(command, cwd=scratch, timeout_s=120)
            except (OSError, subprocess.TimeoutExpired) as error:
                return str(error)
            if done.returncode != 0:
                lines = (done.stderr + done.stdout).strip().splitlines()
                return next((line for line in lines if "error" in line.lower() or "cannot find" in line), f"exit code {done.returncode}")
    return ""


def _install(home: Path, version: str, events: EventStream) -> None:
    try:
        with naming_full_disk("unpacking newlib", home.parent):
            home.parent.mkdir(parents=True, exist_ok=True)
            with acquire(home.with_name(f"{home.name}.lock"), wait_s=LOCK_TIMEOUT_S, subject="the C library newlib"):
                if (home / "complete").is_file():
                    problem = damage(home)
                    if not problem:
                        return
                    events.message(_STEP, f"{home} is damaged ({problem}): it is fetched again", "warning")
                with scratch_folder("newlib", home.parent) as scratch:
                    events.message(_STEP, f"fetching newlib for the Cortex-M4F from Debian's packages {', '.join(DEBIAN_PACKAGES)}")
                    unpacked = scratch / "unpacked"
                    packages = download_packages(DEBIAN_PACKAGES, scratch)
                    for package in packages:
                        unpack_package(package, unpacked)
                    about = ", ".join(package.name.removesuffix(".deb") for package in packages)
                    (unpacked / "complete").write_text(f"{about}\n", encoding="utf-8")
                    seal(unpacked)
                    replace_folder(unpacked, home, scratch / "old")
    except OSError as error:
        raise ToolchainError(
            f"newlib cannot be unpacked to {home}", why=str(error), hint="free disk space, or set CM_TINY_CACHE"
        ) from error


def download_packages(names: Sequence[str], folder: Path) -> list[Path]:
    """Debian packages by ``apt-get download``, which needs no root; in the order of their names.

    Raises:
        ToolchainError: no apt here, no network, or the packages are unknown.
    """
    hint = "put an Arm GNU tool chain (with newlib) on PATH, or, on Debian and Ubuntu:\nsudo apt-get update"
    require_network("newlib for the Cortex-M4F is not in the cache", ToolchainError, "put an Arm GNU tool chain (with newlib) on PATH")
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise ToolchainError("newlib for the Cortex-M4F is missing", why="this system has no apt-get and dpkg-deb to fetch it", hint=hint)
    try:
        done = subprocess.run(
            ["apt-get", "download", "-q", *names], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=DOWNLOAD_TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolchainError("newlib for the Cortex-M4F cannot be fetched", why=str(error), hint=hint) from error
    packages = sorted(folder.glob("*.deb"))
    if done.returncode != 0 or len(packages) != len(names):
        lines = [line for line in done.stderr.strip().splitlines() if line.startswith("E:")]
        raise ToolchainError(
            "newlib for the Cortex-M4F cannot be fetched", why=lines[0] if lines else f"exit code {done.returncode}", hint=hint
        )
    return packages


def unpack_package(package: Path, target: Path) -> None:
    """Takes newlib's headers and the board's archives out of a Debian package: ``target/include`` and ``target/lib``.

    Only regular files are written, only below ``target``.
    """
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            _unpack_stream(process.stdout, target)
        except tarfile.TarError as error:
            raise ToolchainError(f"{package.name} is damaged", why=str(error), hint="run the command again") from error
        process.stdout.read()
    if process.returncode != 0:
        raise ToolchainError(f"{package.name} is damaged", why=f"dpkg-deb ends with {process.returncode}", hint="run the command again")


def _unpack_stream(stream: IO[bytes], target: Path) -> None:
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            place = _place(PurePosixPath(member.name))
            if place is None or not member.isfile():
                continue
            content = archive.extractfile(member)
            assert content is not None
            path = target / place
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                shutil.copyfileobj(content, file)


def _place(name: PurePosixPath) -> PurePosixPath | None:
    """Where a member belongs below the library's folder; None if it is not needed or leads out of it."""
    name = PurePosixPath(*(part for part in name.parts if part not in (".", "/")))
    if ".." in name.parts:
        return None
    if name.is_relative_to(_LIBRARY_FOLDER):
        rest = name.relative_to(_LIBRARY_FOLDER)
        return PurePosixPath("lib", rest) if str(rest) in _ARCHIVES else None
    if name.is_relative_to(_HEADERS):
        rest = name.relative_to(_HEADERS)
        variant = (
            PurePosixPath(*rest.parts[3:]) if len(rest.parts) > 3 and rest.parts[0] == "c++" and rest.parts[2] == "arm-none-eabi" else None
        )
        if variant is not None and not variant.is_relative_to(MULTILIB):
            return None
        return PurePosixPath("include", rest)
    return None


def fingerprint(library: CLibrary) -> str:
    """A digest of the archives that are linked, for the record of a build."""
    digest = hashlib.sha256(library.version.encode())
    for archive in library.archives:
        digest.update(bytes.fromhex(known_sha256(archive)))
    return digest.hexdigest()
