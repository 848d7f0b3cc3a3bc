"""The CM steps ``generate,mlperf,tiny,submission``, ``check,mlperf,tiny,submission`` and ``generate,mlperf,tiny,report``: from env to work.

Names of env keys are upstream's where upstream has them (``CM_MLPERF_RESULTS_DIR``, ``CM_MLPERF_SUBMISSION_DIR``, ``CM_MLPERF_SUBMITTER``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cm4tiny.errors import UsageError
from cm4tiny.fetch import Fetcher, Mirror
from cm4tiny.results.checker_tools import Tools, get_tools
from cm4tiny.results.replay import replay
from cm4tiny.results.rounds import LabelLists, find_rounds
from cm4tiny.results.submission.answers import Answers, from_options, parse_answers, read_answers
from cm4tiny.results.submission.generator import Generated, generate
from cm4tiny.results.submission.reviewer import Review, review, write_review
from cm4tiny.results.tables import final_tables, summary_rows, write_tables
from cm4tiny.results.tables.files import FORMATS
from cm4tiny.settings import is_on, output_folder

if TYPE_CHECKING:
    from cm4tiny.cm import Step

DEFAULT_SUBMISSION = "mlperf-tiny-submission"
DEFAULT_REPORT = "mlperf-tiny-report"
_OPTIONS = {
    "submitter": "CM_MLPERF_SUBMITTER",
    "division": "CM_TINY_SUBMISSION_DIVISION",
    "round": "CM_TINY_SUBMISSION_ROUND",
    "board": "CM_TINY_SUBMISSION_BOARD",
    "status": "CM_TINY_SUBMISSION_STATUS",
    "implementation": "CM_TINY_SUBMISSION_IMPLEMENTATION",
    "framework": "CM_TINY_SUBMISSION_FRAMEWORK",
    "notes": "CM_TINY_SUBMISSION_NOTES",
}
_PATHS = {
    "code": "CM_TINY_SUBMISSION_CODE",
    "checklist": "CM_TINY_SUBMISSION_CHECKLIST",
    "energy_set_up": "CM_TINY_SUBMISSION_ENERGY_SET_UP",
}


def _text(step: Step, key: str) -> str:
    return str(step.env.get(key, "")).strip()


def _labels(step: Step) -> LabelLists:
    """The lists of the data sets from ``--labels``, a clone of mlcommons/tiny or a mirror; else what is known without them."""
    place = step.path("CM_TINY_LABELS") or _text(step, "CM_MLPERF_TINY_SRC")
    if place:
        return LabelLists.open(Path(place))
    mirror = Mirror.named(step.path("CM_TINY_MIRROR"))
    return LabelLists.known() if mirror is None else LabelLists.fetch(Fetcher(mirror=mirror, events=step.events))


def _tools(step: Step) -> Tools | None:
    if not is_on(step.env.get("CM_TINY_OFFICIAL_CHECKER")):
        return None
    return get_tools(step.path("CM_TINY_SRC_PATH") or _text(step, "CM_MLPERF_TINY_SRC"), step.events)


def answers_of(step: Step) -> Answers:
    """What the submitter said: ``--answers=FILE``, or options for one system.

    Raises:
        UsageError: something is missing; says which option gives it.
    """
    file = step.path("CM_TINY_SUBMISSION_ANSWERS")
    if file:
        return read_answers(Path(file))
    for key, option in (("CM_MLPERF_SUBMITTER", "submitter=NAME"), ("CM_MLPERF_RESULTS_DIR", "results=DIR")):
        step.need(key, f"give --{option}, or everything in a file with --answers=FILE (docs/submit.md)")
    values = {name: _text(step, key) for name, key in _OPTIONS.items()} | {name: step.path(key) for name, key in _PATHS.items()}
    here = Path(_text(step, "CM_TMP_CURRENT_PATH") or step.folder)
    values["sessions"] = ",".join(str(here / part.strip()) for part in _text(step, "CM_MLPERF_RESULTS_DIR").split(",") if part.strip())
    system = _text(step, "CM_TINY_SUBMISSION_SYSTEM") or values["board"]
    if not system:
        raise UsageError("the system has no name", cure="give --system=NAME or --board=NAME (docs/submit.md lists the boards)")
    prefix = _text(step, "CM_TINY_SUBMISSION_PREFIX")
    values["system"] = f"{prefix}-{system}" if prefix else system
    document: dict[str, Any] = from_options(values)
    return parse_answers(document, here, "the submission")


def generate_step(step: Step) -> Generated:
    """Generates a submission; its folder is ``CM_MLPERF_SUBMISSION_DIR``."""
    root = Path(step.path("CM_MLPERF_SUBMISSION_DIR") or output_folder(step.env, DEFAULT_SUBMISSION))
    done = generate(
        answers_of(step),
        root,
        draft=is_on(step.env.get("CM_TINY_SUBMISSION_DRAFT")),
        add=is_on(step.env.get("CM_TINY_SUBMISSION_ADD")),
        labels=_labels(step),
        events=step.events,
    )
    step.env["CM_MLPERF_SUBMISSION_DIR"] = str(done.root)
    step.env["CM_TINY_SUBMISSION_FOLDER"] = str(done.folder)
    return done


def check_step(step: Step) -> Review:
    """Checks a submission or a round and writes ``audit.json``; the caller decides on the exit status (:func:`refuse`)."""
    place = step.path("CM_TINY_CHECK_PATH") or step.path("CM_MLPERF_SUBMISSION_DIR")
    if not place:
        raise UsageError("nothing to check was named", cure="give --path=DIR, the folder with closed or open in it")
    partial = is_on(step.env.get("CM_TINY_CHECK_PARTIAL"))
    found = review(
        Path(place),
        _text(step, "CM_TINY_SUBMISSION_ROUND"),
        labels=_labels(step),
        tools=_tools(step),
        complete=None if partial else True,
        events=step.events,
    )
    step.env["CM_TINY_AUDIT_JSON"] = str(write_review(found, Path(_text(step, "CM_OUTDIRNAME") or Path.cwd())))
    return found


def report_step(step: Step) -> tuple[Path, ...]:
    """Writes ``summary-ROUND.csv``, ``.md`` and ``.xlsx`` for each round or submission at ``--path``; upstream's names of files.

    Raises:
        UsageError: no folder, no round, or an unknown format.
    """
    place = step.path("CM_TINY_REPORT_PATH") or step.path("CM_TINYMLPERF_REPO_PATH")
    if not place:
        raise UsageError(
            "no results were named", cure="give --path=DIR: a checkout of a results repository, a submission, or several in one folder"
        )
    formats = [part.strip() for part in (_text(step, "CM_TINY_REPORT_FORMATS") or ",".join(FORMATS)).split(",") if part.strip()]
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise UsageError(f"there is no format {unknown[0]}", cure=f"choose from {', '.join(FORMATS)}")
    folder = output_folder(step.env, DEFAULT_REPORT)
    labels = _labels(step)
    written: list[Path] = []
    for round_, root in find_rounds(Path(place), _round_of(step, Path(place))):
        done = replay([root], labels, round_id=round_.id, events=step.events)
        rows = summary_rows(done.results)
        repository = round_.repository.rpartition("/")[2] or f"submissions_tiny_{round_.id}"
        tables = final_tables(rows, round_.id.lstrip("v"), repository)
        written += write_tables(rows, tables, folder, name=f"summary-{round_.id}", formats=formats)
    step.env["CM_TINY_REPORT_DIR"] = str(folder)
    return tuple(written)


def _round_of(step: Step, place: Path) -> str:
    """The round that was asked for; a submission whose folder does not tell its round counts as one of the newest."""
    asked = _text(step, "CM_TINY_SUBMISSION_ROUND")
    fetched = _text(step, "CM_TINYMLPERF_REPO_VERSION")
    if not asked and fetched and str(place) == step.path("CM_TINYMLPERF_REPO_PATH"):
        return f"v{fetched}"
    is_one = any((place / division).is_dir() for division in ("closed", "open"))
    named = any(part in place.resolve().name for part in ("v0.", "v1."))
    return asked or ("v1.4" if is_one and not named else "")
