# SPDX-License-Identifier: Apache-2.0
"""MLCommons' submission checker as a second opinion: run unmodified, its verdict read from what it prints.

The checker's last line, ``sys.exit``, is commented out: it ends with 0 whatever it found, and with 1 only when it crashes. What counts is
``SUMMARY: ...`` and ``function main() returned N``. The final report tool turns the checker's CSV into a workbook.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.errors import ResultsError, UsageError, nearest
from cm4tiny.results.checker_tools import Tools
from cm4tiny.scratch import scratch_folder

VERSIONS = ("v1.3", "v1.4")
"""Rules that the checker can apply; with v1.0, v1.1 and v1.2 it ends with a KeyError."""

RUN_TIMEOUT_S = 600
_RETURNED = re.compile(r"^function main\(\) returned (\d+)", re.MULTILINE)
_COUNTS = re.compile(r"Results=(\d+), NoResults=(\d+)")
_LINE = re.compile(r"^(ERROR|WARNING):main:(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """What the official checker said.

    Attributes:
        passed: it said that the submission looks OK, and did not crash.
        crash: the last line of its traceback, or empty.
        results, no_results: how many results it accepted and refused; -1 if it did not come so far.
        errors, warnings: its lines; a submission may look OK to it in spite of some errors ("file list mismatch").
        rows: its summary table, header first.
        origin: which checker it was.
        output: everything it printed.
    """

    passed: bool
    crash: str
    results: int
    no_results: int
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    origin: str
    output: str

    @property
    def text(self) -> str:
        """The verdict in one line."""
        if self.crash:
            return f"the official checker crashed: {self.crash}"
        counts = f"{self.results} results, {self.no_results} without, {len(self.errors)} error lines"
        return f"the official checker says: {'looks OK' if self.passed else 'has errors'} ({counts})"


def read_verdict(output: str, exit_status: int, rows: tuple[tuple[str, ...], ...] = (), origin: str = "") -> Verdict:
    """The verdict from the checker's output."""
    returned, counts = _RETURNED.search(output), _COUNTS.search(output)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    crash = ""
    if exit_status or returned is None:
        crash = (lines[-1] if lines else "") or f"exit status {exit_status}"
    found = [(kind, text.strip()) for kind, text in _LINE.findall(output)]
    accepted = returned is not None and int(returned[1]) == 0 and "SUMMARY: submission looks OK" in output
    return Verdict(
        passed=accepted and not crash,
        crash=crash,
        results=int(counts[1]) if counts else -1,
        no_results=int(counts[2]) if counts else -1,
        errors=tuple(text for kind, text in found if kind == "ERROR" and text != "---" and not text.startswith("SUMMARY")),
        warnings=tuple(text for kind, text in found if kind == "WARNING"),
        rows=rows,
        origin=origin,
        output=output,
    )


def run_checker(tree: Path, version: str, tools: Tools) -> Verdict:
    """Runs the checker on a tree with ``closed`` or ``open`` in it.

    Raises:
        UsageError: no such tree or rules. ResultsError: the checker cannot be started or does not end.
    """
    if version not in VERSIONS:
        raise UsageError(
            f"the official checker has no usable rules {version}",
            why="with v1.0, v1.1 and v1.2 it ends with a KeyError; v0.5 and v0.7 it never had",
            hint=nearest(version, VERSIONS) or f"choose {' or '.join(VERSIONS)}, or use this project's own audit, which knows every round",
        )
    if not any((tree / division).is_dir() for division in ("closed", "open")):
        raise UsageError(f"{tree} is not a submission", why="it holds neither closed nor open", hint="give the folder above them")
    with scratch_folder("checker") as scratch:
        table = scratch / "summary.csv"
        arguments = ["--input", str(tree.resolve()), "--version", version, "--csv", str(table)]
        done = run_tool(tools, tools.checker, arguments, scratch)
        rows = _rows(table)
    return read_verdict(done.stderr + done.stdout, done.returncode, rows, tools.origin)


def _rows(table: Path) -> tuple[tuple[str, ...], ...]:
    if not table.is_file():
        return ()
    with table.open(encoding="utf-8", newline="") as stream:
        return tuple(tuple(row) for row in csv.reader(stream))


def run_tool(tools: Tools, program: Path, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """One of the official programs in ``folder``, with nothing of the caller's Python settings; ResultsError if it cannot run."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment.update(PYTHONDONTWRITEBYTECODE="1", PYTHONUTF8="1")
    try:
        return subprocess.run(
            [str(tools.python), str(program), *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=RUN_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ResultsError(f"{program.name} does not run", why=str(error), hint="run the project's own audit instead") from error
