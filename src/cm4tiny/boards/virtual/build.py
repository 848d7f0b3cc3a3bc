# SPDX-License-Identifier: Apache-2.0
"""Compiles the machine: a few C files around unicorn, built once per machine with the host's C compiler.

Where the host has none, zig's clang does (a Python package, see :mod:`cm4tiny.wheels`), if it may be installed or was before.
The library lies in the user's cache under a name made from the sources, the compiler's version and unicorn's bytes, so that it is never
stale. Where the cache cannot be written, it is built into a temporary directory of the process.

It makes every figure, so it is used for its bytes and not for its name: the digest that was taken when it was linked lies next to it, the
bytes are compared with it whenever a board is opened, and those very bytes are loaded. A damaged library is built again.
unicorn's own library is compared with the digest in the record of its wheel.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from cm4tiny.boards.boards import BoardDescription, default_board
from cm4tiny.boards.virtual import chip_header
from cm4tiny.digests import known_sha256
from cm4tiny.disk import naming_full_disk, refuse_full_disk
from cm4tiny.errors import BoardError, CompileError, LockingError, ToolchainError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import move_into_place
from cm4tiny.locks import acquire
from cm4tiny.paths import user_cache
from cm4tiny.scratch import scratch_folder
from cm4tiny.settings import sanitizing
from cm4tiny.wheels import ZIG_WHEEL, PinnedWheel, borrowed_program, cache_environment

SOURCES = Path(__file__).resolve().parent
FLAGS = ("-O2", "-g0", "-std=gnu11", "-Wall", "-Wextra", "-shared", "-fPIC", "-fvisibility=hidden", "-fno-sanitize=all")
SANITIZED = ("-O1", "-g", *FLAGS[2:-1], "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
"""With CM_TINY_SANITIZE=yes. The process needs LD_PRELOAD=libasan.so; see docs/virtual-board.md."""
COMPILERS = ("cc", "gcc", "clang")
_TIMEOUT_S = 600
_STEP = "virtual board"
_HINT_UNICORN = "reinstall it:\npip install --force-reinstall --no-deps unicorn==2.1.4"
_HINT = (
    "set CC, or install a C compiler (on Debian the packages gcc and libc6-dev), or let one be fetched as a Python package:\n"
    "cm run script --tags=get,tiny,board"
)


@dataclass(frozen=True)
class HostCompiler:
    """A C compiler of the host, the first line of its ``--version``, and the wheel that it has to be fetched with, if it is not there."""

    command: tuple[str, ...]
    version: str
    wheel: PinnedWheel | None = None


@dataclass(frozen=True)
class Unicorn:
    """The installed unicorn: its folder with the headers, its library, version and the library's digest."""

    folder: Path
    library: Path
    version: str
    sha256: str


@dataclass(frozen=True)
class NativeLibrary:
    """The compiled machine, with the bytes that were compared.

    Attributes:
        board: that it emulates.
        path: where it lies.
        sha256: of ``content``.
        sources: one digest of the C files and the header that it was made from.
        compiler: that made it, with its version.
        unicorn: what it runs on.
        content: its bytes.
    """

    board: BoardDescription
    path: Path
    sha256: str
    sources: str
    compiler: str
    unicorn: Unicorn
    content: bytes = field(repr=False)

    def facts(self) -> dict[str, Any]:
        """What a report says about the emulator."""
        return {
            "backend": "native",
            "library_sha256": self.sha256,
            "sources_sha256": package_sha256(self.board),
            "compiler": self.compiler,
            "unicorn": self.unicorn.version,
            "unicorn_sha256": self.unicorn.sha256,
        }


