# SPDX-License-Identifier: Apache-2.0
"""The step ``get,tiny,engine,src``: the third-party sources that an engine is built from, at their pinned commits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.fetch import Mirror
from cm4tiny.firmware.engines.sources import engine_sources


@dataclass(frozen=True, kw_only=True)
class EngineSourcesOptions:
    """What the step is asked for."""

    mirror: Path | None = flag("CM_TINY_MIRROR")
    engine: str = value(
        "CM_TINY_ENGINE", needs="choose the engine: add _tflm, _tflm_cmsis_nn, _octoml_native or _octoml_cmsis_nn to the tags"
    )


def get_engine_sources(options: EngineSourcesOptions, step: Step) -> Outputs:
    """Checks the sources out.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.firmware.engines.sources.engine_sources`.
    """
    return engine_sources(options.engine, Mirror.named(options.mirror), step.events)
