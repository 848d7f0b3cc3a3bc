# SPDX-License-Identifier: Apache-2.0
"""Gets MLCommons' tiny repository at the pinned commit."""

from cm4tiny import cm
from cm4tiny.benchmarks.official import official_table
from cm4tiny.fetch import Mirror, checkout

FOLDERS = {
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


@cm.step
def preprocess(step):
    source = official_table().source("mlcommons/tiny")
    tree = checkout(source, mirror=Mirror.named(step.path("CM_TINY_MIRROR")), events=step.events)
    step.env["CM_MLPERF_TINY_SRC"] = str(tree)
    step.env["CM_MLPERF_TINY_SRC_COMMIT"] = source.commit
    for key, folder in FOLDERS.items():
        step.env[key] = str(tree / folder)
