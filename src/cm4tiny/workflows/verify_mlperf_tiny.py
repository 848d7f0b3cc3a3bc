# SPDX-License-Identifier: Apache-2.0
"""The step ``verify,mlperf,tiny``: whether reports follow from what lies next to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Outputs, Step, flag
from cm4tiny.errors import UsageError
from cm4tiny.results.report import REPORT_JSON
from cm4tiny.results.verify import verify_report, write_statement

RESULTS = "mlperf-tiny-results"
"""Where the main job writes unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """What the step is asked for."""

    report: tuple[Path, ...] = flag("CM_TINY_REPORT_JSON")
    statement: bool = flag("CM_TINY_STATEMENT")


def verify_step(options: VerifyOptions, step: Step) -> Outputs:
    """Verifies each report, shows what was found, writes the statements.

    Raises:
        UsageError: there is no report. ResultsError: one cannot be read, or is not a report.
        MismatchError: a field of one does not follow from its evidence; the others were verified, too.
    """
    named = options.report or (step.here / RESULTS,)
    places = [place / REPORT_JSON if place.is_dir() else place for place in named]
    if not all(place.exists() for place in places):
        missing = next(place for place in places if not place.exists())
        raise UsageError(f"there is no report at {missing}", hint="give a report.json or its folder:\n--report=DIR")
    found = [verify_report(place) for place in places]
    for one in found:
        step.show(one.text)
    for one in sorted(found, key=lambda one: one.ok):
        one.need()
    statements = [write_statement(one) for one in found] if options.statement else []
    for path in statements:
        step.show(f"statement: {path}")
    outputs = {"CM_TINY_REPORT_JSON": ",".join(map(str, places))}
    return outputs | ({"CM_TINY_STATEMENTS": ",".join(map(str, statements))} if statements else {})
