# SPDX-License-Identifier: Apache-2.0
"""Gets CIFAR-10's python version and, with _tiny, the samples of ic01 made from it."""

from cm4tiny import cm
from cm4tiny.benchmarks.assets import AssetSource, data_set
from cm4tiny.benchmarks.official import EembcFolders, fill_datasets
from cm4tiny.benchmarks.official.cifar10 import unpacked


@cm.step
def preprocess(step):
    archive = step.path("CM_TINY_IMPORT_ARCHIVE")
    source = AssetSource(step.path("CM_TINY_MIRROR"), archive, step.env.get("CM_TINY_LIST", ""), events=step.events)
    folder = unpacked(source.fetcher(), archive)
    step.env["CM_DATASET_PATH"] = step.env["CM_DATASET_CIFAR10_PATH"] = str(folder)
    if step.env.get("CM_DATASET_CONVERT_TO_TINYMLPERF") == "yes":
        samples = data_set("ic", "mlcommons", source=source).root
        step.env["CM_DATASET_CIFAR10_TINYMLPERF_PATH"] = str(samples)
        if step.env.get("CM_TINY_FILL_EEMBC") or step.env.get("CM_TINY_EEMBC_ROOT"):
            fill_datasets(EembcFolders.at(step.path("CM_TINY_EEMBC_ROOT")), samples, "ic01")
