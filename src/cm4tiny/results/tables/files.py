# SPDX-License-Identifier: Apache-2.0
"""The tables as files: ``summary.csv``, ``summary.md``, ``summary.xlsx``."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cm4tiny.errors import NotAvailableError, ResultsError
from cm4tiny.files import write_atomically
from cm4tiny.results.tables.final import HIDDEN, FinalTable
from cm4tiny.results.tables.summary import COLUMNS, SummaryRow

FORMATS = ("csv", "md", "xlsx")
_LIMIT = 32_000
"""A cell of a workbook holds 32,767 characters."""


def write_tables(
    rows: Sequence[SummaryRow], tables: Sequence[FinalTable], folder: Path, *, name: str = "summary", formats: Sequence[str] = FORMATS
) -> tuple[Path, ...]:
    """Writes the tables, each file whole or not at all; returns their paths.

    Raises:
        NotAvailableError: a workbook was asked for and XlsxWriter is not installed.
        ResultsError: the folder cannot be written.
    """
    contents: dict[str, bytes] = {}
    if "csv" in formats:
        contents[f"{name}.csv"] = csv_text(rows).encode()
    if "md" in formats:
        contents[f"{name}.md"] = markdown(tables).encode()
    if "xlsx" in formats:
        contents[f"{name}.xlsx"] = workbook(tables)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(write_atomically(folder / file, data) for file, data in contents.items())
    except OSError as error:
        raise ResultsError(f"the tables cannot be written to {folder}", why=str(error), hint="choose another --outdirname=DIR") from error


def csv_text(rows: Sequence[SummaryRow]) -> str:
    """The summary as the checker writes it: a header without quotes, every cell below with them."""
    stream = io.StringIO()
    stream.write(",".join(COLUMNS) + "\n")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([row.cells[column] for column in COLUMNS] for row in rows)
    return stream.getvalue()


def markdown(tables: Sequence[FinalTable]) -> str:
    """The final tables for reading: who, on what, latency and energy by benchmark."""
    lines = ["# MLPerf Tiny results", ""]
    shown = ("ID", "Submitter", "Availability", "SystemDesc", "BoardName", "InferenceFramework")
    for table in tables:
        used = (*shown, *(("UsedModel", "Accuracy") if table.division == "open" else ()))
        places = [table.index.index(column) for column in used]
        header = [*used, *(f"{model} ms" for model in table.models), *(f"{model} {_unit(model)}" for model in table.models)]
        lines += [f"## {table.division}", "", _line(header), "|" + "---|" * len(header)]
        for row in table.rows:
            numbers = [_short(row.latency_ms.get(model)) for model in table.models] + [
                _short(row.power.get(model)) for model in table.models
            ]
            lines.append(_line([*(row.index[place] for place in places), *numbers]))
        lines.append("")
    return "\n".join(lines)


def _unit(model: str) -> str:
    return "mW" if model == "sww" else "uJ"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(cell: str) -> str:
    return " ".join(cell.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def workbook(tables: Sequence[FinalTable]) -> bytes:
    """The final report as a workbook with a sheet for each division, laid out as upstream's.

    Raises:
        NotAvailableError: XlsxWriter is not installed.
    """
    try:
        xlsxwriter = importlib.import_module("xlsxwriter")  # an optional extra without types
    except ImportError as error:
        raise NotAvailableError(
            "a workbook needs the package XlsxWriter",
            why=str(error),
            hint="ask for --formats=csv,md, or install the package:\npip install XlsxWriter",
        ) from error
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    formats = {"head": book.add_format({"bold": True, "border": 1}), "score": book.add_format({"num_format": "#,##0.00"})}
    for table in tables:
        _sheet(book.add_worksheet(table.division), table, formats)
    book.close()
    return stream.getvalue()


def _sheet(sheet: Any, table: FinalTable, formats: dict[str, Any]) -> None:
    """Two lines of heads (quantity, model), a line with the index's titles, then the rows: what pandas makes of upstream's table."""
    width = len(table.index)
    for block, title in enumerate(("Result", "Power")):
        for place, model in enumerate(table.models):
            column = width + block * len(table.models) + place
            sheet.write_string(0, column, title, formats["head"])
            sheet.write_string(1, column, model, formats["head"])
    sheet.write_string(1, width - 1, "Model", formats["head"])
    for column, title in enumerate(table.index):
        sheet.write_string(2, column, title, formats["head"])
    for line, row in enumerate(table.rows, start=3):
        for column, cell in enumerate(table.cells(row)):
            if isinstance(cell, float):
                sheet.write_number(line, column, cell, formats["score"])
            elif table.index[column : column + 1] in (("Details",), ("Code",)):
                sheet.write_formula(line, column, cell, None, "details")
            else:
                sheet.write_string(line, column, cell[:_LIMIT])
    for column in HIDDEN:
        sheet.set_column(column, column, None, None, {"hidden": True})
