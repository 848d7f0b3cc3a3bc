# SPDX-License-Identifier: Apache-2.0
"""What the audit finds, and ``audit.json``, where it is kept (schema: ``audit.schema.json``)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cm4tiny.errors import ResultsError
from cm4tiny.results.rounds.lines import one_line

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
SCHEMA_NAME = "cm4tiny-audit-1"
SCHEMA_FILE = Path(__file__).parent / "audit.schema.json"
_MAX_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Finding:
    """One place where a rule is not met.

    Attributes:
        rule: id of the rule.
        severity: ``error`` (the result breaks a rule, or cannot be trusted), ``warning`` (a person should look), ``note`` (good to know).
        round: ``v0.5`` ... ``v1.4``.
        path: POSIX path relative to the round's root: a session, a result, a system description, a submitter, or ``.``.
        message: one sentence with the figures.
        related: other places, ``"v1.1:closed/..."``.
    """

    rule: str
    severity: Severity
    round: str
    path: str
    message: str
    related: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As ``audit.json`` keeps it."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "round": self.round,
            "path": self.path,
            "message": self.message,
            "related": list(self.related),
        }

    @property
    def text(self) -> str:
        """Human-readable: severity, rule, place, sentence, in one line whatever the names of files are."""
        return one_line(f"{self.severity}: {self.rule}: {self.path}: {self.message}")


def order(finding: Finding) -> tuple[Any, ...]:
    """Sorts findings by round, place, severity, rule."""
    return (*round_key(finding.round), finding.path, SEVERITIES.index(finding.severity), finding.rule, finding.message)


def round_key(name: str) -> tuple[int, ...]:
    """``"v1.3"`` as ``(1, 3)``, to sort by."""
    return tuple(int(part) for part in name.lstrip("v").split(".") if part.isdigit())


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings each rule has."""
    return dict(sorted(Counter(finding.rule for finding in findings).items()))


def read_audit(path: Path) -> tuple[Finding, ...]:
    """The findings of an ``audit.json``.

    Raises:
        ResultsError: it is missing, damaged, too large, or not an audit.
    """
    import jsonschema

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"it is larger than {_MAX_BYTES} bytes")
        document = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.validate(document, json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError, jsonschema.ValidationError) as error:
        raise ResultsError(f"{path} is not an audit", why=str(error).splitlines()[0][:300], hint="rebuild it: check,mlperf,tiny") from error
    return tuple(Finding(f["rule"], f["severity"], f["round"], f["path"], f["message"], tuple(f["related"])) for f in document["findings"])
