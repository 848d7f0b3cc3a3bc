# SPDX-License-Identifier: Apache-2.0
"""Code that no constant of the cycle model was fitted to: cryptography of pqm4, measured by its authors on a NUCLEO-L4R5ZI.

mupq/pqm4 publishes in ``benchmarks.csv`` the cycles of key generation, encapsulation, signing and so on at 20 MHz without wait states, of
hand-written assembly and of C. Only facts are kept here: scheme, operation, published and predicted cycles (``benchmarks/pqm4_rows.json``).
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.errors import ResultsError

_ASSEMBLY = "m4"
"""Names of implementations that are written for this core begin with it."""


@dataclass(frozen=True)
class ForeignRow:
    """One operation of one implementation.

    Attributes:
        family: schemes that share their code.
        implementation: pqm4's name: ``m4f``, ``clean``, ``ref`` and the like.
        published: mean cycles that pqm4 measured.
        spread: largest minus smallest published cycles, of the mean.
        before: cycles that the model predicted before it knew the three SRAMs; None where that was not measured.
        predicted: cycles that the virtual board counts.
    """

    family: str
    scheme: str
    implementation: str
    operation: str
    published: int
    spread: float
    before: int | None
    predicted: int

    @property
    def assembly(self) -> bool:
        """Whether it is written for this core; otherwise C, by another compiler than pqm4's."""
        return self.implementation.startswith(_ASSEMBLY)

    @property
    def error(self) -> float:
        """Predicted over published cycles minus one; above 0 the model is too slow."""
        return self.predicted / self.published - 1.0

    @property
    def error_before(self) -> float | None:
        return None if self.before is None else self.before / self.published - 1.0


@dataclass(frozen=True)
class Spread:
    """What errors of several rows say together."""

    rows: int
    rms: float
    mean: float
    lowest: float
    highest: float


def spread_of(errors: Iterable[float]) -> Spread | None:
    """None without errors."""
    values = list(errors)
    if not values:
        return None
    rms = math.sqrt(sum(value * value for value in values) / len(values))
    return Spread(len(values), rms, sum(values) / len(values), min(values), max(values))


def read_foreign(path: Path, schema: Path | None = None) -> tuple[ForeignRow, ...]:
    """Reads rows; their schema lies next to them unless it is given.

    Raises:
        AssetError: the file is missing or damaged.
    """
    table = load_table(path, schema or path.with_name(path.stem + ".schema.json"))
    return tuple(ForeignRow(**row) for row in table["rows"])


def write_foreign(path: Path, rows: Iterable[ForeignRow]) -> None:
    """Writes rows as JSON, one a line."""
    lines = ",\n".join(" " + json.dumps(asdict(row)) for row in rows)
    path.write_text('{"rows": [\n' + lines + "\n]}\n", encoding="utf-8")


@dataclass(frozen=True)
class Published:
    """Mean, smallest and largest cycles of an operation."""

    mean: int
    smallest: int
    largest: int

    @property
    def spread(self) -> float:
        return (self.largest - self.smallest) / self.mean


def published_cycles(benchmarks: Path) -> Mapping[tuple[str, str], Sequence[Published]]:
    """The speed part of pqm4's ``benchmarks.csv``: (scheme, implementation) -> its three operations.

    Raises:
        ResultsError: it is not there, or has no such part.
    """
    found: dict[tuple[str, str], Sequence[Published]] = {}
    section = ""
    try:
        with benchmarks.open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                if row and row[0].endswith("Evaluation"):
                    section = row[0]
                if section == "Speed Evaluation" and len(row) >= 11 and row[2].isdigit():
                    triples = [row[start : start + 3] for start in (2, 5, 8)]
                    found[row[0].split(" ")[0], row[1]] = [Published(*(int(cell) for cell in triple)) for triple in triples]
    except (OSError, ValueError) as error:
        raise ResultsError(f"{benchmarks} cannot be read", why=str(error), hint="give a checkout of mupq/pqm4") from error
    if not found:
        raise ResultsError(f"{benchmarks} holds no cycles", why="there is no speed evaluation in it", hint="give a checkout of mupq/pqm4")
    return found


def foreign_section(rows: Sequence[ForeignRow]) -> list[str]:
    """The part of ``docs/fidelity.md`` on these rows."""
    lines = [
        "## Code that no constant was fitted to",
        "",
        "Cryptography of [pqm4](https://github.com/mupq/pqm4), hand-written assembly and C, whose authors measured it on a NUCLEO-L4R5ZI",
        "at 20 MHz without wait states. Here it is compiled with another compiler than theirs and runs unmodified on the virtual board.",
        "Cycles; the error is predicted over published minus one: below 0 the model is too fast. *Before* is the model that charged a",
        "fitted 0.2 cycle for 32-bit instructions off word boundaries and knew one SRAM. Operations whose published runs differ by 2.5 %",
        "or more (signing: 0.5 %) are left out. `python benchmarks/pqm4.py --pqm4 FOLDER` measures the rows again.",
        "",
        "No constant was fitted to these rows: every rule has a source outside of them (`cycle_model.py`). Which of the known rules are",
        "in the model was decided with a look at them. As a check the choice was repeated, out of 21 rules, by the least error on all",
        "families but one, and judged on that one: 2.4 % rms, -15.4 to +9.4 %, with the wait for SRAM2 and SRAM3, the store in a load's",
        "shadow and the change of SRAM chosen every time or all but once. What no row here exercises may be off by that much.",
        "",
        "| family | code | rows | rms before | worst before | rms | mean | lowest | highest |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    groups = [(family, code) for family in dict.fromkeys(row.family for row in rows) for code in (True, False)]
    for family, code in groups:
        lines += _group(family, code, [row for row in rows if row.family == family and row.assembly is code])
    for name, some in (
        ("**all**", [row for row in rows if row.assembly]),
        ("**all**", [row for row in rows if not row.assembly]),
        ("**all**", list(rows)),
    ):
        kinds = {row.assembly for row in some}
        lines += _group(name, kinds.pop() if len(kinds) == 1 else None, some)
    lines += [
        "",
        "| scheme | implementation | operation | published | before | predicted | error before | error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        before = "" if row.before is None else f"{row.before:,}"
        error_before = "" if row.error_before is None else f"{100 * row.error_before:+.1f} %"
        cells = (row.scheme, row.implementation, row.operation, f"{row.published:,}", before, f"{row.predicted:,}", error_before)
        lines.append("| " + " | ".join(cells) + f" | {100 * row.error:+.1f} % |")
    return [*lines, ""]


def _group(name: str, assembly: bool | None, rows: Sequence[ForeignRow]) -> list[str]:
    now, before = spread_of(row.error for row in rows), spread_of(row.error_before for row in rows if row.error_before is not None)
    if now is None:
        return []
    code = {True: "assembly", False: "C", None: "both"}[assembly]
    old = ("", "") if before is None else (f"{100 * before.rms:.1f} %", f"{100 * max(before.lowest, before.highest, key=abs):+.1f} %")
    figures = (f"{100 * now.rms:.1f} %", *(f"{100 * value:+.1f} %" for value in (now.mean, now.lowest, now.highest)))
    return ["| " + " | ".join((name, code, str(now.rows), *old, *figures)) + " |"]
