# SPDX-License-Identifier: Apache-2.0
"""Turns the outcome of a run into report.json, report.md and a table."""

from cm4tiny import cm
from cm4tiny.results.collect import collect


@cm.step
def preprocess(step):
    outcome = step.need("CM_TINY_OUTCOME", "run the step run,mlperf,tiny first, or give --outcome=FILE")
    report = collect(outcome, step.env.get("CM_LOCK_FILE", ""))
    step.env["CM_TINY_REPORT_JSON"] = str(report.json)
    step.env["CM_TINY_REPORT_MD"] = str(report.markdown)
    print(f"\n{report.summary}\n\nReport: {report.json}\n        {report.markdown}")
