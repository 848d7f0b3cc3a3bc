# SPDX-License-Identifier: Apache-2.0
"""The step ``check,mlperf,tiny,submission``: every claim recomputed, every rule applied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.errors import UsageError
from cm4tiny.results.checker_tools import get_tools
from cm4tiny.results.ci import CiOutcome, places_of, publish
from cm4tiny.results.submission import refuse
from cm4tiny.results.submission.reviewer import Review, review, write_review
from cm4tiny.workflows.label_lists import label_lists


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """What ``check,mlperf,tiny,submission`` is asked for."""

    path: Path | None = flag("CM_TINY_CHECK_PATH")
    submission_dir: Path | None = flag("CM_MLPERF_SUBMISSION_DIR")
    round: str = flag("CM_TINY_SUBMISSION_ROUND")
    labels: Path | None = flag("CM_TINY_LABELS")
    official: bool = flag("CM_TINY_OFFICIAL_CHECKER")
    tiny_src: Path | None = flag("CM_TINY_SRC_PATH")
    partial: bool = flag("CM_TINY_CHECK_PARTIAL")
    ci: bool = flag("CM_TINY_CI")
    mirror: Path | None = flag("CM_TINY_MIRROR")
    fetched_sources: Path | None = value("CM_MLPERF_TINY_SRC")
    outdirname: Path = value("CM_TINY_OUTDIR", default=".")


def place_of(options: CheckOptions) -> Path:
    """The folder to check; raises UsageError if none was named."""
    place = options.path or options.submission_dir
    if place is None:
        raise UsageError("nothing to check was named", hint="give --path=DIR, the folder with closed or open in it")
    return place


def check_place(options: CheckOptions, step: Step) -> None:
    """Checks that something is named; raises as :func:`place_of`."""
    place_of(options)


def review_of(options: CheckOptions, step: Step) -> Review:
    """What the rules say of a submission or a round.

    Raises:
        UsageError: nothing was named. Cm4TinyError: as :func:`cm4tiny.results.submission.reviewer.review`.
    """
    place = place_of(options)
    tools = get_tools(str(options.tiny_src or options.fetched_sources or ""), step.events) if options.official else None
    labels = label_lists(options.labels, options.fetched_sources, options.mirror, step.events)
    complete = None if options.partial else True
    return review(place, options.round, labels=labels, tools=tools, complete=complete, events=step.events)


def _for_ci(found: Review) -> CiOutcome:
    failures: tuple[str, ...] = () if not found.errors else (f"{len(found.errors)} errors of the audit",)
    failures += (found.verdict.text,) if found.verdict is not None and not found.verdict.passed else ()
    rounds = found.replay.rounds
    return CiOutcome("Audit", (found.round,), found.findings, failures=failures, places=places_of(rounds))


def check_step(options: CheckOptions, step: Step) -> Outputs:
    """Checks a submission or a round, writes ``audit.json`` and shows what was found.

    Raises:
        UsageError: nothing was named. RuleError: it cannot be submitted.
    """
    found = review_of(options, step)
    file = write_review(found, options.outdirname)
    step.show(f"\n{found.text}\n\nAudit: {file}")
    if options.ci:
        publish(_for_ci(found), options.outdirname, step.show)
    refuse(found, "this")
    return {"CM_TINY_AUDIT_JSON": file}
