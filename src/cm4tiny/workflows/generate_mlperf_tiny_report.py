# SPDX-License-Identifier: Apache-2.0
"""The step ``generate,mlperf,tiny,report``: the tables of a round or a submission."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.errors import UsageError
from cm4tiny.results.replay import replay
from cm4tiny.results.rounds import find_rounds
from cm4tiny.results.tables import final_tables, summary_rows, write_tables
from cm4tiny.results.tables.files import FORMATS
from cm4tiny.workflows.label_lists import label_lists


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What ``generate,mlperf,tiny,report`` is asked for."""

    path: Path | None = flag("CM_TINY_REPORT_PATH")
    round: str = flag("CM_TINY_SUBMISSION_ROUND")
    formats: tuple[str, ...] = flag("CM_TINY_REPORT_FORMATS", default="csv,md,xlsx")
    labels: Path | None = flag("CM_TINY_LABELS")
    repo_tags: str = flag("CM_IMPORT_TINYMLPERF_REPO_TAGS")
    mirror: Path | None = flag("CM_TINY_MIRROR")
    fetched: Path | None = value("CM_TINYMLPERF_REPO_PATH")
    fetched_version: str = value("CM_TINYMLPERF_REPO_VERSION")
    fetched_sources: Path | None = value("CM_MLPERF_TINY_SRC")
    outdirname: Path = value("CM_TINY_OUTDIR", default="mlperf-tiny-report")


def report_step(options: ReportOptions, step: Step) -> Outputs:
    """Writes ``summary-ROUND.csv``, ``.md`` and ``.xlsx`` for each round or submission at ``--path``; upstream's names of files.

    Raises:
        UsageError: no folder, no round, or an unknown format.
    """
    place = options.path or options.fetched
    if place is None:
        raise UsageError(
            "no results were named", hint="give --path=DIR: a checkout of a results repository, a submission, or several in one folder"
        )
    unknown = [name for name in options.formats if name not in FORMATS]
    if unknown:
        raise UsageError(f"there is no format {unknown[0]}", hint=f"choose from {', '.join(FORMATS)}")
    labels = label_lists(options.labels, options.fetched_sources, options.mirror, step.events)
    written: list[Path] = []
    for round_, root in find_rounds(place, _round_of(options, place)):
        done = replay([root], labels, round_id=round_.id, events=step.events)
        rows = summary_rows(done.results)
        repository = round_.repository.rpartition("/")[2] or f"submissions_tiny_{round_.id}"
        tables = final_tables(rows, round_.id.lstrip("v"), repository)
        written += write_tables(rows, tables, options.outdirname, name=f"summary-{round_.id}", formats=list(options.formats))
    step.show("\n".join(f"Written: {path}" for path in written))
    return {"CM_TINY_REPORT_DIR": options.outdirname}


def _round_of(options: ReportOptions, place: Path) -> str:
    """The round that was asked for; a submission whose folder does not name its round counts as one of the newest."""
    asked = options.round
    if not asked and options.fetched_version and place == options.fetched:
        return f"v{options.fetched_version}"
    is_one = any((place / division).is_dir() for division in ("closed", "open"))
    named = any(part in place.resolve().name for part in ("v0.", "v1."))
    return asked or ("v1.4" if is_one and not named else "")
