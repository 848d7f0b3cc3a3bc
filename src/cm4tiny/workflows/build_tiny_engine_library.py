# SPDX-License-Identifier: Apache-2.0
"""The step ``build,tiny,engine,library``: the part of an engine that is the same for all models, as a static library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.errors import UsageError
from cm4tiny.firmware.engines.catalogue import build_library
from cm4tiny.firmware.engines.sources import read_sources
from cm4tiny.firmware.toolchain import find_toolchain


@dataclass(frozen=True, kw_only=True)
class EngineLibraryOptions:
    """What the step is asked for."""

    toolchain: str = flag("CM_TINY_TOOLCHAIN", default="auto")
    mirror: Path | None = flag("CM_TINY_MIRROR")
    engine: str = value("CM_TINY_ENGINE")
    toolchain_kind: str = value("CM_TINY_TOOLCHAIN_KIND", needs="run the step get,tiny,toolchain first")
    sources: dict[str, str] = value("CM_TINY_ENGINE_SRC_*")


def build_engine_library(options: EngineLibraryOptions, step: Step) -> Outputs:
    """Compiles the library.

    Raises:
        UsageError: the engine has none. Cm4TinyError: as :func:`cm4tiny.firmware.engines.catalogue.build_library`.
    """
    roots, commits = read_sources(options.engine, options.sources)
    toolchain = find_toolchain(options.toolchain_kind, install=False)
    built = build_library(options.engine, roots, step.folder / "library", toolchain=toolchain, commits=commits, events=step.events)
    if built is None:
        raise UsageError(f"the engine {options.engine} has no library", hint="choose _tflm, _tflm_cmsis_nn or _octoml_cmsis_nn")
    return {
        "CM_TINY_ENGINE_LIBRARY": built.archive,
        "CM_TINY_ENGINE_LIBRARY_KEY": built.key,
        "CM_TINY_ENGINE_LIBRARY_FINGERPRINT": built.key,
    }
