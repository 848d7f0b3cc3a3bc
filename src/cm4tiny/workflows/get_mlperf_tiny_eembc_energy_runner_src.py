# SPDX-License-Identifier: Apache-2.0
"""The step ``get,eembc,energyrunner,src``: EEMBC's repository at the pinned commit; its runner's folders are filled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks.official.eembc import EembcFolders, fill_datasets
from cm4tiny.benchmarks.official.table import official_table
from cm4tiny.cm import Outputs, Step, flag
from cm4tiny.fetch import Mirror, checkout


@dataclass(frozen=True, kw_only=True)
class EnergyRunnerOptions:
    """What ``get,eembc,energyrunner,src`` is asked for."""

    mirror: Path | None = flag("CM_TINY_MIRROR")
    eembc_root: Path | None = flag("CM_TINY_EEMBC_ROOT")


def get_energy_runner(options: EnergyRunnerOptions, step: Step) -> Outputs:
    """EEMBC's repository; the runner's folders are filled with its data sets.

    Raises:
        AssetError: it is not available at its commit.
    """
    source = official_table().source("eembc/energyrunner")
    tree = checkout(source, mirror=Mirror.named(options.mirror), events=step.events)
    folders = EembcFolders.at(str(options.eembc_root or ""))
    fill_datasets(folders, tree / "datasets", replace=False)
    return {
        "CM_EEMBC_ENERGY_RUNNER_SRC": tree,
        "CM_EEMBC_ENERGY_RUNNER_SRC_DATASETS": tree / "datasets",
        "CM_EEMBC_ENERGY_RUNNER_SESSIONS": folders.sessions,
        "CM_EEMBC_ENERGY_RUNNER_DATASETS": folders.datasets,
    }
