# SPDX-License-Identifier: Apache-2.0
"""Gets the model of a benchmark."""

from pathlib import Path

from cm4tiny import cm
from cm4tiny.benchmarks.assets import AssetSource, model_file
from cm4tiny.fetch.hashes import file_digest


@cm.step
def preprocess(step):
    source = AssetSource(mirror=step.path("CM_TINY_MIRROR"), events=step.events)
    precision = step.env.get("CM_ML_MODEL_PRECISION", "int8")
    path = model_file(step.env["CM_TINY_MODEL"], step.env["CM_TINY_ASSETS"], precision=precision, source=source)
    step.env["CM_ML_MODEL_FILE"] = Path(path).name
    step.env["CM_ML_MODEL_FILE_WITH_PATH"] = str(path)
    step.digests[Path(path).name] = file_digest(Path(path))