def find_compiler() -> HostCompiler:
    """``$CC``, else cc, gcc or clang, else zig's clang, which is fetched when something is compiled.

    Raises:
        ToolchainError: the one that is asked for does not run.
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
    if asked:
        raise _no_compiler(f"CC asks for {asked}, which does not run")
    return HostCompiler(("zig", "cc"), f"{ZIG_WHEEL.project} {ZIG_WHEEL.version}", ZIG_WHEEL)


def _no_compiler(why: str) -> ToolchainError:
    return ToolchainError("the host has no C compiler for the virtual board", why=why, hint=_HINT)


@contextlib.contextmanager
def _runnable(compiler: HostCompiler, folder: Path, install: bool, events: EventStream) -> Iterator[tuple[list[str], dict[str, str]]]:
    """The compiler's command and environment; zig's tree of 250 MB is fetched for one compilation, and does not stay."""
    environment = {**os.environ, "LC_ALL": "C"}
    if compiler.wheel is None:
        yield list(compiler.command), environment
        return
    if not install and not compiler.wheel.home.is_dir():
        raise _no_compiler(f"tried {', '.join((*COMPILERS, compiler.wheel.project))}")
    with contextlib.ExitStack() as left:
        try:
            program = left.enter_context(borrowed_program(compiler.wheel, events))
        except ToolchainError as error:
            raise _no_compiler(f"none of {', '.join(COMPILERS)} runs, and {error.what}: {error.why}") from error
        yield [str(program), *compiler.command[1:]], {**environment, **dict(cache_environment(folder / "zig-cache"))}


def find_unicorn() -> Unicorn:
    """unicorn's headers and library.

    Raises:
        ToolchainError: unicorn is not installed, or came without headers.
        BoardError: its library is not the one that was installed.
    """
    spec = importlib.util.find_spec("unicorn")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    library = next(iter(sorted((folder / "lib").glob("libunicorn.so*"))), None) if folder is not None else None
    if folder is None or library is None or not (folder / "include" / "unicorn" / "unicorn.h").is_file():
        raise ToolchainError("unicorn's headers or library are missing", why=f"looked in {folder}", hint=_HINT_UNICORN)
    sha256 = known_sha256(library)
    recorded = _recorded_sha256(library.name)
    if recorded not in ("", sha256):
        raise BoardError(
            f"the emulator's library {library} is damaged",
            why=f"its SHA-256 is {sha256}, its wheel was installed with {recorded}",
            hint=_HINT_UNICORN,
        )
    return Unicorn(folder, library, importlib.metadata.version("unicorn"), sha256)


@lru_cache(maxsize=4)
def _recorded_sha256(name: str) -> str:
    """What the record of unicorn's wheel says about a library; empty if it was not installed as a wheel."""
    for file in importlib.metadata.files("unicorn") or ():
        if file.name == name and file.hash is not None and file.hash.mode == "sha256":
            return base64.urlsafe_b64decode(file.hash.value + "=" * (-len(file.hash.value) % 4)).hex()
    return ""


def flags() -> tuple[str, ...]:
    """The compiler's flags, by CM_TINY_SANITIZE."""
    return SANITIZED if sanitizing() else FLAGS


def source_files() -> tuple[Path, ...]:
    """The C files, in a fixed order."""
    return tuple(sorted((*SOURCES.glob("*.c"), *SOURCES.glob("*.h"))))


def sources_sha256(board: BoardDescription | None = None) -> str:
    """One digest of all C files and their names, and of the header that is made for a board."""
    return _digest_of(source_files(), chip_header.description_header(board or default_board()))


def package_sha256(board: BoardDescription | None = None) -> str:
    """One digest of all sources of the virtual board, C, Python and the descriptions: the cost of a block is computed in Python."""
    board = board or default_board()
    return _digest_of(sorted((*source_files(), *SOURCES.glob("*.py"))), board.sha256 + board.chip.sha256)


def _digest_of(paths: Iterable[Path], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def library_key(compiler: HostCompiler, unicorn: Unicorn, board: BoardDescription | None = None) -> str:
    """Names a library by everything it is made from."""
    digest = hashlib.sha256()
    for part in (*flags(), *compiler.command, compiler.version, unicorn.version, unicorn.sha256, sources_sha256(board)):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:20]


