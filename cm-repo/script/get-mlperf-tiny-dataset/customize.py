# SPDX-License-Identifier: Apache-2.0
"""Gets the evaluation samples of a benchmark."""

from cm4tiny import cm
from cm4tiny.benchmarks.assets import AssetSource, run_inputs, streaming_set
from cm4tiny.benchmarks.official import EembcFolders, fill_datasets


@cm.step
def preprocess(step):
    given = step.path("CM_TINY_IMPORT_ARCHIVE") or step.path("CM_TINY_IMPORT_PATH")
    source = AssetSource(step.path("CM_TINY_MIRROR"), given, step.env.get("CM_TINY_LIST", ""), events=step.events)
    benchmark = step.env["CM_TINY_MODEL"]
    if benchmark == "sww":
        folder = streaming_set(source=source)
    else:
        mode = step.env.get("CM_TINY_MODE") or "accuracy"
        folder = run_inputs(benchmark, step.env["CM_TINY_ASSETS"], mode=mode, source=source).root
    step.env[f"CM_MLPERF_TINY_DATASETS_{benchmark.upper()}"] = str(folder)
    if step.env.get("CM_TINY_FILL_EEMBC") or step.env.get("CM_TINY_EEMBC_ROOT"):
        folders = EembcFolders.at(step.path("CM_TINY_EEMBC_ROOT"))
        fill_datasets(folders, folder, folder.name)
        step.env["CM_EEMBC_ENERGY_RUNNER_DATASETS"] = str(folders.datasets)
