# SPDX-License-Identifier: Apache-2.0
"""What the doctor finds: kinds of findings as a table (``findings.yaml``), findings, and ``doctor.json`` (``doctor.schema.json``)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.errors import BenchError

_HERE = Path(__file__).parent
SCHEMA_NAME = "cm4tiny-doctor-1"
SCHEMA_FILE = _HERE / "doctor.schema.json"
SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class FindingKind:
    """A row of the table: ``severity`` of :data:`SEVERITIES`, ``title``, ``hint`` with facts in braces, and who met it."""

    id: str
    severity: str
    title: str
    hint: str
    source: str


@cache
def finding_kinds() -> Mapping[str, FindingKind]:
    """The table by id.

    Raises:
        AssetError: it is missing or breaks its schema.
    """
    rows = load_table(_HERE / "findings.yaml", _HERE / "findings.schema.json")["findings"]
    return {key: FindingKind(key, **row) for key, row in rows.items()}


@dataclass(frozen=True)
class BenchFinding:
    """One thing that is wrong with one subject.

    Attributes:
        kind: row of the table.
        subject: a port, a USB device, a folder, a program.
        why: what was seen.
        facts: fill the braces of the hint, and are handed on as they are.
    """

    kind: FindingKind
    subject: str
    why: str = ""
    facts: Mapping[str, str | float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Of the row."""
        return self.kind.id

    @property
    def hint(self) -> str:
        """What to do."""
        return self.kind.hint.format_map(_Shown(self.facts))

    def as_json(self) -> dict[str, Any]:
        """As ``doctor.json`` keeps it."""
        return {
            "id": self.id,
            "severity": self.kind.severity,
            "subject": self.subject,
            "what": self.kind.title,
            "why": self.why,
            "hint": self.hint,
            "facts": dict(self.facts),
        }


class _Shown(dict[str, str]):
    """Facts for a hint; one that is not known stays as its name."""

    def __init__(self, facts: Mapping[str, str | float]) -> None:
        super().__init__({key: f"{value}" for key, value in facts.items()})

    def __missing__(self, key: str) -> str:
        return key.upper()


def found(kind: str, subject: str, why: str = "", **facts: str | float) -> BenchFinding:
    """A finding of a kind of the table."""
    return BenchFinding(finding_kinds()[kind], subject, why, facts)


@dataclass(frozen=True)
class BenchCheck:
    """What was looked at: its name, what was found, and a note: what was seen, or why it was skipped."""

    name: str
    findings: tuple[BenchFinding, ...] = ()
    note: str = ""
    skipped: bool = False

    @property
    def state(self) -> str:
        """``ok``, ``found`` or ``skipped``."""
        return "skipped" if self.skipped else "found" if self.findings else "ok"


@dataclass(frozen=True)
class Diagnosis:
    """All checks, and the devices that were seen, as rows of ``doctor.json``."""

    checks: tuple[BenchCheck, ...]
    devices: tuple[Mapping[str, Any], ...] = ()

    @property
    def findings(self) -> tuple[BenchFinding, ...]:
        """All findings, errors first, in the order of the checks."""
        everything = [finding for check in self.checks for finding in check.findings]
        return tuple(sorted(everything, key=lambda finding: SEVERITIES.index(finding.kind.severity)))

    @property
    def errors(self) -> tuple[BenchFinding, ...]:
        """Those that stop a run."""
        return tuple(finding for finding in self.findings if finding.kind.severity == "error")

    def as_json(self) -> dict[str, Any]:
        """As ``doctor.json`` keeps it."""
        return {
            "schema": SCHEMA_NAME,
            "ok": not self.errors,
            "checks": [{"check": check.name, "state": check.state, "note": check.note} for check in self.checks],
            "devices": [dict(device) for device in self.devices],
            "findings": [finding.as_json() for finding in self.findings],
        }

    @property
    def text(self) -> str:
        """For a person."""
        lines = [f"{_MARKS[check.state]:8}{check.name}" + (f": {check.note}" if check.note else "") for check in self.checks]
        for finding in self.findings:
            lines += ["", f"{finding.kind.severity}: {finding.id}: {finding.subject}: {finding.kind.title}"]
            lines += [f"  why: {finding.why}"] if finding.why else []
            lines += ["  hint: " + "\n    ".join(finding.hint.splitlines())]
        return "\n".join(lines)

    def need(self) -> None:
        """Raises BenchError if something stops a run."""
        if self.errors:
            first = self.errors[0]
            raise BenchError(
                f"{len(self.errors)} of {len(self.findings)} findings stop a run on this bench, the first is {first.id}",
                why=f"{first.subject}: {first.kind.title}" + (f" ({first.why})" if first.why else ""),
                hint=first.hint,
            )


_MARKS = {"ok": "ok", "found": "FOUND", "skipped": "-"}


def check_document(document: Any) -> list[str]:
    """Where a ``doctor.json`` breaks its schema."""
    import jsonschema

    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return [f"{error.json_path}: {error.message}" for error in jsonschema.Draft202012Validator(schema).iter_errors(document)]


def by_id(findings: Iterable[BenchFinding]) -> list[str]:
    """Their ids, sorted."""
    return sorted(finding.id for finding in findings)
