# SPDX-License-Identifier: Apache-2.0
"""The audit's findings next to the results that they are about (``audit.json`` of ``replay,mlperf,tiny``; schema ``cm4tiny-audit-1``).

Only what the site shows is read, so that a file of another version can be shown as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.errors import ResultsError
from cm4tiny.results.experiments.records import Record

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class RowFinding:
    """One finding. ``path`` is relative to the round's root: of a session, a result, a system description or a submitter."""

    rule: str
    severity: str
    round: str
    path: str
    message: str


@dataclass(frozen=True)
class Audit:
    """What an ``audit.json`` holds: the rounds that were audited, and what was found."""

    rounds: tuple[str, ...]
    findings: tuple[RowFinding, ...]


def read_findings(path: Path) -> Audit:
    """The findings of an ``audit.json``.

    Raises:
        ResultsError: it cannot be read or is something else.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        findings = tuple(_finding(item) for item in content["findings"])
        rounds = tuple(str(name) for name in content["rounds"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ResultsError(
            f"{path} holds no findings of an audit", why=f"{type(error).__name__}: {error}", hint="give the audit.json of a replay"
        ) from error
    return Audit(rounds, findings)


def _finding(item: Mapping[str, Any]) -> RowFinding:
    texts = {name: item[name] for name in ("rule", "severity", "round", "path", "message")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError("a finding's fields are not texts")
    severity = texts["severity"] if texts["severity"] in SEVERITIES else "note"
    return RowFinding(**{**texts, "severity": severity, "path": texts["path"].strip("/")})


def findings_by_record(records: Iterable[Record], findings: Iterable[RowFinding]) -> dict[str, tuple[RowFinding, ...]]:
    """Record id -> what was found in its folder, its sessions, its system description, or its submitter's folder; worst first."""
    places: dict[str, list[RowFinding]] = {}
    for finding in findings:
        places.setdefault(f"tiny_results_{finding.round}/{finding.path}", []).append(finding)
    found: dict[str, list[RowFinding]] = {}
    below: dict[str, list[str]] = {}  # each folder -> the places in it
    for place in places:
        parts = place.split("/")
        for depth in range(1, len(parts) + 1):
            below.setdefault("/".join(parts[:depth]), []).append(place)
    for record in records:
        source = record.text("source")
        parents = ["/".join(source.split("/")[:depth]) for depth in range(3, source.count("/") + 1)]
        system = record.text("system_file")
        about = [*below.get(source, ()), *parents, *([f"{source.partition('/')[0]}/{system}"] if system else [])]
        mine = [finding for place in about for finding in places.get(place, ())]
        if mine:
            found[record.id] = sorted(dict.fromkeys(mine), key=lambda finding: SEVERITIES.index(finding.severity))
    return {record: tuple(mine) for record, mine in found.items()}
