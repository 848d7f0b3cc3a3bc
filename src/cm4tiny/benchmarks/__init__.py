# SPDX-License-Identifier: Apache-2.0
"""The benchmarks: what they are, their models and their data sets.

Everything above (firmware, runner, CM scripts) learns from here what a benchmark sends, answers and must reach.
"""

from cm4tiny.benchmarks.data_set import DataSet
from cm4tiny.benchmarks.embedded import EmbeddedFile, embedded_data_set, embedded_index, embedded_model
from cm4tiny.benchmarks.labels import Sample, read_labels
from cm4tiny.benchmarks.table import ALL_BENCHMARKS, BENCHMARKS, ROUNDS, SAMPLED, Benchmark, chosen_benchmarks, get_benchmark

__all__ = [
    "ALL_BENCHMARKS",
    "BENCHMARKS",
    "ROUNDS",
    "SAMPLED",
    "Benchmark",
    "DataSet",
    "EmbeddedFile",
    "Sample",
    "chosen_benchmarks",
    "embedded_data_set",
    "embedded_index",
    "embedded_model",
    "get_benchmark",
    "read_labels",
]
