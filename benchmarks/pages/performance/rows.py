# SPDX-License-Identifier: Apache-2.0
"""What was measured, kept as JSON so that parts can be measured again alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from cm4tiny.errors import ResultsError

BENCHMARKS = ("ad", "ic", "kws", "vww", "sww")


@dataclass(frozen=True)
class MeasuredRow:
    """One image on the virtual board.

    Attributes:
        engine: id of a :class:`~pages.performance.variants.Variant`.
        cycles, instructions: of one inference.
        inf_per_s: by the device's own time stamps.
        flash_bytes, ram_bytes: of the image; RAM is static data without the stack.
        build_s: seconds it took to build, on whatever machine.
        top_1, accuracy_s: for kws, right answers on the official inputs in per cent, and the seconds that took.
        code: digest of the sources that decided the figures (:mod:`.freshness`).
        stall_cycles: cycles of an inference that wait for flash; None in rows of earlier versions.
    """

    engine: str
    benchmark: str
    cycles: float
    instructions: float
    inf_per_s: float
    flash_bytes: int
    ram_bytes: int
    build_s: float = 0.0
    top_1: float | None = None
    accuracy_s: float | None = None
    code: str = ""
    stall_cycles: float | None = None


@dataclass(frozen=True)
class Compiled:
    """The default plan of one model, built by one compiler.

    Attributes:
        compiler: short name; ``version`` is what the compiler says of itself.
        cycles: of one inference.
        equal, compared: inputs for which the model's output is that of the reference compiler's image, byte for byte, of how many.
        reference: whether this is the reference compiler.
        code: as above.
    """

    compiler: str
    version: str
    benchmark: str
    cycles: float
    flash_bytes: int
    ram_bytes: int
    equal: int
    compared: int
    reference: bool = False
    code: str = ""


@dataclass(frozen=True)
class Harsher:
    """The default plan of one model on a core that is slower in one respect than the virtual board's.

    Attributes:
        core: what is slower; the first one of a file is the virtual board itself.
        code: as above.
    """

    core: str
    benchmark: str
    inf_per_s: float
    code: str = ""


@dataclass(frozen=True)
class Again:
    """The default plan with an embedded model: what each checkout can measure, and the tests measure again.

    Attributes:
        compiler: what it says of itself; another one gives other cycles.
        cycles, instructions: of one inference.
    """

    benchmark: str
    compiler: str
    cycles: float
    instructions: float
    flash_bytes: int
    ram_bytes: int


RowType = TypeVar("RowType", MeasuredRow, Compiled, Harsher, Again)


def read_rows(path: Path, kind: type[RowType]) -> list[RowType]:
    """Rows of a file; none if the file does not exist.

    Raises:
        ResultsError: the file holds something else.
    """
    if not path.is_file():
        return []
    try:
        return [kind(**item) for item in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise ResultsError(
            f"{path} holds no rows of the performance page", why=str(error), hint="delete it and measure everything again"
        ) from error


def write_rows(path: Path, rows: Iterable[MeasuredRow | Compiled | Harsher | Again]) -> None:
    """Writes rows as JSON."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


def replace_rows(known: Iterable[MeasuredRow], fresh: Iterable[MeasuredRow]) -> list[MeasuredRow]:
    """Known rows, those of the same engine and benchmark replaced; a top-1 that was not judged again is dropped with its row."""
    merged = {(row.engine, row.benchmark): row for row in known}
    merged.update({(row.engine, row.benchmark): row for row in fresh})
    return list(merged.values())
