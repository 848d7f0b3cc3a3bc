# SPDX-License-Identifier: Apache-2.0
"""The step ``get,mlperf,tiny,src``: MLCommons' tiny repository at the pinned commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks.official.table import official_table
from cm4tiny.cm import Outputs, Step, flag
from cm4tiny.fetch import Mirror, checkout

#: Keys of the repository's folders, as upstream's script names them.
TINY_FOLDERS = {
    "CM_MLPERF_TINY_BENCHMARK": "benchmark",
    "CM_MLPERF_TINY_DATASETS": "benchmark/evaluation/datasets",
    "CM_MLPERF_TINY_DATASETS_AD": "benchmark/evaluation/datasets/ad01",
    "CM_MLPERF_TINY_DATASETS_IC": "benchmark/evaluation/datasets/ic01",
    "CM_MLPERF_TINY_DATASETS_KWS": "benchmark/evaluation/datasets/kws01",
    "CM_MLPERF_TINY_DATASETS_KWS_OPEN": "benchmark/evaluation/datasets/kws01-open",
    "CM_MLPERF_TINY_DATASETS_VWW": "benchmark/evaluation/datasets/vww01",
    "CM_MLPERF_TINY_TRAINING": "benchmark/training",
    "CM_MLPERF_TINY_TRAINING_AD": "benchmark/training/anomaly_detection",
    "CM_MLPERF_TINY_TRAINING_IC": "benchmark/training/image_classification",
    "CM_MLPERF_TINY_TRAINING_KWS": "benchmark/training/keyword_spotting",
    "CM_MLPERF_TINY_TRAINING_VWW": "benchmark/training/visual_wake_words",
}


@dataclass(frozen=True, kw_only=True)
class TinySourcesOptions:
    """What ``get,mlperf,tiny,src`` is asked for."""

    mirror: Path | None = flag("CM_TINY_MIRROR")


def get_tiny_sources(options: TinySourcesOptions, step: Step) -> Outputs:
    """MLCommons' tiny repository.

    Raises:
        AssetError: it is not available at its commit.
    """
    source = official_table().source("mlcommons/tiny")
    tree = checkout(source, mirror=Mirror.named(options.mirror), events=step.events)
    folders = {key: tree / folder for key, folder in TINY_FOLDERS.items()}
    return {"CM_MLPERF_TINY_SRC": tree, "CM_MLPERF_TINY_SRC_COMMIT": source.commit, **folders}
