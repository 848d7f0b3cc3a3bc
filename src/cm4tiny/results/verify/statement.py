# SPDX-License-Identifier: Apache-2.0
"""A verified report as an in-toto statement, for those who sign: what was made is its subjects, what the report says its predicate.

Format: in-toto attestation framework, Statement v1 (https://github.com/in-toto/attestation, ``spec/v1/statement.md`` and
``resource_descriptor.md``). The predicate is described in ``docs/verify.md``. Signing is left to the tools that have keys.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cm4tiny.results.evidence_files import digest_of
from cm4tiny.results.files import write_whole
from cm4tiny.results.report import REPORT_JSON, REPORT_MD
from cm4tiny.results.verify.check import ReportCheck

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://cm4tiny.invalid/report/v1"
"""A name, not an address: the domain ``invalid`` belongs to nobody (RFC 2606), so nobody else's predicate can have it."""
STATEMENT = "report.intoto.json"
_MADE = ("session", "outcome")


def statement_of(verification: ReportCheck) -> dict[str, Any]:
    """The statement of a verified report; equal reports give equal statements.

    Raises:
        MismatchError: the report is not verified. ResultsError: ``report.json`` or ``report.md`` cannot be read.
    """
    verification.need()
    report, folder = verification.report, verification.path.parent
    own = [verification.path, *(path for path in (folder / REPORT_MD,) if path.exists())]
    subjects = {(REPORT_JSON if path == verification.path else path.name): digest_of(path).sha256 for path in own}
    subjects |= {file["name"]: file["sha256"] for file in report["files"] if file["role"] in _MADE}
    inputs = [file for file in report["files"] if file["role"] not in _MADE]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in subjects.items()],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "report": {key: value for key, value in report.items() if key != "files"},
            "inputs": [
                {"name": file["name"], "digest": {"sha256": file["sha256"]}, "annotations": {"role": file["role"], "bytes": file["bytes"]}}
                for file in inputs
            ],
            "verification": verification.as_json(),
        },
    }


def write_statement(verification: ReportCheck) -> Path:
    """Writes :func:`statement_of` next to the report and returns its path.

    Raises:
        MismatchError: the report is not verified. ResultsError: the file cannot be written.
    """
    return write_whole(verification.path.parent / STATEMENT, json.dumps(statement_of(verification), indent=1, ensure_ascii=False) + "\n")
