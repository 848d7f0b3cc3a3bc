"""The printed claims of past MLPerf Tiny rounds for NUCLEO-L4R5ZI (``published.csv``, made by ``tools/import_published.py``).

Source: the public repositories mlcommons/tiny_results_v0.5 ... v1.3; each row names its result folder. STMicroelectronics' v1.3
board is the -P variant with an external SMPS: same clock and core, less energy.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cm4tiny.errors import ResultsError

TABLE = Path(__file__).parent / "published.csv"


@dataclass(frozen=True)
class PublishedResult:
    """One published result. ``accuracy`` is in per cent for top-1 and a fraction for AUC, as printed."""

    round: str
    division: str
    submitter: str
    system: str
    board: str
    framework: str
    benchmark: str
    throughput_inf_per_s: float
    accuracy: float | None
    metric: str
    energy_uj_per_inf: float | None
    source: str

    @property
    def label(self) -> str:
        """Who and when, e.g. ``"STMicroelectronics v1.2"``."""
        return f"{self.submitter} {self.round}"


def _number(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise ResultsError(f"{where}: '{text}' is not a figure", cure="restore the table from the repository")
    return value


@cache
def published_results(table: Path = TABLE) -> tuple[PublishedResult, ...]:
    """All rows of the table.

    Raises:
        ResultsError: a row lacks a throughput or holds something that is not a number.
    """
    found = []
    with table.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            where = f"{table.name} line {line}"
            throughput = _number(row["throughput_inf_per_s"], where)
            if throughput is None:
                raise ResultsError(f"{where}: no throughput", cure="restore the table from the repository")
            found.append(
                PublishedResult(
                    round=row["round"],
                    division=row["division"],
                    submitter=row["submitter"],
                    system=row["system"],
                    board=row["board"],
                    framework=row["framework"],
                    benchmark=row["benchmark"],
                    throughput_inf_per_s=throughput,
                    accuracy=_number(row["accuracy"], where),
                    metric=row["metric"],
                    energy_uj_per_inf=_number(row["energy_uj_per_inf"], where),
                    source=row["source"],
                )
            )
    return tuple(found)


def published_for(benchmark: str) -> tuple[PublishedResult, ...]:
    """The rows of one benchmark, fastest first."""
    rows = (row for row in published_results() if row.benchmark == benchmark)
    return tuple(sorted(rows, key=lambda row: -row.throughput_inf_per_s))
