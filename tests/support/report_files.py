# SPDX-License-Identifier: Apache-2.0
"""Reading ``report.json`` back."""

from __future__ import annotations

import json
from pathlib import Path

from cm4tiny.results.report import Report, check_report


def read_report(path: Path) -> Report:
    """A report that was written, checked with its schema."""
    report = json.loads(path.read_text(encoding="utf-8"))
    check_report(report, str(path))
    return dict(report)