def native_library(board: BoardDescription | None = None, *, install: bool = False, events: EventStream = SILENT) -> NativeLibrary:
    """The compiled machine, built if it is not there yet or not what it was when it was built.

    Args:
        board: that it emulates; None: the default board.
        install: whether a compiler may be fetched where the host has none.

    Raises:
        ToolchainError: no compiler, or no unicorn headers.
        DescriptionError: the board's chip is not one that can be emulated.
        CompileError: the compiler refused. DiskFullError: there is no room for it.
        BoardError: unicorn's library is damaged.
        BusyError: another process has been building it for too long.
    """
    board = board or default_board()
    compiler, unicorn = find_compiler(), find_unicorn()
    target = user_cache() / "virtual-board" / f"board-{library_key(compiler, unicorn, board)}.so"
    found = _read(board, target, unicorn, events)
    if found is not None:
        return found
    try:
        with naming_full_disk("building the virtual board", target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            _remove_partial(target.parent)
            with acquire(target.with_suffix(".lock"), wait_s=_TIMEOUT_S, subject="the virtual board's library"):
                found = _read(board, target, unicorn, SILENT)
                return found if found is not None else _compile(board, compiler, unicorn, target, install, events)
    except (LockingError, OSError):
        target = _process_folder() / target.name
        found = _read(board, target, unicorn, events)
        return found if found is not None else _compile(board, compiler, unicorn, target, install, events)


def emulator_facts(board: BoardDescription | None = None, *, install: bool = False, events: EventStream = SILENT) -> dict[str, Any]:
    """What a report says about the emulator of this machine. Raises as :func:`native_library` does."""
    return native_library(board, install=install, events=events).facts()


def _read(board: BoardDescription, target: Path, unicorn: Unicorn, events: EventStream) -> NativeLibrary | None:
    """The library with the bytes of its record; None if there is none or it is damaged."""
    try:
        content = target.read_bytes()
        record = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))
        sha256 = hashlib.sha256(content).hexdigest()
        if record["sha256"] != sha256:
            raise ValueError(f"its SHA-256 is {sha256}, it was built as {record['sha256']}")
        return NativeLibrary(board, target, sha256, str(record["sources"]), str(record["compiler"]), unicorn, content)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if target.exists():
            events.message(_STEP, f"{target} is not what was built ({error}): it is built again", "warning")
        return None


def _remove_partial(folder: Path) -> None:
    """Removes what builds left that were killed; each of this version works in a scratch folder, earlier ones wrote tmp*.so."""
    for path in folder.glob("tmp*.so"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _TIMEOUT_S:
                path.unlink()


_process_folders = contextlib.ExitStack()
_made: list[Path] = []


def _process_folder() -> Path:
    """A directory of this process, removed when it ends: for caches that cannot be written."""
    if not _made:
        _made.append(_process_folders.enter_context(scratch_folder("virtual-board")))
        atexit.register(_process_folders.close)
    return _made[0]


def _compile(
    board: BoardDescription, compiler: HostCompiler, unicorn: Unicorn, target: Path, install: bool, events: EventStream
) -> NativeLibrary:
    sources = [str(path) for path in source_files() if path.suffix == ".c"]
    with scratch_folder("build", target.parent) as folder:
        made = folder / target.name
        (folder / chip_header.NAME).write_text(chip_header.description_header(board), encoding="ascii")
        includes = [f"-I{folder}", f"-I{unicorn.folder / 'include'}"]
        arguments = [*flags(), "-o", str(made), *sources, *includes, str(unicorn.library)]
        with _runnable(compiler, folder, install, events) as (command, env):
            result = subprocess.run(
                [*command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S, env=env, check=False
            )
        if result.returncode != 0:
            refuse_full_disk("building the virtual board", result.stderr, folder)
            raise CompileError("the virtual board's C code does not compile", why=result.stderr.strip()[-2000:], hint=_HINT)
        content = made.read_bytes()
        record: dict[str, Any] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "sources": sources_sha256(board),
            "compiler": compiler.version,
            "unicorn": {"version": unicorn.version, "sha256": unicorn.sha256},
        }
        (folder / "record.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        move_into_place(made, target)
        move_into_place(folder / "record.json", target.with_suffix(".json"))
    return NativeLibrary(board, target, record["sha256"], record["sources"], compiler.version, unicorn, content)
