# SPDX-License-Identifier: Apache-2.0
"""The step ``collect,mlperf,tiny,results``: the outcome of a run becomes a report and a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.errors import UsageError
from cm4tiny.results.collect import collect


@dataclass(frozen=True, kw_only=True)
class CollectOptions:
    """What the step is asked for."""

    outcome: Path | None = flag("CM_TINY_OUTCOME")
    lock_file: str = value("CM_LOCK_FILE")


def collect_step(options: CollectOptions, step: Step) -> Outputs:
    """Judges the outcome, writes the report, shows the table.

    Raises:
        UsageError: no outcome was named. ResultsError: it is damaged, or the report cannot be written.
    """
    if options.outcome is None:
        raise UsageError("CM_TINY_OUTCOME is not set", hint="run the step run,mlperf,tiny first, or give --outcome=FILE")
    report = collect(str(options.outcome), options.lock_file)
    step.show(f"\n{report.summary}\n\nReport: {report.json}\n        {report.markdown}")
    return {"CM_TINY_REPORT_JSON": report.json, "CM_TINY_REPORT_MD": report.markdown}
