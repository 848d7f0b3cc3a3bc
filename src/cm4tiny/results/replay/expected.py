# SPDX-License-Identifier: Apache-2.0
"""A replay compared with what is expected of it: mismatches that are known, the table of an earlier replay; and its summary."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.errors import ResultsError
from cm4tiny.results.replay.output import COLUMNS
from cm4tiny.results.replay.replay import Replay
from cm4tiny.results.rounds.lines import one_line
from cm4tiny.results.rounds.model import Check

_HERE = Path(__file__).resolve().parent
STATUSES = ("match", "mismatch", "no-claim", "unverifiable")


def known_mismatches(checks: Sequence[Check]) -> frozenset[Check]:
    """The mismatches among ``checks`` that ``known.yaml`` lists with the same figures."""
    rows = load_table(_HERE / "known.yaml", _HERE / "known.schema.json")["mismatches"]
    known = {(row["round"], row["path"], row["metric"], row["claimed"], row["recomputed"]) for row in rows}
    return frozenset(
        check
        for check in checks
        if check.status == "mismatch" and (check.round, check.path, check.metric, check.claimed, check.recomputed) in known
    )


def differences(checks: Sequence[Check], expected: Path) -> list[str]:
    """How the checks differ from a ``replay.csv``; rounds that were not replayed do not count.

    Raises:
        ResultsError: the file cannot be read or has other columns.
    """
    try:
        with expected.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise ResultsError(f"{expected} is not a replay.csv", why=f"its columns are {reader.fieldnames}", hint=f"needed: {COLUMNS}")
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ResultsError(f"{expected} cannot be read", why=str(error), hint="give a replay.csv of an earlier replay") from error
    rounds = {check.round for check in checks}
    wanted = {(row["round"], row["path"], row["metric"]): row for row in rows if row["round"] in rounds}
    got = {(check.round, check.path, check.metric): {column: getattr(check, column) for column in COLUMNS} for check in checks}
    found = [f"{' '.join(key)}: expected, but not found" for key in wanted if key not in got]
    found += [f"{' '.join(key)}: not expected" for key in got if key not in wanted]
    for key in wanted:
        if key in got and got[key] != wanted[key]:
            columns = [column for column in COLUMNS if got[key][column] != wanted[key][column]]
            found.append(f"{' '.join(key)}: {', '.join(f'{c} {got[key][c]!r} instead of {wanted[key][c]!r}' for c in columns)}")
    return found


def summary(found: Replay, findings: int, accepted: frozenset[Check] = frozenset()) -> str:
    """A table of the statuses by round and metric, every mismatch as a text, and how often the audit has something to say."""
    checks = found.checks
    counts: Counter[tuple[str, str, str]] = Counter((check.round, check.metric, check.status) for check in checks)
    keys = list(dict.fromkeys((check.round, check.metric) for check in checks))
    rows = [[round_id, metric, *(str(counts[round_id, metric, status] or "-") for status in STATUSES)] for round_id, metric in keys]
    rows.append(["all", "", *(str(found.count(status)) for status in STATUSES)])
    header = ["round", "metric", *STATUSES]
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [header, *rows]]
    lines.insert(1, "-" * len(lines[0]))
    for check in checks:
        if check.status == "mismatch":
            known = " (known)" if check in accepted else ""
            figures = f"{check.metric} {check.claimed}, recomputed {check.recomputed}"
            lines.append(one_line(f"MISMATCH{known}: {check.round} {check.path}: {figures}: {check.cause}"))
    lines.append(f"The audit has {findings} findings. Label lists: {found.labels}.")
    return "\n".join(lines)
