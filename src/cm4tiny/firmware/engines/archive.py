# SPDX-License-Identifier: Apache-2.0
"""Compiles third-party sources into a static library: same sources, same switches, same tool chain, same bytes.

Sources are compiled by names relative to a folder of links (``src/<repository>/...``), so no path of the machine gets into an object.
"""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.disk import naming_full_disk, refuse_full_disk
from cm4tiny.errors import AssetError, CompileError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import move_into_place
from cm4tiny.firmware.toolchain import Toolchain
from cm4tiny.scratch import scratch_folder
from cm4tiny.settings import cores

UNIT_TIMEOUT_S = 600


@dataclass(frozen=True)
class TranslationUnit:
    """One object: ``source`` relative to the folder of links, ``name`` of the object, all ``flags``."""

    source: str
    name: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class CompileJob:
    """What to put into a library.

    Attributes:
        roots: repository name -> checkout.
        units: the objects.
        texts: generated files, by name relative to the folder of links.
        precompiled: name of a header of ``texts`` to compile first, with the switches to do so; every unit that is to use it names it by
            ``-include``.
    """

    roots: Mapping[str, Path]
    units: tuple[TranslationUnit, ...]
    texts: Mapping[str, str]
    precompiled: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class EngineLibrary:
    """A compiled engine: ``archive`` is the static library, ``key`` a digest of what it was made from."""

    engine: str
    archive: Path
    key: str


def build_archive(job: CompileJob, target: Path, toolchain: Toolchain, *, step: str, events: EventStream = SILENT, jobs: int = 0) -> Path:
    """Compiles all units and writes ``target`` (``*.a``), at once when everything is done.

    Raises:
        AssetError: a source is missing. CompileError: with the first errors and the command.
    """
    missing = [f"{name}: {path}" for name, path in job.roots.items() if not path.is_dir()]
    if missing:
        raise AssetError("sources are missing", why="; ".join(missing), hint="fetch them again: add --new")
    target.parent.mkdir(parents=True, exist_ok=True)
    full = naming_full_disk("building an engine's library", target.parent)
    with full, scratch_folder("library", target.parent) as staging, events.step(step) as outcome:
        _lay_out(job, staging)
        total = len(job.units) + 2
        if job.precompiled is not None:
            header, flags = job.precompiled
            _compile(toolchain, [*flags, "-x", "c++-header", header, "-o", f"{header}.gch"], staging, header)
        events.progress(step, 1, total)

        def one(unit: TranslationUnit) -> None:
            _compile(toolchain, [*unit.flags, "-c", unit.source, "-o", f"obj/{unit.name}.o"], staging, unit.source)

        with ThreadPoolExecutor(max_workers=jobs or cores()) as pool:
            try:
                for count, _ in enumerate(pool.map(one, job.units), start=2):
                    events.progress(step, count, total)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        _archive(toolchain, [f"obj/{unit.name}.o" for unit in sorted(job.units, key=lambda u: u.name)], staging)
        move_into_place(staging / "library.a", target)
        outcome.note = f"{len(job.units)} objects, {target.stat().st_size // 1024} KB"
    return target


def _lay_out(job: CompileJob, staging: Path) -> None:
    (staging / "src").mkdir()
    (staging / "obj").mkdir()
    for name, root in job.roots.items():
        (staging / "src" / name).symlink_to(root.resolve(), target_is_directory=True)
    for name, text in job.texts.items():
        path = staging / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    for unit in job.units:
        if not (staging / unit.source).is_file():
            raise AssetError(
                f"the source file {unit.source.removeprefix('src/')} is missing",
                why="the checkout is not the pinned commit, or it is incomplete",
                hint="fetch the sources again: add --new",
            )


def _compile(toolchain: Toolchain, command: list[str], staging: Path, source: str) -> None:
    try:
        done = toolchain.run(command, cwd=staging, timeout_s=UNIT_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompileError(f"{toolchain.cc[0]} does not run", why=str(error), hint="choose another tool chain") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        errors = [line for line in lines if "error" in line] or lines
        raise CompileError(
            f"{toolchain.cc[0]} cannot compile {source.removeprefix('src/')}",
            why="\n".join(errors[:5]) or f"exit code {done.returncode}",
            hint=f"the command was: {shlex.join([*toolchain.cc, *command])}",
        )


def _archive(toolchain: Toolchain, objects: list[str], staging: Path) -> None:
    archiver = toolchain.run(["-print-prog-name=ar"], cwd=staging, timeout_s=60).stdout.strip()
    done = subprocess.run(
        [archiver, "rcsD", "library.a", *objects], cwd=staging, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        refuse_full_disk("building an engine's library", done.stderr, staging)
        raise CompileError(f"{archiver} cannot make a library", why=done.stderr.strip()[:300], hint="choose another tool chain")


def digest(job: CompileJob, toolchain: Toolchain, extra: str = "") -> str:
    """SHA-256 over everything that decides the library's bytes; headers count by their repositories' commits, which ``extra`` names."""
    total = hashlib.sha256(f"{toolchain.fingerprint}\n{extra}\n".encode())
    for unit in sorted(job.units, key=lambda u: u.name):
        total.update(f"{unit.name} {unit.source} {shlex.join(unit.flags)}\n".encode())
    for name in sorted(job.texts):
        total.update(f"{name}\n{job.texts[name]}".encode())
    return total.hexdigest()
