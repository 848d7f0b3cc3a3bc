# SPDX-License-Identifier: Apache-2.0
"""Findings to ``audit.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cm4tiny.errors import ResultsError
from cm4tiny.files import write_atomically
from cm4tiny.results.audit.finding import SCHEMA_NAME, Finding, counts, order, round_key
from cm4tiny.results.audit.rule import RULES


def audit_document(findings: Iterable[Finding], rounds: Iterable[str] = ()) -> dict[str, Any]:
    """``audit.json`` as an object: every rule with its count (0 too), and the findings."""
    found = sorted(findings, key=order)
    number = counts(found)
    return {
        "schema": SCHEMA_NAME,
        "rounds": sorted(set(rounds) | {finding.round for finding in found}, key=round_key),
        "rules": {
            rule.id: {"title": rule.title, "severity": rule.severity, "source": rule.source, "count": number.get(rule.id, 0)}
            for rule in RULES.values()
        },
        "findings": [finding.as_json() for finding in found],
    }


def write_audit(findings: Iterable[Finding], path: Path, rounds: Iterable[str] = ()) -> Path:
    """Writes ``audit.json``, whole or not at all.

    Raises:
        ResultsError: the folder cannot be written.
    """
    try:
        text = json.dumps(audit_document(findings, rounds), indent=1, ensure_ascii=False) + "\n"
        return write_atomically(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise ResultsError(f"{path} cannot be written", why=error.strerror or str(error), hint="choose another --outdirname") from error
