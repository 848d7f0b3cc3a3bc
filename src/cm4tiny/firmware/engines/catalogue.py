# SPDX-License-Identifier: Apache-2.0
"""The engines by name, and what the steps need to know of them before anything is fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from cm4tiny.digests import known_sha256
from cm4tiny.errors import FirmwareError, UsageError, nearest
from cm4tiny.events import SILENT, EventStream
from cm4tiny.firmware.c_library import find_c_library
from cm4tiny.firmware.engines import octoml, tflm
from cm4tiny.firmware.engines.archive import EngineLibrary
from cm4tiny.firmware.toolchain import Toolchain

MICROTVM = "microtvm"
ENGINES = (MICROTVM, *tflm.VARIANTS, *octoml.VARIANTS)
RECORD = "library.json"


def check_engine(name: str) -> None:
    """Raises UsageError if there is no engine of this name."""
    if name not in ENGINES:
        raise UsageError(f"there is no engine called '{name}'", hint=nearest(name, ENGINES) or f"choose one of {', '.join(ENGINES)}")


def repositories(engine: str) -> tuple[str, ...]:
    """Names of the repositories whose sources an engine is built from; none for our own."""
    check_engine(engine)
    if engine in tflm.VARIANTS:
        return tflm.repositories(engine)
    return octoml.REPOSITORIES if engine in octoml.VARIANTS else ()


def takes_model(engine: str) -> bool:
    """Whether the engine compiles any model; OctoML's submission is the compiled model itself."""
    check_engine(engine)
    return engine not in octoml.VARIANTS


def published_folders(engine: str) -> tuple[str, ...]:
    """Result folders of past rounds in which the engine's very code ran on the real board; none for engines of today."""
    return octoml.published(engine) if engine in octoml.VARIANTS else ()


def build_library(
    engine: str,
    roots: Mapping[str, Path],
    folder: Path,
    *,
    toolchain: Toolchain,
    commits: Mapping[str, str],
    events: EventStream = SILENT,
    jobs: int = 0,
) -> EngineLibrary | None:
    """The part of an engine that is the same for all models, as a static library in ``folder``; None if the part does not exist.

    Raises:
        UsageError: no such engine. ToolchainError: no C library for it. AssetError, CompileError: as the engine says.
    """
    check_engine(engine)
    if engine == MICROTVM:
        return None
    build = tflm.build_library if engine in tflm.VARIANTS else octoml.build_library
    library = find_c_library(toolchain, events=events)
    built: EngineLibrary | None = build(
        engine, roots, folder, toolchain=toolchain, library=library, commits=commits, events=events, jobs=jobs
    )
    if built is not None:
        record = {
            "engine": engine,
            "archive": built.archive.name,
            "sha256": known_sha256(built.archive),
            "key": built.key,
            "commits": dict(sorted(commits.items())),
        }
        (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return built


def read_library(archive: Path) -> EngineLibrary:
    """A library that :func:`build_library` wrote before.

    Raises:
        FirmwareError: there is none, or no record of it.
    """
    try:
        record = json.loads((archive.parent / RECORD).read_text(encoding="utf-8"))
        if record["archive"] != archive.name or not archive.is_file():
            raise ValueError(f"it describes {record['archive']}")
        if record["sha256"] != known_sha256(archive):
            raise ValueError(f"{archive.name} is not the library that {RECORD} describes")
        return EngineLibrary(str(record["engine"]), archive, str(record["key"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FirmwareError(
            f"{archive} is not a usable engine library", why=str(error), hint="rebuild it: add --new to the command"
        ) from error
