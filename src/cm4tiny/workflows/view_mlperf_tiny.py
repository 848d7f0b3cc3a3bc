# SPDX-License-Identifier: Apache-2.0
"""The step ``view,mlperf,tiny``: a dashboard of published results and own runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Outputs, Step, flag
from cm4tiny.results.dashboard.builder import Site, build
from cm4tiny.results.derived.metrics import definitions
from cm4tiny.results.experiments.own_runs import OUTCOME_JSON
from cm4tiny.results.report import REPORT_JSON

USUAL_RUN = "mlperf-tiny-results"
"""Where the reproduce step leaves its run unless another folder is named; shown if it is there and no runs were named."""


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """What ``view,mlperf,tiny`` is asked for."""

    outdirname: Path = flag("CM_TINY_OUTDIR", default="mlperf-tiny-dashboard")
    runs: tuple[Path, ...] = flag("CM_TINY_VIEW_RUNS")
    path: tuple[Path, ...] = flag("CM_TINY_VIEW_ROUNDS")
    columns: Path | None = flag("CM_TINY_VIEW_COLUMNS")
    metrics: str = flag("CM_TINY_VIEW_METRICS")
    findings: tuple[Path, ...] = flag("CM_TINY_VIEW_FINDINGS")


def view_step(options: ViewOptions, step: Step) -> Outputs:
    """Builds the site.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.results.dashboard.builder.build`.
    """
    runs = options.runs
    if not runs and any((step.here / USUAL_RUN / name).is_file() for name in (REPORT_JSON, OUTCOME_JSON)):
        runs = (step.here / USUAL_RUN,)
    site = build(
        options.outdirname,
        runs=runs,
        rounds=options.path,
        columns=options.columns,
        metrics=definitions(options.metrics),
        findings=options.findings,
        events=step.events,
    )
    step.show(f"\n{_summary(site, str(options.columns or ''))}")
    return {"CM_TINY_DASHBOARD": site.index}


def _summary(site: Site, columns: str) -> str:
    lines = [f"{site.results} results, {site.own} of them your own. Open in a browser: {site.index}"]
    if site.findings:
        lines.append(f"{site.findings} findings of the audit are shown next to their results.")
    if site.unmatched:
        numbers = ", ".join(map(str, site.unmatched[:10])) + (" ..." if len(site.unmatched) > 10 else "")
        lines.append(f"Lines of {columns} that are for no result: {numbers}")
    return "\n".join(lines)
