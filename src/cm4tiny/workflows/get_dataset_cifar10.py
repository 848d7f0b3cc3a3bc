# SPDX-License-Identifier: Apache-2.0
"""The step ``get,dataset,cifar10``: CIFAR-10's python version, and the samples of ic01 made from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks.assets import AssetSource, data_set
from cm4tiny.benchmarks.official.cifar10 import unpacked
from cm4tiny.benchmarks.official.eembc import EembcFolders, fill_datasets
from cm4tiny.cm import Outputs, Step, flag, value


@dataclass(frozen=True, kw_only=True)
class Cifar10Options:
    """What ``get,dataset,cifar10`` is asked for."""

    mirror: Path | None = flag("CM_TINY_MIRROR")
    archive: Path | None = flag("CM_TINY_IMPORT_ARCHIVE")
    eembc_root: Path | None = flag("CM_TINY_EEMBC_ROOT")
    eembc: bool = value("CM_TINY_FILL_EEMBC")
    tiny: bool = value("CM_DATASET_CONVERT_TO_TINYMLPERF")
    samples: str = value("CM_TINY_LIST")


def get_cifar10(options: Cifar10Options, step: Step) -> Outputs:
    """CIFAR-10's python version; with ``tiny`` also the samples of ic01 made from it.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.benchmarks.official.cifar10.unpacked` and :func:`cm4tiny.benchmarks.assets.data_set`.
    """
    archive = str(options.archive or "")
    source = AssetSource(str(options.mirror or ""), archive, options.samples, events=step.events)
    folder = unpacked(source.fetcher(), archive)
    found: dict[str, str | Path] = {"CM_DATASET_PATH": folder, "CM_DATASET_CIFAR10_PATH": folder}
    if options.tiny:
        samples = data_set("ic", "mlcommons", source=source).root
        found["CM_DATASET_CIFAR10_TINYMLPERF_PATH"] = samples
        if options.eembc or options.eembc_root:
            fill_datasets(EembcFolders.at(str(options.eembc_root or "")), samples, "ic01")
    return found
