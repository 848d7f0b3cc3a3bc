# SPDX-License-Identifier: Apache-2.0
"""What ``view,mlperf,tiny`` asks for: from the step's env to a built site, and words for the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Step, from_env
from cm4tiny.results.dashboard.builder import Site, build
from cm4tiny.results.experiments.command import definitions
from cm4tiny.results.experiments.own_runs import OUTCOME_JSON
from cm4tiny.results.report import REPORT_JSON
from cm4tiny.settings import output_folder

OUTDIR = "mlperf-tiny-dashboard"
USUAL_RUN = "mlperf-tiny-results"
"""Where the reproduce step leaves its run unless told otherwise; shown if it is there and no runs were named."""


@dataclass(frozen=True)
class _Options:
    """What the step is asked for."""

    rounds: tuple[Path, ...] = from_env("CM_TINY_VIEW_ROUNDS")
    runs: tuple[Path, ...] = from_env("CM_TINY_VIEW_RUNS")
    metrics: str = from_env("CM_TINY_VIEW_METRICS")
    columns: Path | None = from_env("CM_TINY_VIEW_COLUMNS")
    findings: tuple[Path, ...] = from_env("CM_TINY_VIEW_FINDINGS")


def build_from_step(step: Step) -> tuple[Site, str]:
    """Builds the site that a step asks for; returns it and what to tell the user.

    Raises:
        Cm4TinyError: as :func:`build`.
    """
    options = step.options(_Options)
    runs = options.runs
    if not runs and any((step.here / USUAL_RUN / name).is_file() for name in (REPORT_JSON, OUTCOME_JSON)):
        runs = (step.here / USUAL_RUN,)
    site = build(
        output_folder(step.env, OUTDIR),
        runs=runs,
        rounds=options.rounds,
        columns=options.columns,
        metrics=definitions(options.metrics),
        findings=options.findings,
        events=step.events,
    )
    return site, _summary(site, str(options.columns or ""))


def _summary(site: Site, columns: str) -> str:
    lines = [f"{site.results} results, {site.own} of them your own. Open in a browser: {site.index}"]
    if site.findings:
        lines.append(f"{site.findings} findings of the audit are shown beside their results.")
    if site.unmatched:
        numbers = ", ".join(map(str, site.unmatched[:10])) + (" ..." if len(site.unmatched) > 10 else "")
        lines.append(f"Lines of {columns} that are for no result: {numbers}")
    return "\n".join(lines)
