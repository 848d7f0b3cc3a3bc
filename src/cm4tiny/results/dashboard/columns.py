# SPDX-License-Identifier: Apache-2.0
"""A user's own columns: a CSV file whose rows join figures such as a price to results.

Columns that are called like a text of the results (``board``, ``round``, ``submitter``, ``benchmark`` ...) say which results a row is for;
an empty cell means any. All others are figures, with headings as ``price [EUR] less``; ``[text]`` makes a column of texts. Where several
rows are for one result the last one counts.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.errors import ResultsError
from cm4tiny.results.derived import BUILT_IN, Value, parse_heading
from cm4tiny.results.experiments.records import COLUMN_IDS, COLUMNS, Column, Record

_KEYS = frozenset(column.id for column in COLUMNS if column.kind == "text")
_TAKEN = {*COLUMN_IDS, *(metric.heading.id for metric in BUILT_IN)}
MAX_ROWS = 100_000


@dataclass(frozen=True)
class UserTable:
    """A user's columns and what they hold.

    Attributes:
        columns: the columns that are added.
        rows: line in the file, what a result must be (column -> text), what it then gets.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[int, dict[str, str], dict[str, Value]], ...]

    def join(self, records: Iterable[Record]) -> tuple[dict[str, dict[str, Value]], tuple[int, ...]]:
        """Record id -> its own columns, and the lines that are for no record."""
        found: dict[str, dict[str, Value]] = {}
        used: set[int] = set()
        for record in records:
            plain = {key: _plain(record.text(key)) for key in _KEYS}
            for line, keys, values in self.rows:
                if all(plain[key] == text for key, text in keys.items()):
                    found.setdefault(record.id, {}).update(values)
                    used.add(line)
        return found, tuple(line for line, _, _ in self.rows if line not in used)


def _plain(text: str) -> str:
    return text.strip().casefold().replace("_", "-")


def read_columns(path: Path) -> UserTable:
    """Reads a user's table.

    Raises:
        ResultsError: it cannot be read, has no column that says which results it is for, or a cell is not a figure.
        UsageError: a heading is wrong.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line, _ in zip(csv.reader(file, strict=True), range(MAX_ROWS + 1), strict=False)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ResultsError(f"{path} cannot be read as a table", why=str(error), hint="give a CSV file in UTF-8") from error
    headings = [heading.strip() for heading in lines[0]] if lines else []
    keys = {place: name.lower() for place, name in enumerate(headings) if name.lower() in _KEYS}
    if not keys or len(keys) == len(headings):
        missing = "says which results its rows are for" if not keys else "adds anything"
        raise ResultsError(
            f"{path}: no column {missing}",
            why=f"its columns are {', '.join(headings) or 'none'}",
            hint=f"name one or more of {', '.join(sorted(_KEYS))}, and columns of your own, e.g. 'price [EUR] less'",
        )
    own = {place: _column(text) for place, text in enumerate(headings) if place not in keys}
    for column in own.values():
        if column.id in _TAKEN or sum(column.id == other.id for other in own.values()) > 1:
            raise ResultsError(f"{path}: the column '{column.id}' is there already", hint="choose another name for it")
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        cells += [""] * (len(headings) - len(cells))
        match = {name: _plain(cells[place]) for place, name in keys.items() if cells[place].strip()}
        values = {c.id: _value(cells[place], c, f"{path} line {number}") for place, c in own.items() if cells[place].strip()}
        if values:
            rows.append((number, match, values))
    return UserTable(tuple(own.values()), tuple(rows))


def _column(text: str) -> Column:
    heading = parse_heading(text)
    kind = "text" if heading.unit == "text" else "number"
    return Column(heading.id, heading.id.replace("_", " "), kind, "" if kind == "text" else heading.unit, heading.better)


def _value(cell: str, column: Column, where: str) -> Value:
    if column.kind == "text":
        return cell.strip()
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ResultsError(
            f"{where}: '{cell[:40]}' is not a figure", hint=f"write a number with a decimal point, or head the column '{column.id} [text]'"
        )
    return value
