# SPDX-License-Identifier: Apache-2.0
"""The final report: one row a system, latency and energy by benchmark, as ``generate_final_report.py`` lays them out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from cm4tiny.results.tables.summary import SummaryRow

MODELS = ("ad", "ic", "ic2", "kws", "sww", "vww")
_COMMON = (
    "ID",
    "Unique ID (e.g. for Audit)",
    "ColorKey",
    "Submitter",
    "Availability",
    "SystemDesc",
    "BoardName",
    "HostProcessorModelName",
    "HostProcessorFrequency",
    "HostProcessorMemory",
    "AcceleratorModelName",
    "AcceleratorFrequency",
    "AcceleratorMemory",
    "HardwareNotes",
    "InferenceFramework",
    "SoftwareLibraries",
    "SoftwareNotes",
)
INDEX = {"closed": (*_COMMON, "Details", "Code"), "open": (*_COMMON, "UsedModel", "Accuracy", "Details", "Code")}
NOTHING = frozenset({"N/A", "n/a", "NA", "NULL", "null", "NaN", "nan", "None", "#N/A", "#NA", "<NA>"})
"""Cells that upstream's report shows as blank, because pandas reads them as missing."""

HIDDEN = (1, 2)
"""Columns that upstream hides in the workbook: unique id and colour key."""


@dataclass(frozen=True)
class FinalRow:
    """A system: its index cells, latency in ms and power by model (None: no result; power 0 becomes None)."""

    index: tuple[str, ...]
    latency_ms: dict[str, float]
    power: dict[str, float]


@dataclass(frozen=True)
class FinalTable:
    """The table of a division. ``models`` are those with results, ``powered`` those with a column of power (all of ``models``)."""

    division: str
    index: tuple[str, ...]
    models: tuple[str, ...]
    rows: tuple[FinalRow, ...]

    @property
    def header(self) -> tuple[str, ...]:
        """All column titles in one line."""
        return (*self.index, *(f"Result {model}" for model in self.models), *(f"Power {model}" for model in self.models))

    def cells(self, row: FinalRow) -> tuple[str | float, ...]:
        """A row under :attr:`header`; empty texts where there is nothing."""
        numbers: list[str | float] = [row.latency_ms.get(model, "") for model in self.models]
        return (*row.index, *numbers, *(row.power.get(model, "") for model in self.models))


def final_tables(rows: Sequence[SummaryRow], version: str, repository: str) -> tuple[FinalTable, ...]:
    """The tables of the divisions that have results.

    Args:
        version: for the ids, ``"1.4"`` gives ``1.4-0001``.
        repository: name of the results repository, for the links.
    """
    numbered = _with_ids(rows, version)
    tables = []
    for division, index in INDEX.items():
        mine = [(cells, row) for cells, row in numbered if row.cells["Division"] == division]
        if mine:
            tables.append(_table(division, index, mine, repository))
    return tuple(tables)


def _unique_id(row: SummaryRow) -> str:
    keys = ["Division", "Organization", "BoardName", *(["Model"] if row.cells["Division"] == "open" else [])]
    return "/".join(row.cells[key] for key in keys)


def _with_ids(rows: Iterable[SummaryRow], version: str) -> list[tuple[dict[str, str], SummaryRow]]:
    ordered = sorted(rows, key=lambda row: (row.cells["Division"], row.cells["Availability"], row.cells["Organization"], _unique_id(row)))
    numbers: dict[str, int] = {}
    found = []
    for row in ordered:
        number = numbers.setdefault(_unique_id(row), len(numbers) + 1)
        cells = {column: "" if cell in NOTHING else cell for column, cell in row.cells.items()}
        cells["ID"] = f"{version}-{number:04}"
        cells["Unique ID (e.g. for Audit)"] = _unique_id(row)
        cells["ColorKey"] = cells["Availability"] + cells["Organization"]
        cells["Submitter"], cells["UsedModel"] = cells["Organization"], cells["Model"]
        found.append((cells, row))
    return found


def _table(division: str, index: tuple[str, ...], rows: list[tuple[dict[str, str], SummaryRow]], repository: str) -> FinalTable:
    groups: dict[tuple[str, ...], list[SummaryRow]] = {}
    for cells, row in rows:
        base = f"https://github.com/mlcommons/{repository}/tree/main/{division}/{cells['Submitter']}".replace('"', '""')
        cells |= {"Details": f'=HYPERLINK("{base}/results","details")', "Code": f'=HYPERLINK("{base}/code","details")'}
        groups.setdefault(tuple(cells[column] for column in index), []).append(row)
    models = tuple(model for model in MODELS if any(row.cells["MlperfModel"] == model for _, row in rows))
    return FinalTable(division, index, models, tuple(_final(key, groups[key]) for key in sorted(groups)))


def _final(key: tuple[str, ...], rows: list[SummaryRow]) -> FinalRow:
    latency, power = {}, {}
    for model in MODELS:
        mine = [row for row in rows if row.cells["MlperfModel"] == model]
        if mine:
            latency[model] = 1000 / fmean(row.result for row in mine)
            energy = fmean(row.power or 0.0 for row in mine)
            if energy:
                power[model] = energy
    return FinalRow(key, latency, power)
