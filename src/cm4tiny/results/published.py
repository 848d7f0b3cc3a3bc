# SPDX-License-Identifier: Apache-2.0
"""The printed claims of all past MLPerf Tiny rounds (``published.csv``, made by ``tools/import_published.py``).

Source: the public repositories mlcommons/tiny_results_v0.5 ... v1.3; each of the 365 rows names its result folder. Where a round printed
no figure (v0.5 had no ``results.txt``) the row holds what the log next to it gives, and its ``*_source`` column says so.

Loaded by the report of a reproduce run (the rows of its board) and by the dashboard and the experiments (all rows).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from cm4tiny.errors import ResultsError
from cm4tiny.results.conditions import HOME_BOARD, MEASURED, OFFICIAL, SUBMITTERS, Conditions, exact_name, is_variant, same_board
from cm4tiny.results.names import megahertz
from cm4tiny.results.published_digests import check_digests

TABLE = Path(__file__).parent / "published.csv"
SYSTEMS = Path(__file__).parent / "published_systems.csv"
_RESTORE = "restore the table from the repository"


@dataclass(frozen=True)
class PublishedResult:
    """One published result, columns as printed.

    ``accuracy`` is in per cent for top-1 and a fraction for AUC and F1; ``auc`` and ``top1`` hold both where both were printed. Streaming
    wakeword (``sww``) claims ``power_mw`` and detection counts instead of energy per inference.
    """

    round: str
    division: str
    submitter: str
    system: str
    variant: str
    board: str
    soc: str
    processor: str
    frequency: str
    accelerator: str
    framework: str
    status: str
    benchmark: str
    throughput_inf_per_s: float
    throughput_source: str
    accuracy: float | None
    metric: str
    auc: float | None
    top1: float | None
    accuracy_source: str
    energy_uj_per_inf: float | None
    power_mw: float | None
    false_positives: float | None
    false_negatives: float | None
    duty_cycle: float | None
    runner: str
    system_file: str
    source: str

    @property
    def label(self) -> str:
        """Who and when, e.g. ``"STMicroelectronics v1.2"``."""
        return f"{self.submitter} {self.round}"


@dataclass(frozen=True)
class PublishedSystem:
    """What the files of a published result say beyond its claims (``published_systems.csv``, made by ``tools/import_systems.py``).

    ``supply_mv`` is what the energy log records; ``memory`` and ``storage`` of the SoC and ``processor_memory`` are texts of the system
    description.
    """

    source: str
    supply_mv: float | None
    memory: str
    storage: str
    processor_memory: str = ""


def _number(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise ResultsError(f"{where}: '{text}' is not a figure", hint=_RESTORE)
    return value


def _row(kind: type[Any], row: dict[str, str], where: str) -> Any:
    """A row as an object of a frozen dataclass whose fields are the columns: texts, or figures that may be missing."""
    texts: dict[str, str] = {}
    numbers: dict[str, float | None] = {}
    for field in fields(kind):
        text = row.get(field.name)
        if text is None:
            raise ResultsError(f"{where}: no column '{field.name}'", hint=_RESTORE)
        if field.type == "str":
            texts[field.name] = text
        else:
            numbers[field.name] = _number(text, where)
    if "throughput_inf_per_s" in numbers and numbers["throughput_inf_per_s"] is None:
        raise ResultsError(f"{where}: no throughput", hint=_RESTORE)
    return kind(**texts, **numbers)


@cache
def published_results(table: Path = TABLE) -> tuple[PublishedResult, ...]:
    """All rows of the table, in its order: by round, division, submitter.

    Raises:
        ResultsError: the table cannot be read, lacks a column or a throughput, or holds something that is not a number.
    """
    return tuple(_table(PublishedResult, table))


@cache
def published_systems(table: Path = SYSTEMS) -> dict[str, PublishedSystem]:
    """Source -> what is known of its system; results of which nothing is known are absent.

    Raises:
        ResultsError: as of :func:`published_results`.
    """
    return {row.source: row for row in _table(PublishedSystem, table)}


def _table(kind: type[Any], table: Path) -> list[Any]:
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ResultsError(f"{table} cannot be read", why=str(error), hint=_RESTORE) from error
    parsed = [_row(kind, row, f"{table.name} line {line}") for line, row in enumerate(rows, start=2)]
    check_digests(table, rows)
    return parsed


def published_for(benchmark: str, board: str = HOME_BOARD, *, variants: bool = False) -> tuple[PublishedResult, ...]:
    """The rows of one benchmark on one board (``""``: on all), fastest first.

    Args:
        variants: with rows of boards of similar name; mark them: a name with a suffix such as ``-P`` is another board's.
    """
    wanted = is_variant if variants else same_board
    rows = (row for row in published_results() if row.benchmark == benchmark and (not board or wanted(board, row.board)))
    return tuple(sorted(rows, key=lambda row: -row.throughput_inf_per_s))


def published_conditions(row: PublishedResult) -> Conditions:
    """The labels of a published result. In the closed division the model is MLPerf Tiny's own."""
    system = published_systems().get(row.source)
    return Conditions(
        board=exact_name(row.board),
        origin=MEASURED,
        assets=OFFICIAL if row.division == "closed" else SUBMITTERS,
        division=row.division,
        supply_v=system.supply_mv / 1000 if system and system.supply_mv else None,
        clock_mhz=megahertz(row.frequency),
        submitter=row.submitter,
    )
