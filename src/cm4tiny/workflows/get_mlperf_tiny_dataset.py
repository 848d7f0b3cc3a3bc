# SPDX-License-Identifier: Apache-2.0
"""The step ``get,mlperf,tiny,dataset``: the evaluation samples of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks.assets import AssetSource, run_inputs, streaming_set
from cm4tiny.benchmarks.official.eembc import EembcFolders, fill_datasets
from cm4tiny.cm import Outputs, Step, flag, value


@dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """What ``get,mlperf,tiny,dataset`` is asked for."""

    mirror: Path | None = flag("CM_TINY_MIRROR")
    archive: Path | None = flag("CM_TINY_IMPORT_ARCHIVE")
    path: Path | None = flag("CM_TINY_IMPORT_PATH")
    eembc_root: Path | None = flag("CM_TINY_EEMBC_ROOT")
    eembc: bool = value("CM_TINY_FILL_EEMBC")
    benchmark: str = value("CM_TINY_MODEL")
    assets: str = value("CM_TINY_ASSETS", default="embedded")
    mode: str = value("CM_TINY_MODE", default="accuracy")
    samples: str = value("CM_TINY_LIST")


def get_dataset(options: DatasetOptions, step: Step) -> Outputs:
    """The folder of the evaluation samples; with ``eembc`` the folders of EEMBC's runner are filled as well.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.benchmarks.assets.run_inputs`.
    """
    source = AssetSource(str(options.mirror or ""), str(options.archive or options.path or ""), options.samples, events=step.events)
    if options.benchmark == "sww":
        folder = streaming_set(source=source)
    else:
        folder = run_inputs(options.benchmark, options.assets, mode=options.mode, source=source).root
    found: dict[str, str | Path] = {f"CM_MLPERF_TINY_DATASETS_{options.benchmark.upper()}": folder}
    if options.eembc or options.eembc_root:
        folders = EembcFolders.at(str(options.eembc_root or ""))
        fill_datasets(folders, folder, folder.name)
        found["CM_EEMBC_ENERGY_RUNNER_DATASETS"] = folders.datasets
    return found
