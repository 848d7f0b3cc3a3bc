# SPDX-License-Identifier: Apache-2.0
"""Findings and mismatches as SARIF 2.1.0, the format of code scanning services.

Source: OASIS "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", 14 November 2019; limits: GitHub's documentation, "SARIF
support for code scanning" (25,000 results and rules in a run). Paths are relative to the checkout, or to the round's root where that lies
outside of it; then the round's base says where that is on the web.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import cm4tiny
from cm4tiny.results.audit import RULES, Finding
from cm4tiny.results.ci.outcome import CiOutcome, quoted
from cm4tiny.results.rounds.model import Check

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MAX_RESULTS = 25_000
MISMATCH = "replay.mismatch"
_TITLE = "a claim follows from its sessions"
_LEVELS = {"error": "error", "warning": "warning", "note": "note"}
_LONGEST = 1000


def sarif_text(outcome: CiOutcome) -> str:
    """The file; equal outcomes give equal bytes."""
    results = [*(_mismatch(outcome, check) for check in outcome.checks if check.status == "mismatch")]
    results += [_result(outcome, finding) for finding in outcome.findings]
    kept = results[:MAX_RESULTS]
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "cm4tiny", "semanticVersion": cm4tiny.__version__, "rules": list(_rules(kept))}},
        "columnKind": "utf16CodeUnits",
        "originalUriBaseIds": _bases(outcome),
        "results": kept,
        "properties": {"rounds": list(outcome.rounds), "omitted": len(results) - len(kept)},
    }
    if not run["originalUriBaseIds"]:
        del run["originalUriBaseIds"]
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=True) + "\n"


def _rules(results: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for name in sorted({result["ruleId"] for result in results}):
        rule = RULES.get(name)
        title, severity = (rule.title, rule.severity) if rule else (_TITLE, "error")
        described = {"id": name, "shortDescription": {"text": title}, "defaultConfiguration": {"level": _LEVELS[severity]}}
        yield described | ({"fullDescription": {"text": f"{rule.why} Source: {rule.source}."}} if rule else {})


def _bases(outcome: CiOutcome) -> dict[str, Any]:
    return {
        _base(name): {"uri": f"{outcome.places.web[name]}/"}
        for name in outcome.rounds
        if name in outcome.places.web and name not in outcome.places.checkout
    }


def _base(round_id: str) -> str:
    return f"ROUND_{round_id}"


def _mismatch(outcome: CiOutcome, check: Check) -> dict[str, Any]:
    text = f"{check.metric} {check.claimed} is claimed, the sessions give {check.recomputed}" + (f": {check.cause}" if check.cause else "")
    known = check in outcome.accepted
    made = _made(outcome, MISMATCH, "note" if known else "error", check.round, f"{check.path}/results.txt", text, check.metric)
    return made | ({"suppressions": [{"kind": "external", "justification": "a known mismatch of a published round"}]} if known else {})


def _result(outcome: CiOutcome, finding: Finding) -> dict[str, Any]:
    return _made(outcome, finding.rule, _LEVELS[finding.severity], finding.round, finding.path, finding.message)


def _made(outcome: CiOutcome, rule: str, level: str, round_id: str, path: str, message: str, which: str = "") -> dict[str, Any]:
    short = message.encode("utf-8", "replace").decode("utf-8")[:_LONGEST]
    inside = outcome.places.file(round_id, path)
    place: dict[str, Any] = {"uri": quoted(inside or path)}
    if not inside and round_id in outcome.places.web:
        place["uriBaseId"] = _base(round_id)
    key = "\0".join((rule, round_id, path, which, short)).encode("utf-8", "replace")
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": f"{round_id}: {short}"},
        "locations": [{"physicalLocation": {"artifactLocation": place}}],
        "partialFingerprints": {"cm4tiny/v1": hashlib.sha256(key).hexdigest()},
    }
