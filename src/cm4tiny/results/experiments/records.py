# SPDX-License-Identifier: Apache-2.0
"""One result as a record: the same named figures and texts wherever it comes from.

Published results, rounds on disk and own runs all become records; the dashboard, the CM experiments and derived metrics work on records
alone. ``COLUMNS`` says what a record may hold. A record that lacks a figure has ``None`` there; a text that is not known is empty.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from cm4tiny.benchmarks import ALL_BENCHMARKS
from cm4tiny.results.conditions import MEASURED, SIMULATED, VIRTUAL_SUFFIX, Conditions, virtual_name
from cm4tiny.results.derived import Value
from cm4tiny.results.names import common_spelling, core, framework_family, kibibytes, known
from cm4tiny.results.published import PublishedResult, PublishedSystem, published_conditions, published_results, published_systems

PUBLISHED = "published"
OWN_RUN = "own run"


@dataclass(frozen=True)
class Column:
    """What a record holds under a name. ``better`` is ``more``, ``less`` or empty; only figures have a unit and a better side."""

    id: str
    title: str
    kind: str = "text"
    unit: str = ""
    better: str = ""


def _figures(*rows: tuple[str, str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(id, title, "number", unit, better) for id, title, unit, better in rows)


COLUMNS: tuple[Column, ...] = (
    Column("benchmark", "benchmark"),
    Column("origin", "origin"),
    Column("label", "figures are"),
    Column("conditions", "labels"),
    Column("round", "round"),
    Column("division", "division"),
    Column("submitter", "submitter"),
    Column("system", "system"),
    Column("variant", "variant"),
    Column("board", "board"),
    Column("soc", "SoC"),
    Column("core", "processor"),
    Column("processor", "processor as printed"),
    Column("accelerator", "accelerator"),
    Column("framework_family", "framework"),
    Column("framework", "framework as printed"),
    Column("status", "availability"),
    Column("model", "model"),
    Column("model_error", "model error"),
    Column("metric", "accuracy metric"),
    Column("quality_target_met", "target met"),
    Column("runner", "runner"),
    Column("throughput_source", "throughput from"),
    Column("accuracy_source", "accuracy from"),
    Column("system_file", "system description"),
    Column("source", "source"),
    *_figures(
        ("throughput_inf_per_s", "throughput", "inf/s", "more"),
        ("energy_uj_per_inf", "energy per inference", "µJ", "less"),
        ("accuracy_pct", "accuracy", "%", "more"),
        ("top1", "top-1", "%", "more"),
        ("auc", "AUC", "", "more"),
        ("power_mw", "power (streaming)", "mW", "less"),
        ("false_positives", "false positives", "", "less"),
        ("false_negatives", "false negatives", "", "less"),
        ("duty_cycle", "duty cycle", "", "less"),
        ("frequency_mhz", "clock", "MHz", ""),
        ("supply_v", "supply voltage", "V", ""),
        ("memory_kib", "SoC memory", "KiB", "less"),
        ("storage_kib", "SoC storage", "KiB", "less"),
        ("processor_memory_kib", "processor memory", "KiB", "less"),
        ("cycles_per_inference", "cycles per inference", "", "less"),
    ),
)
COLUMN_IDS = tuple(column.id for column in COLUMNS)
_TEXTS = frozenset(column.id for column in COLUMNS if column.kind == "text")


@dataclass(frozen=True)
class Record:
    """One result.

    Attributes:
        id: 16 hex digits, the same for the same ``source`` on every machine.
        values: by the names of ``COLUMNS``; a name that is absent is not known.
        links: title -> address of the evidence: https, or a path of this machine.
        notes: what a reader must know about the figures.
    """

    id: str
    values: Mapping[str, Value]
    links: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def text(self, column: str) -> str:
        """A text of the record, empty if not known."""
        value = self.values.get(column)
        return value if isinstance(value, str) else ""

    def figure(self, column: str) -> float | None:
        """A figure of the record, None if not known."""
        value = self.values.get(column)
        return value if isinstance(value, float) else None


def make_record(source: str, values: Mapping[str, Value], *, links: Mapping[str, str] | None = None, notes: tuple[str, ...] = ()) -> Record:
    """A record of the result that ``source`` names; drops what is not known or no finite number, checks nothing else."""
    kept: dict[str, Value] = {"source": source}
    for name, value in values.items():
        if name in _TEXTS or isinstance(value, str):
            kept[name] = value
        elif value is not None and abs(value) <= sys.float_info.max:
            kept[name] = float(value)
    return Record(hashlib.sha256(source.encode(errors="replace")).hexdigest()[:16], kept, dict(links or {}), notes)


def labels(conditions: Conditions) -> dict[str, Value]:
    """The labels of a result as values of its record."""
    return {
        "label": conditions.marks,
        "conditions": conditions.text,
        "model": conditions.model,
        "model_error": conditions.error.removeprefix("model error: "),
        "division": conditions.division or "none claimed",
        "board": virtual_name(conditions.board) if conditions.simulated else conditions.board,
        "supply_v": conditions.supply_v,
        "frequency_mhz": conditions.clock_mhz,
    }


def conditions_of(record: Record) -> Conditions:
    """Board, supply voltage and clock of a record, for comparisons."""
    simulated = "simulated" in record.text("label")
    board = record.text("board").removesuffix(VIRTUAL_SUFFIX)
    origin, assets = SIMULATED if simulated else MEASURED, record.text("model").partition(" ")[0]
    return Conditions(board, origin, assets, supply_v=record.figure("supply_v"), clock_mhz=record.figure("frequency_mhz"))


def accuracy_pct(metric: str, value: float | None) -> float | None:
    """Accuracy in per cent: top-1 as it is, AUC and F1 (fractions) times a hundred."""
    if value is None:
        return None
    return value if metric == "top-1" else round(value * 100, 6)


def published_records(rows: Iterable[PublishedResult] | None = None) -> tuple[Record, ...]:
    """The packaged table of published results as records."""
    systems = published_systems()
    return tuple(_published(row, systems.get(row.source)) for row in (published_results() if rows is None else rows))


def evidence_link(source: str) -> str:
    """Address of a published result's folder; ``source`` is ``tiny_results_ROUND/path``."""
    repository, _, path = source.partition("/")
    return f"https://github.com/mlcommons/{quote(repository)}/tree/HEAD/{quote(path)}"


