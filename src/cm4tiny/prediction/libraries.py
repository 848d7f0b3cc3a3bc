# SPDX-License-Identifier: Apache-2.0
"""An engine's sources and library, made once per machine and kept by what decides their bytes."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

import cm4tiny
from cm4tiny.digests import file_sha256
from cm4tiny.errors import FirmwareError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.fetch import Mirror
from cm4tiny.firmware.engines.catalogue import build_library, read_library
from cm4tiny.firmware.engines.sources import engine_sources, read_sources
from cm4tiny.firmware.toolchain import Toolchain
from cm4tiny.paths import firmware_sources, user_cache

FOLDER = "engine-libraries"


def engine_library(engine: str, toolchain: Toolchain, mirror: Mirror | None, events: EventStream = SILENT) -> tuple[dict[str, str], str]:
    """Folders of an engine's sources by repository, and the path of its library.

    Raises:
        AssetError: the sources are not here and cannot be fetched. CompileError: they do not compile.
    """
    roots, commits = read_sources(engine, engine_sources(engine, mirror, events))
    folder = user_cache() / FOLDER / f"{engine}-{_key(engine, toolchain, commits)}"
    archive = folder / f"lib{engine}.a"
    with contextlib.suppress(FirmwareError):
        return _texts(roots), str(read_library(archive).archive)
    built = build_library(engine, roots, folder, toolchain=toolchain, commits=commits, events=events)
    assert built is not None
    return _texts(roots), str(built.archive)


def _texts(roots: dict[str, Path]) -> dict[str, str]:
    return {name: str(path) for name, path in roots.items()}


def _key(engine: str, toolchain: Toolchain, commits: dict[str, str]) -> str:
    """Version, compiler, upstream's commits, and the bytes of this project's part and of the list of sources."""
    here = Path(__file__).resolve().parents[1] / "firmware" / "engines"
    files = [here / "tflm.yaml", *sorted((firmware_sources() / "engines" / "tflm").iterdir())]
    facts = [cm4tiny.__version__, engine, toolchain.fingerprint, json.dumps(commits, sort_keys=True)]
    total = hashlib.sha256("\n".join(facts).encode())
    for file in files:
        total.update(file_sha256(file).encode())
    return total.hexdigest()[:16]
