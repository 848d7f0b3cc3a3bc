"""Whose models and data sets: this project's own (``embedded``) or MLPerf Tiny's (``mlcommons``)."""

from __future__ import annotations

from pathlib import Path

from cm4tiny.benchmarks.data_set import DataSet
from cm4tiny.benchmarks.embedded import embedded_data_set, embedded_model
from cm4tiny.benchmarks.table import get_benchmark
from cm4tiny.errors import NotAvailableError, UsageError, nearest

KINDS = ("embedded", "mlcommons")


def _check(kind: str, benchmark_id: str, what: str) -> None:
    if kind not in KINDS:
        raise UsageError(f"there are no assets called '{kind}'", cure=nearest(kind, KINDS) or f"choose one of {', '.join(KINDS)}")
    if kind == "mlcommons":
        raise NotAvailableError(
            f"MLPerf Tiny's own {what} for {benchmark_id} cannot be fetched by this version",
            why="the step that downloads and checks MLCommons' models and data sets is not built yet",
            cure="run without _mlcommons: the embedded models and samples, made by this project, are the default",
        )


def model_file(benchmark_id: str, kind: str = "embedded") -> Path:
    """The int8 ``.tflite`` of a benchmark, checked by hash.

    Raises:
        UsageError: no such benchmark or kind. NotAvailableError: the kind is not there yet. AssetError: missing or damaged.
    """
    get_benchmark(benchmark_id)
    _check(kind, benchmark_id, "model")
    return embedded_model(benchmark_id)


def data_set(benchmark_id: str, kind: str = "embedded") -> DataSet:
    """The evaluation samples of a benchmark, checked by hash; errors as :func:`model_file`."""
    get_benchmark(benchmark_id)
    _check(kind, benchmark_id, "data set")
    return embedded_data_set(benchmark_id)
