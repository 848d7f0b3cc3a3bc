# SPDX-License-Identifier: Apache-2.0
"""Findings to ``audit.json``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cm4tiny.results.audit.finding import Finding, as_document, write_document
from cm4tiny.results.audit.rule import RULES


def audit_document(findings: Iterable[Finding], rounds: Iterable[str] = ()) -> dict[str, Any]:
    """``audit.json`` as an object: every rule with its count (0 too), and the findings."""
    return as_document(findings, RULES, rounds)


def write_audit(findings: Iterable[Finding], path: Path, rounds: Iterable[str] = ()) -> Path:
    """Writes ``audit.json``, whole or not at all.

    Raises:
        ResultsError: the folder cannot be written.
    """
    write_document(audit_document(findings, rounds), path)
    return path
