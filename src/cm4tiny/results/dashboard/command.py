"""What ``view,mlperf,tiny`` asks for: from the step's env to a built site, and words for the terminal."""

from __future__ import annotations

from pathlib import Path

from cm4tiny.cm import Step
from cm4tiny.results.dashboard.builder import Site, build
from cm4tiny.results.experiments.command import definitions, places
from cm4tiny.results.experiments.own_runs import OUTCOME_JSON
from cm4tiny.results.report import REPORT_JSON
from cm4tiny.settings import output_folder

OUTDIR = "mlperf-tiny-dashboard"
USUAL_RUN = "mlperf-tiny-results"
"""Where the reproduce step leaves its run unless told otherwise; shown if it is there and no runs were named."""


def build_from_step(step: Step) -> tuple[Site, str]:
    """Builds the site that a step asks for; returns it and what to tell the user.

    Raises:
        Cm4TinyError: as :func:`build`.
    """
    here = Path(step.env.get("CM_TMP_CURRENT_PATH") or step.folder)
    columns = step.path("CM_TINY_VIEW_COLUMNS")
    runs = places(step, "CM_TINY_VIEW_RUNS")
    if not runs and any((here / USUAL_RUN / name).is_file() for name in (REPORT_JSON, OUTCOME_JSON)):
        runs = (here / USUAL_RUN,)
    site = build(
        output_folder(step.env, OUTDIR),
        runs=runs,
        rounds=places(step, "CM_TINY_VIEW_ROUNDS"),
        columns=Path(columns) if columns else None,
        metrics=definitions(step.env.get("CM_TINY_VIEW_METRICS", "")),
        findings=places(step, "CM_TINY_VIEW_FINDINGS"),
        events=step.events,
    )
    return site, _summary(site, columns)


def _summary(site: Site, columns: str) -> str:
    lines = [f"{site.results} results, {site.own} of them your own. Open in a browser: {site.index}"]
    if site.findings:
        lines.append(f"{site.findings} findings of the audit are shown beside their results.")
    if site.unmatched:
        numbers = ", ".join(map(str, site.unmatched[:10])) + (" ..." if len(site.unmatched) > 10 else "")
        lines.append(f"Lines of {columns} that are for no result: {numbers}")
    return "\n".join(lines)
