# SPDX-License-Identifier: Apache-2.0
"""From the outcome of a run (``outcome.json``) to its report.

The runner writes what it measured; here it is judged: which quality target was met, which rule was not.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.errors import ResultsError
from cm4tiny.results.report import make_report, write_report
from cm4tiny.results.summary import summary


@dataclass(frozen=True)
class Collected:
    """Where the report lies, and its summary for the terminal."""

    json: Path
    markdown: Path
    summary: str


def collect(outcome_file: str, lock_file: str = "") -> Collected:
    """Writes ``report.json`` and ``report.md`` next to ``outcome_file``; ``lock_file`` is where the run leaves its lock file, if it does.

    Raises:
        ResultsError: the outcome is missing, damaged or incomplete, or the folder cannot be written.
    """
    path = Path(outcome_file)
    try:
        outcome: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        parts = {key: outcome[key] for key in ("board", "engine", "assets", "results", "files", "tools")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(
            f"{path} is not the outcome of a run",
            why=f"{type(error).__name__}: {error}",
            hint="give the outcome.json that the step run,mlperf,tiny wrote",
        ) from error
    lock = os.path.relpath(lock_file, path.parent.absolute()) if lock_file else ""
    made_with = {key: outcome[key] for key in ("emulator", "packages") if outcome.get(key)}
    report = make_report(**parts, lock=lock, made_with=made_with)
    json_file, markdown_file = write_report(report, path.parent)
    return Collected(json_file, markdown_file, summary(report))
