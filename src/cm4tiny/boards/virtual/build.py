"""Compiles the native backend: a few C files around unicorn, built once per machine with the host's C compiler.

Where the host has none, zig's clang does (a Python package, see :mod:`cm4tiny.wheels`), if it may be installed or was before.
The library lies in the user's cache under a name made from the sources, the compiler's version and unicorn's version and place, so
that it is never stale. Where the cache cannot be written, it is built into a temporary directory of the process.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from cm4tiny.errors import CompileError, ToolchainError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.paths import user_cache
from cm4tiny.wheels import ZIG_WHEEL, cache_environment, install_wheel, installed_program

SOURCES = Path(__file__).resolve().parent
FLAGS = ("-O2", "-g0", "-std=gnu11", "-Wall", "-Wextra", "-shared", "-fPIC", "-fvisibility=hidden", "-fno-sanitize=all")
COMPILERS = ("cc", "gcc", "clang")
_CURE = "install a C compiler (Debian: apt-get install gcc libc6-dev) or set CC; without one use backend='python', which is slow"


@dataclass(frozen=True)
class HostCompiler:
    """A C compiler of the host, the first line of its ``--version``, and environment that it needs."""

    command: tuple[str, ...]
    version: str
    environment: tuple[tuple[str, str], ...] = ()


def find_compiler(*, install: bool = False, events: EventStream = SILENT) -> HostCompiler:
    """``$CC``, else cc, gcc or clang, else zig's clang.

    Args:
        install: whether zig may be fetched into the user's cache.

    Raises:
        ToolchainError: there is none that runs.
    """
    asked = os.environ.get("CC")
    for candidate in (asked,) if asked else COMPILERS:
        command = tuple(candidate.split())
        if not command or shutil.which(command[0]) is None:
            continue
        try:
            answer = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError):
            continue
        return HostCompiler(command, answer.stdout.partition("\n")[0])
    zig = None if asked else _zig(install, events)
    if zig is not None:
        return zig
    tried = asked or ", ".join((*COMPILERS, ZIG_WHEEL.project))
    raise ToolchainError("the host has no C compiler for the virtual board", why=f"tried {tried}", cure=_CURE)


def _zig(install: bool, events: EventStream) -> HostCompiler | None:
    program = installed_program(ZIG_WHEEL)
    if program is None and install:
        try:
            program = install_wheel(ZIG_WHEEL, events)
        except ToolchainError as error:
            events.message("virtual NUCLEO-L4R5ZI", f"no C compiler on this host, and none could be fetched: {error.what}", "warning")
    if program is None:
        return None
    return HostCompiler((str(program), "cc"), f"{ZIG_WHEEL.project} {ZIG_WHEEL.version}", cache_environment())


def unicorn_folder() -> Path:
    """Where the unicorn wheel keeps its headers and library.

    Raises:
        ToolchainError: unicorn is not installed, or came without headers.
    """
    spec = importlib.util.find_spec("unicorn")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    if folder is None or not (folder / "include" / "unicorn" / "unicorn.h").is_file() or _library(folder) is None:
        raise ToolchainError(
            "unicorn's headers or library are missing", why=f"looked in {folder}", cure="pip install --force-reinstall unicorn==2.1.4"
        )
    return folder


def _library(folder: Path) -> Path | None:
    found = sorted((folder / "lib").glob("libunicorn.so*"))
    return found[0] if found else None


def source_files() -> tuple[Path, ...]:
    """The C files, in a fixed order."""
    return tuple(sorted((*SOURCES.glob("*.c"), *SOURCES.glob("*.h"))))


def library_key(compiler: HostCompiler, unicorn: Path) -> str:
    """Names a library by everything it is made from."""
    digest = hashlib.sha256()
    for part in (*FLAGS, *compiler.command, compiler.version, importlib.metadata.version("unicorn"), str(unicorn)):
        digest.update(part.encode() + b"\0")
    for path in source_files():
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:20]


def native_library(*, install: bool = False, events: EventStream = SILENT) -> Path:
    """The compiled backend, built if it is not there yet.

    Args:
        install: whether a compiler may be fetched where the host has none.

    Raises:
        ToolchainError: no compiler, or no unicorn headers.
        CompileError: the compiler refused.
    """
    compiler, unicorn = find_compiler(install=install, events=events), unicorn_folder()
    name = f"board-{library_key(compiler, unicorn)}.so"
    target = user_cache() / "virtual-board" / name
    if target.is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")):
            if not target.is_file():
                _compile(compiler, unicorn, target)
    except OSError:
        target = _process_folder() / name
        if not target.is_file():
            _compile(compiler, unicorn, target)
    return target


_process_folders: list[Path] = []


def _process_folder() -> Path:
    """A directory of this process, removed when it ends: for caches that cannot be written."""
    if not _process_folders:
        folder = Path(tempfile.mkdtemp(prefix="cm4tiny-virtual-board-"))
        _process_folders.append(folder)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return _process_folders[0]


def _compile(compiler: HostCompiler, unicorn: Path, target: Path) -> None:
    library = _library(unicorn)
    assert library is not None
    handle, temporary = tempfile.mkstemp(suffix=".so", dir=target.parent)
    os.close(handle)
    sources = [str(path) for path in source_files() if path.suffix == ".c"]
    command = [
        *compiler.command,
        *FLAGS,
        "-o",
        temporary,
        *sources,
        f"-I{unicorn / 'include'}",
        str(library),
        f"-Wl,-rpath,{library.parent}",
    ]
    environment = {**os.environ, **dict(compiler.environment)}
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, env=environment)
        if result.returncode != 0:
            raise CompileError("the virtual board's C code does not compile", why=result.stderr.strip()[-2000:], cure=_CURE)
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
