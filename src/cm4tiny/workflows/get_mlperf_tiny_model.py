# SPDX-License-Identifier: Apache-2.0
"""The step ``get,mlperf,tiny,model``: the model of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks.assets import AssetSource, model_file
from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.digests import file_sha256


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What ``get,mlperf,tiny,model`` is asked for."""

    mirror: Path | None = flag("CM_TINY_MIRROR")
    benchmark: str = value("CM_TINY_MODEL")
    assets: str = value("CM_TINY_ASSETS", default="embedded")
    precision: str = value("CM_ML_MODEL_PRECISION", default="int8")


def get_model(options: ModelOptions, step: Step) -> Outputs:
    """The model's file.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.benchmarks.assets.model_file`.
    """
    source = AssetSource(mirror=str(options.mirror or ""), events=step.events)
    path = model_file(options.benchmark, options.assets, precision=options.precision, source=source)
    step.digests[path.name] = file_sha256(path)
    return {"CM_ML_MODEL_FILE": path.name, "CM_ML_MODEL_FILE_WITH_PATH": path}
