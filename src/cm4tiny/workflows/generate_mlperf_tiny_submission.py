# SPDX-License-Identifier: Apache-2.0
"""The step ``generate,mlperf,tiny,submission``: a submission from sessions.

Names of env keys are upstream's where upstream has them (``CM_MLPERF_RESULTS_DIR``, ``CM_MLPERF_SUBMISSION_DIR``, ``CM_MLPERF_SUBMITTER``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.errors import UsageError
from cm4tiny.results.submission.answers import Answers, from_options, parse_answers, read_answers
from cm4tiny.results.submission.generator import generate
from cm4tiny.workflows.label_lists import label_lists


@dataclass(frozen=True, kw_only=True)
class GenerateOptions:
    """What ``generate,mlperf,tiny,submission`` is asked for."""

    results: tuple[Path, ...] = flag("CM_MLPERF_RESULTS_DIR", also=("results_dir", "sessions"))
    submission_dir: Path | None = flag("CM_MLPERF_SUBMISSION_DIR")
    submitter: str = flag("CM_MLPERF_SUBMITTER")
    answers: Path | None = flag("CM_TINY_SUBMISSION_ANSWERS")
    division: str = flag("CM_TINY_SUBMISSION_DIVISION", default="closed")
    round: str = flag("CM_TINY_SUBMISSION_ROUND")
    system: str = flag("CM_TINY_SUBMISSION_SYSTEM")
    platform_prefix: str = flag("CM_TINY_SUBMISSION_PREFIX")
    board: str = flag("CM_TINY_SUBMISSION_BOARD")
    status: str = flag("CM_TINY_SUBMISSION_STATUS", default="available")
    implementation: str = flag("CM_TINY_SUBMISSION_IMPLEMENTATION")
    framework: str = flag("CM_TINY_SUBMISSION_FRAMEWORK")
    notes: str = flag("CM_TINY_SUBMISSION_NOTES")
    code: Path | None = flag("CM_TINY_SUBMISSION_CODE")
    checklist: Path | None = flag("CM_TINY_SUBMISSION_CHECKLIST")
    energy_set_up: Path | None = flag("CM_TINY_SUBMISSION_ENERGY_SET_UP")
    labels: Path | None = flag("CM_TINY_LABELS")
    draft: bool = flag("CM_TINY_SUBMISSION_DRAFT")
    add: bool = flag("CM_TINY_SUBMISSION_ADD")
    mirror: Path | None = value("CM_TINY_MIRROR")
    fetched_sources: Path | None = value("CM_MLPERF_TINY_SRC")
    outdirname: Path = value("CM_TINY_OUTDIR", default="mlperf-tiny-submission")


def answers_of(options: GenerateOptions, step: Step) -> Answers:
    """What the submitter said: ``--answers=FILE``, or options for one system.

    Raises:
        UsageError: something is missing; says which option gives it.
    """
    if options.answers is not None:
        return read_answers(options.answers)
    for key, given, example in (
        ("CM_MLPERF_SUBMITTER", options.submitter, "submitter=NAME"),
        ("CM_MLPERF_RESULTS_DIR", options.results, "results=DIR"),
    ):
        if not given:
            raise UsageError(f"{key} is not set", hint=f"give --{example}, or everything in a file with --answers=FILE (docs/submit.md)")
    system = options.system or options.board
    if not system:
        raise UsageError("the system has no name", hint="give --system=NAME or --board=NAME (docs/submit.md lists the boards)")
    values = {name: str(said or "") for name, said in vars(options).items()}
    values["sessions"] = ",".join(str(path) for path in options.results)
    values["system"] = f"{options.platform_prefix}-{system}" if options.platform_prefix else system
    document: dict[str, Any] = from_options(values)
    return parse_answers(document, step.here, "the submission")


def check_answers(options: GenerateOptions, step: Step) -> None:
    """Checks that the answers are there; raises as :func:`answers_of`."""
    answers_of(options, step)


def generate_step(options: GenerateOptions, step: Step) -> Outputs:
    """Generates a submission.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.results.submission.generator.generate`.
    """
    done = generate(
        answers_of(options, step),
        options.submission_dir or options.outdirname,
        draft=options.draft,
        add=options.add,
        labels=label_lists(options.labels, options.fetched_sources, options.mirror, step.events),
        events=step.events,
    )
    step.show(f"\n{done.review.text}\n\nSubmission: {done.folder}")
    return {"CM_MLPERF_SUBMISSION_DIR": done.root, "CM_TINY_SUBMISSION_FOLDER": done.folder}