def _published(row: PublishedResult, system: PublishedSystem | None) -> Record:
    repository = row.source.partition("/")[0]
    links = {"logs and results": evidence_link(row.source)}
    if row.system_file:
        links["system description"] = evidence_link(f"{repository}/{row.system_file}").replace("/tree/", "/blob/")
    remarks = tuple(
        f"{what} was not printed in round {row.round}; recomputed from the log."
        for what, source in (("Throughput", row.throughput_source), ("Accuracy", row.accuracy_source))
        if source == "recomputed from log"
    )
    if row.throughput_source == "results.txt(energy)":
        remarks += ("Throughput is what the energy session printed; there is no performance session.",)
    values: dict[str, Value] = {
        "origin": PUBLISHED,
        **labels(published_conditions(row)),
        "core": core(row.processor),
        "framework_family": framework_family(row.framework),
        "accuracy_pct": accuracy_pct(row.metric, row.accuracy),
        "memory_kib": kibibytes(system.memory) if system else None,
        "storage_kib": kibibytes(system.storage) if system else None,
        "processor_memory_kib": kibibytes(system.processor_memory) if system else None,
        "quality_target_met": quality_met(row.benchmark, row.accuracy, (row.false_positives, row.false_negatives)),
    }
    for name in (field.name for field in dataclasses.fields(row)):
        if name in COLUMN_IDS:
            value = getattr(row, name)
            values.setdefault(name, known(value) if isinstance(value, str) else value)
    return make_record(row.source, values, links=links, notes=remarks)


def quality_met(benchmark: str, value: float | None, wrong: tuple[float | None, ...] = ()) -> str:
    """``yes`` or ``no`` by the closed division's target, empty if the accuracy is not known.

    Args:
        benchmark: id; one that this version does not know gives an empty text.
        value: accuracy as printed: per cent for top-1, a fraction for AUC.
        wrong: false positives and negatives, for benchmarks whose target counts those.
    """
    if benchmark not in ALL_BENCHMARKS:
        return ""
    row = ALL_BENCHMARKS[benchmark]
    if row.metric == "false-detections":
        counts = [count for count in wrong if count is not None]
        return "" if len(counts) < 2 else "yes" if max(counts) <= row.quality_target else "no"
    return "" if value is None else "yes" if value >= row.quality_target else "no"


def harmonise(records: Iterable[Record]) -> tuple[Record, ...]:
    """Records with one spelling per board, so that a board's history over the rounds is found by its name."""
    listed = tuple(records)
    spelling = common_spelling(record.text("board") for record in listed)
    return tuple(dataclasses.replace(r, values={**r.values, "board": spelling[r.text("board")]}) for r in listed)
