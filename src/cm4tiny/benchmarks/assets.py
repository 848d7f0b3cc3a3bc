# SPDX-License-Identifier: Apache-2.0
"""Whose models and data sets: this project's own (``embedded``) or MLPerf Tiny's (``mlcommons``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cm4tiny.benchmarks.data_set import DataSet
from cm4tiny.benchmarks.embedded import EMBEDDED, embedded_data_set, embedded_index, embedded_model
from cm4tiny.benchmarks.official.importing import given_source
from cm4tiny.benchmarks.official.sets import official_set, official_set_if_here, recorded_files
from cm4tiny.benchmarks.official.table import official_table
from cm4tiny.benchmarks.table import get_benchmark
from cm4tiny.errors import NotAvailableError, UsageError, nearest
from cm4tiny.events import SILENT, EventStream
from cm4tiny.fetch import Fetcher, Mirror

KINDS = ("embedded", "mlcommons")
ACCURACY_MODES = ("standard", "accuracy")


@dataclass(frozen=True)
class AssetSource:
    """Where MLPerf Tiny's own assets may come from.

    Attributes:
        mirror: folder of a local mirror; empty: the one that ``CM_TINY_MIRROR`` names, if any.
        given: a user's archive or folder to import a data set from.
        list_name: which samples of a data set; empty: the default list.
        root: folder for downloads and data sets; None: the user's cache.
    """

    mirror: str = ""
    given: str = ""
    list_name: str = ""
    root: Path | None = None
    events: EventStream = field(default=SILENT, compare=False)

    def __post_init__(self) -> None:
        """What the user named must be there, whether it is needed in the end or not.

        Raises:
            AssetError: it is not.
        """
        if self.given:
            given_source(Path(self.given).expanduser())

    def fetcher(self) -> Fetcher:
        """The fetcher for these places."""
        mirror = Mirror.named(self.mirror)
        if self.root is None:
            return Fetcher(mirror, events=self.events)
        return Fetcher(mirror, self.root / "downloads", events=self.events)

    @property
    def sets(self) -> Path | None:
        """Folder of prepared data sets; None: the user's cache."""
        return self.root / "datasets" if self.root is not None else None


def _check(kind: str) -> None:
    if kind not in KINDS:
        raise UsageError(f"there are no assets called '{kind}'", hint=nearest(kind, KINDS) or f"choose one of {', '.join(KINDS)}")


def model_file(benchmark_id: str, kind: str = "embedded", *, precision: str = "int8", source: AssetSource | None = None) -> Path:
    """The ``.tflite`` of a benchmark, checked by hash.

    Args:
        precision: ``int8`` or ``float``; embedded models are int8.

    Raises:
        UsageError: no such benchmark, kind or model. NotAvailableError: it has no embedded model. AssetError: missing or damaged.
    """
    benchmark = get_benchmark(benchmark_id)
    _check(kind)
    if kind == "mlcommons":
        return (source or AssetSource()).fetcher().get(official_table().model(benchmark.model_id, precision))
    if precision != "int8":
        raise UsageError(f"there is no embedded {precision} model", hint="use _int8, or MLPerf Tiny's own model: _mlcommons")
    return embedded_model(benchmark_id)


def data_set(benchmark_id: str, kind: str = "embedded", *, source: AssetSource | None = None) -> DataSet:
    """The evaluation samples of a benchmark, checked by hash; errors as :func:`model_file`."""
    benchmark = get_benchmark(benchmark_id)
    _check(kind)
    if kind == "embedded":
        return embedded_data_set(benchmark_id)
    _refuse_streaming(benchmark_id)
    source = source or AssetSource()
    folder, provenance = official_set(
        benchmark.data_set, list_name=source.list_name, source=source.given, fetcher=source.fetcher(), root=source.sets
    )
    return DataSet.open(folder, benchmark, hashes=provenance.files)


def run_inputs(benchmark_id: str, kind: str = "embedded", *, mode: str = "standard", source: AssetSource | None = None) -> DataSet:
    """The samples for a run: those of :func:`data_set`, or, for a run that measures no accuracy, a stand-in for a missing set.

    Throughput does not depend on what a sample shows. A performance or energy run therefore downloads no archive: where MLPerf Tiny's own
    set was not prepared before and its source is not available, it takes this project's samples, of the same format and size, and says so.

    Args:
        mode: ``standard``, ``accuracy``, ``performance`` or ``energy``.
    """
    if kind != "mlcommons" or mode in ACCURACY_MODES or (source is not None and source.given):
        return data_set(benchmark_id, kind, source=source)
    benchmark = get_benchmark(benchmark_id)
    _refuse_streaming(benchmark_id)
    source = source or AssetSource()
    found = official_set_if_here(benchmark.data_set, list_name=source.list_name, fetcher=source.fetcher(), root=source.sets)
    if found is not None:
        return DataSet.open(found[0], benchmark, hashes=found[1].files)
    stand_in = embedded_data_set(benchmark_id)
    note = f"MLPerf Tiny's own set {benchmark.data_set} is not here: the inputs are this project's samples, good for throughput only"
    source.events.message(benchmark_id, note, "warning")
    return stand_in


def prepared_set(benchmark_id: str, folder: Path) -> DataSet:
    """The samples in a folder that an earlier step handed over; every read is compared with the digests that it was handed out with.

    A folder of the user's own has none.

    Raises:
        As :meth:`~cm4tiny.benchmarks.data_set.DataSet.open`.
    """
    benchmark, root = get_benchmark(benchmark_id), Path(folder).resolve()
    if root.is_relative_to(EMBEDDED):
        prefix = f"{root.relative_to(EMBEDDED).as_posix()}/"
        hashes = {file.removeprefix(prefix): row.sha256 for file, row in embedded_index().items() if file.startswith(prefix)}
        return DataSet.open(folder, benchmark, hashes=hashes)
    return DataSet.open(folder, benchmark, hashes=recorded_files(root))


def inputs_kind(folder: Path) -> str:
    """Whose samples a folder holds: ``embedded`` for this project's, else ``mlcommons``."""
    return "embedded" if EMBEDDED in Path(folder).resolve().parents else "mlcommons"


def streaming_set(*, source: AssetSource | None = None) -> Path:
    """The folder of the streaming wakeword test: its json and the recordings that this names; errors as :func:`data_set`."""
    source = source or AssetSource()
    return official_set("sww01", list_name=source.list_name, source=source.given, fetcher=source.fetcher(), root=source.sets)[0]


def _refuse_streaming(benchmark_id: str) -> None:
    if get_benchmark(benchmark_id).streaming:
        raise NotAvailableError(
            f"{benchmark_id} has no samples to send one by one",
            why="it is judged on a recording that is played to the device, which takes an interface board that plays sound",
            hint="build its firmware and run single inferences, or choose ad, ic, kws, vww or ic02",
        )


__all__ = ["AssetSource", "data_set", "inputs_kind", "model_file", "prepared_set", "run_inputs", "streaming_set"]
