# SPDX-License-Identifier: Apache-2.0
"""From the outcome of a run (``outcome.json``) to its report.

The runner writes what it measured; here it is judged: which quality target was met, which rule was not.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.errors import ResultsError
from cm4tiny.results.evidence_files import digest_of, read_object
from cm4tiny.results.report import Report, make_report, write_report
from cm4tiny.results.summary import summary
from cm4tiny.runner.benchmark_run import OUTCOME


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
    report = report_of(path, lock_beside(lock_file, path.parent))
    json_file, markdown_file = write_report(report, path.parent)
    return Collected(json_file, markdown_file, summary(report))


def lock_beside(lock_file: str, folder: Path) -> str:
    """The lock file's path relative to the report's ``folder``, if it lies below that or right next to it; else empty.

    Any other path is of one machine.
    """
    path = os.path.relpath(lock_file, folder.absolute()) if lock_file else ""
    return "" if path.count("..") > 1 else path


def report_of(outcome_file: Path, lock: str = "") -> Report:
    """The report that an outcome becomes: a function of the outcome's bytes, of ``lock``, and of this version's tables.

    Raises:
        ResultsError: the outcome is missing, damaged or incomplete.
    """
    try:
        outcome = read_object(outcome_file, "the outcome of a run")
        parts = {key: outcome[key] for key in ("board", "engine", "assets", "results", "files", "tools")}
        digest = digest_of(outcome_file)
        parts["files"] = [*parts["files"], {"role": "outcome", "name": OUTCOME, "sha256": digest.sha256, "bytes": digest.bytes}]
        made_with = {key: outcome[key] for key in ("emulator", "packages") if outcome.get(key)}
        return make_report(**parts, lock=lock, made_with=made_with)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ResultsError(
            f"{outcome_file} is not the outcome of a run",
            why=f"{type(error).__name__}: {error}",
            hint="give the outcome.json that the step run,mlperf,tiny wrote",
        ) from error
