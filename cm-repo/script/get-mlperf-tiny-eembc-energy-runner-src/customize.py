# SPDX-License-Identifier: Apache-2.0
"""Gets EEMBC's energyrunner repository at the pinned commit and fills the runner's folders with its data sets."""

from cm4tiny import cm
from cm4tiny.benchmarks.official import EembcFolders, fill_datasets, official_table
from cm4tiny.fetch import Mirror, checkout


@cm.step
def preprocess(step):
    source = official_table().source("eembc/energyrunner")
    tree = checkout(source, mirror=Mirror.named(step.path("CM_TINY_MIRROR")), events=step.events)
    folders = EembcFolders.at(step.path("CM_TINY_EEMBC_ROOT"))
    fill_datasets(folders, tree / "datasets", replace=False)
    step.env["CM_EEMBC_ENERGY_RUNNER_SRC"] = str(tree)
    step.env["CM_EEMBC_ENERGY_RUNNER_SRC_DATASETS"] = str(tree / "datasets")
    step.env["CM_EEMBC_ENERGY_RUNNER_SESSIONS"] = str(folders.sessions)
    step.env["CM_EEMBC_ENERGY_RUNNER_DATASETS"] = str(folders.datasets)
