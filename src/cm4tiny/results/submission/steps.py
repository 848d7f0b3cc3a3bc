# SPDX-License-Identifier: Apache-2.0
"""The CM steps ``generate,mlperf,tiny,submission``, ``check,mlperf,tiny,submission`` and ``generate,mlperf,tiny,report``: from env to work.

Names of env keys are upstream's where upstream has them (``CM_MLPERF_RESULTS_DIR``, ``CM_MLPERF_SUBMISSION_DIR``, ``CM_MLPERF_SUBMITTER``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.cm import Step, from_env
from cm4tiny.errors import UsageError
from cm4tiny.fetch import Fetcher, Mirror
from cm4tiny.results.checker_tools import get_tools
from cm4tiny.results.replay import replay
from cm4tiny.results.rounds import LabelLists, find_rounds
from cm4tiny.results.submission.answers import Answers, from_options, parse_answers, read_answers
from cm4tiny.results.submission.generator import Generated, generate
from cm4tiny.results.submission.reviewer import Review, review, write_review
from cm4tiny.results.tables import final_tables, summary_rows, write_tables
from cm4tiny.results.tables.files import FORMATS
from cm4tiny.settings import output_folder

DEFAULT_SUBMISSION = "mlperf-tiny-submission"
DEFAULT_REPORT = "mlperf-tiny-report"


@dataclass(frozen=True)
class _Answers:
    """What the submitter says by flags; the names are those of :func:`from_options`."""

    submitter: str = from_env("CM_MLPERF_SUBMITTER")
    division: str = from_env("CM_TINY_SUBMISSION_DIVISION")
    round: str = from_env("CM_TINY_SUBMISSION_ROUND")
    board: str = from_env("CM_TINY_SUBMISSION_BOARD")
    status: str = from_env("CM_TINY_SUBMISSION_STATUS")
    implementation: str = from_env("CM_TINY_SUBMISSION_IMPLEMENTATION")
    framework: str = from_env("CM_TINY_SUBMISSION_FRAMEWORK")
    notes: str = from_env("CM_TINY_SUBMISSION_NOTES")
    code: Path | None = from_env("CM_TINY_SUBMISSION_CODE")
    checklist: Path | None = from_env("CM_TINY_SUBMISSION_CHECKLIST")
    energy_set_up: Path | None = from_env("CM_TINY_SUBMISSION_ENERGY_SET_UP")
    sessions: tuple[Path, ...] = from_env("CM_MLPERF_RESULTS_DIR")


@dataclass(frozen=True)
class _Options:
    """What the three steps are asked for."""

    answers: Path | None = from_env("CM_TINY_SUBMISSION_ANSWERS")
    system: str = from_env("CM_TINY_SUBMISSION_SYSTEM")
    prefix: str = from_env("CM_TINY_SUBMISSION_PREFIX")
    submission: Path | None = from_env("CM_MLPERF_SUBMISSION_DIR")
    draft: bool = from_env("CM_TINY_SUBMISSION_DRAFT")
    add: bool = from_env("CM_TINY_SUBMISSION_ADD")
    check: Path | None = from_env("CM_TINY_CHECK_PATH")
    partial: bool = from_env("CM_TINY_CHECK_PARTIAL")
    official: bool = from_env("CM_TINY_OFFICIAL_CHECKER")
    report: Path | None = from_env("CM_TINY_REPORT_PATH")
    formats: tuple[str, ...] = from_env("CM_TINY_REPORT_FORMATS")
    round_id: str = from_env("CM_TINY_SUBMISSION_ROUND")
    labels: Path | None = from_env("CM_TINY_LABELS")
    mirror: Path | None = from_env("CM_TINY_MIRROR")
    sources: Path | None = from_env("CM_TINY_SRC_PATH")
    fetched_sources: str = from_env("CM_MLPERF_TINY_SRC")
    fetched: Path | None = from_env("CM_TINYMLPERF_REPO_PATH")
    fetched_version: str = from_env("CM_TINYMLPERF_REPO_VERSION")


def _labels(step: Step) -> LabelLists:
    """The lists of the data sets from ``--labels``, a clone of mlcommons/tiny or a mirror; else what is known without them."""
    options = step.options(_Options)
    place = options.labels or options.fetched_sources
    if place:
        return LabelLists.open(Path(place))
    mirror = Mirror.named(str(options.mirror or ""))
    return LabelLists.known() if mirror is None else LabelLists.fetch(Fetcher(mirror=mirror, events=step.events))


def answers_of(step: Step) -> Answers:
    """What the submitter said: ``--answers=FILE``, or options for one system.

    Raises:
        UsageError: something is missing; says which option gives it.
    """
    options = step.options(_Options)
    if options.answers is not None:
        return read_answers(options.answers)
    for key, option in (("CM_MLPERF_SUBMITTER", "submitter=NAME"), ("CM_MLPERF_RESULTS_DIR", "results=DIR")):
        step.need(key, f"give --{option}, or everything in a file with --answers=FILE (docs/submit.md)")
    said = step.options(_Answers)
    system = options.system or said.board
    if not system:
        raise UsageError("the system has no name", hint="give --system=NAME or --board=NAME (docs/submit.md lists the boards)")
    values = {name: str(value or "") for name, value in vars(said).items()}
    values["sessions"] = ",".join(str(path) for path in said.sessions)
    values["system"] = f"{options.prefix}-{system}" if options.prefix else system
    document: dict[str, Any] = from_options(values)
    return parse_answers(document, step.here, "the submission")


def generate_step(step: Step) -> Generated:
    """Generates a submission; its folder is ``CM_MLPERF_SUBMISSION_DIR``."""
    options = step.options(_Options)
    done = generate(
        answers_of(step),
        options.submission or output_folder(step.env, DEFAULT_SUBMISSION),
        draft=options.draft,
        add=options.add,
        labels=_labels(step),
        events=step.events,
    )
    step.env["CM_MLPERF_SUBMISSION_DIR"] = str(done.root)
    step.env["CM_TINY_SUBMISSION_FOLDER"] = str(done.folder)
    return done


def check_step(step: Step) -> Review:
    """Checks a submission or a round and writes ``audit.json``; the caller decides on the exit status (:func:`refuse`)."""
    options = step.options(_Options)
    place = options.check or options.submission
    if place is None:
        raise UsageError("nothing to check was named", hint="give --path=DIR, the folder with closed or open in it")
    tools = get_tools(str(options.sources or options.fetched_sources), step.events) if options.official else None
    labels, complete = _labels(step), None if options.partial else True
    found = review(place, options.round_id, labels=labels, tools=tools, complete=complete, events=step.events)
    step.env["CM_TINY_AUDIT_JSON"] = str(write_review(found, Path(step.text("CM_OUTDIRNAME") or Path.cwd())))
    return found


def report_step(step: Step) -> tuple[Path, ...]:
    """Writes ``summary-ROUND.csv``, ``.md`` and ``.xlsx`` for each round or submission at ``--path``; upstream's names of files.

    Raises:
        UsageError: no folder, no round, or an unknown format.
    """
    options = step.options(_Options)
    place = options.report or options.fetched
    if place is None:
        raise UsageError(
            "no results were named", hint="give --path=DIR: a checkout of a results repository, a submission, or several in one folder"
        )
    formats = list(options.formats or FORMATS)
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise UsageError(f"there is no format {unknown[0]}", hint=f"choose from {', '.join(FORMATS)}")
    folder = output_folder(step.env, DEFAULT_REPORT)
    labels = _labels(step)
    written: list[Path] = []
    for round_, root in find_rounds(place, _round_of(options, place)):
        done = replay([root], labels, round_id=round_.id, events=step.events)
        rows = summary_rows(done.results)
        repository = round_.repository.rpartition("/")[2] or f"submissions_tiny_{round_.id}"
        tables = final_tables(rows, round_.id.lstrip("v"), repository)
        written += write_tables(rows, tables, folder, name=f"summary-{round_.id}", formats=formats)
    step.env["CM_TINY_REPORT_DIR"] = str(folder)
    return tuple(written)


def _round_of(options: _Options, place: Path) -> str:
    """The round that was asked for; a submission whose folder does not tell its round counts as one of the newest."""
    asked = options.round_id
    if not asked and options.fetched_version and place == options.fetched:
        return f"v{options.fetched_version}"
    is_one = any((place / division).is_dir() for division in ("closed", "open"))
    named = any(part in place.resolve().name for part in ("v0.", "v1."))
    return asked or ("v1.4" if is_one and not named else "")
