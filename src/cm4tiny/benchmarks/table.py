# SPDX-License-Identifier: Apache-2.0
"""The benchmarks as a table: what each one is called, sends, answers and must reach.

The facts are in ``benchmarks.yaml`` (sources are named there); this module turns its rows into frozen objects and checks what a JSON
Schema cannot: that the numbers of one row agree with each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.errors import AssetError, UsageError, nearest

_HERE = Path(__file__).resolve().parent
_ITEM_BYTES = {"float32": 4, "uint8": 1, "int8": 1}


@dataclass(frozen=True)
class Benchmark:
    """One benchmark of MLPerf Tiny.

    Attributes:
        id: ``ad``, ``ic``, ``kws``, ``vww``, ``ic02`` or ``sww``.
        name: human-readable, e.g. ``keyword spotting``.
        embedded: this project has made a model and samples of its own for it, so that it runs without a download.
        default_job: it is one of those that ``all`` means.
        since: the first round that has it, e.g. ``v1.4``.
        model_id: what the firmware answers as ``m-model-[...]``, e.g. ``kws01``.
        data_set: folder name of the data set, e.g. ``kws01``.
        input_kind: what the bytes sent by ``db`` are: ``float32`` (little endian), ``uint8`` (the firmware subtracts 128) or ``int8``.
        input_bytes: bytes sent per inference.
        stride_bytes: distance of two inferences in a file of the data set; 0: one inference per file.
        model_input_shape: shape of the model's int8 input tensor.
        model_output_shape: shape of the model's int8 output tensor.
        classes: number of labels.
        results: numbers in ``m-results-[...]``.
        output_kind: what these numbers can be: ``softmax`` (in [0, 1], their sum is 1), ``score`` (not negative) or ``numbers`` (finite).
        metric: ``top-1`` (per cent), ``auc`` (0 to 1), or ``false-detections`` (a count, for positives and negatives alike).
        quality_target: the least value of the metric that the rules accept, in the metric's unit; for ``false-detections`` the greatest.
        labels: names of the classes by label.
    """

    id: str
    name: str
    embedded: bool
    default_job: bool
    since: str
    model_id: str
    data_set: str
    input_kind: str
    input_bytes: int
    stride_bytes: int
    model_input_shape: tuple[int, ...]
    model_output_shape: tuple[int, ...]
    classes: int
    results: int
    output_kind: str
    metric: str
    quality_target: float
    labels: tuple[str, ...]

    @property
    def input_item_bytes(self) -> int:
        """Size of one number of the input as sent: 4 for float32, else 1."""
        return _ITEM_BYTES[self.input_kind]

    @property
    def streaming(self) -> bool:
        """True if it is judged on a long recording that is played to the device, not on single inputs sent to it."""
        return self.metric == "false-detections"


def load_benchmarks(path: Path = _HERE / "benchmarks.yaml") -> Mapping[str, Benchmark]:
    """The table as a read-only mapping by benchmark id.

    Raises:
        AssetError: the table is missing, breaks its schema or contradicts itself.
    """
    table = load_table(path, _HERE / "benchmarks.schema.json")
    return MappingProxyType({key: _benchmark(path, key, row) for key, row in table["benchmarks"].items()})


def _benchmark(path: Path, key: str, row: dict[str, Any]) -> Benchmark:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    benchmark = Benchmark(id=key, **values)
    for wrong, text in (
        (
            benchmark.input_bytes != math.prod(benchmark.model_input_shape) * benchmark.input_item_bytes,
            f"input_bytes {benchmark.input_bytes} is not model_input_shape {benchmark.model_input_shape} of {benchmark.input_kind}",
        ),
        (len(benchmark.labels) != benchmark.classes, f"classes is {benchmark.classes}, but there are {len(benchmark.labels)} labels"),
        (
            benchmark.metric != "auc" and not benchmark.results == benchmark.classes == math.prod(benchmark.model_output_shape),
            "a benchmark with a result per class needs results, classes and the model's output to be of one size",
        ),
        (benchmark.metric == "auc" and benchmark.quality_target > 1, "an AUC target lies between 0 and 1"),
        (benchmark.stride_bytes % benchmark.input_item_bytes != 0, "stride_bytes is not a multiple of the input's item size"),
    ):
        if wrong:
            raise AssetError(f"the table {path} contradicts itself at benchmarks/{key}", why=text, hint="correct the table")
    return benchmark


ALL_BENCHMARKS: Mapping[str, Benchmark] = load_benchmarks()
"""Every benchmark of the table by id."""

BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType({key: row for key, row in ALL_BENCHMARKS.items() if row.default_job})
"""The benchmarks of the default job."""

SAMPLED: Mapping[str, Benchmark] = MappingProxyType({key: row for key, row in ALL_BENCHMARKS.items() if not row.streaming})
"""The benchmarks whose inputs are sent to the device one by one, which a run can measure."""

ROUNDS: Mapping[str, tuple[str, ...]] = MappingProxyType({"v1.4": tuple(key for key, row in SAMPLED.items() if row.since <= "v1.4")})
"""Round -> the benchmarks whose performance and accuracy it requires (``required_tests`` of its submission_checker.py: none of sww)."""


def chosen_benchmarks(word: str) -> tuple[str, ...]:
    """The benchmarks that a word means: ``all``, a round of :data:`ROUNDS`, or one benchmark's id (which is not looked up)."""
    return tuple(BENCHMARKS) if word == "all" else ROUNDS.get(word, (word,))


def get_benchmark(benchmark_id: str) -> Benchmark:
    """The benchmark of that id.

    Raises:
        UsageError: there is none; the text suggests the nearest one. A model id (``kws01``) is understood as a typing error.
    """
    try:
        return ALL_BENCHMARKS[benchmark_id]
    except KeyError:
        by_model = {b.model_id: b.id for b in ALL_BENCHMARKS.values()}
        hint = f"did you mean {by_model[benchmark_id]!r}?" if benchmark_id in by_model else nearest(benchmark_id, ALL_BENCHMARKS)
        known = ", ".join(ALL_BENCHMARKS)
        why = f"the benchmarks are {known}"
        raise UsageError(f"there is no benchmark {benchmark_id!r}", why=why, hint=hint or f"use one of {known}") from None
