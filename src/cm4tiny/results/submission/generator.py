# SPDX-License-Identifier: Apache-2.0
"""Makes a submission: systems, code, results, README and checksums, complete or not at all.

Everything is written into a folder next to the target, computed again and audited there, and moved into place at the end. What is simulated
or measured with this project's own models is refused, unless the submission is marked as a draft.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.errors import BusyError, ResultsError, RuleError, UsageError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.files import replace_folder
from cm4tiny.results.audit.rules.documents import CHECKSUMS, DRAFT_MARK, sha256_of
from cm4tiny.results.rounds import LabelLists
from cm4tiny.results.submission.answers import Answers, SystemAnswers
from cm4tiny.results.submission.code import cache_of_cm, write_code
from cm4tiny.results.submission.draft import DRAFT_RULES
from cm4tiny.results.submission.readme import draft_text, readme_text
from cm4tiny.results.submission.reviewer import Review, review
from cm4tiny.results.submission.sessions import Found, find_sessions
from cm4tiny.results.submission.system import as_text, describe
from cm4tiny.results.tables.summary import summary_rows

MARKER = "EEMBC_RUNNER"
_STEP = "submission"


@dataclass(frozen=True)
class Generated:
    """A finished submission: its root, the organisation's folder in it, what the review found, why it is a draft."""

    root: Path
    folder: Path
    review: Review
    draft_reasons: tuple[str, ...]


def generate(
    answers: Answers,
    root: Path,
    *,
    draft: bool = False,
    add: bool = False,
    labels: LabelLists | None = None,
    caches: Sequence[Path] | None = None,
    events: EventStream = SILENT,
) -> Generated:
    """Writes ``root/DIVISION/SUBMITTER``.

    Args:
        draft: allow simulated and embedded results, and missing documents; marks the submission.
        add: keep the systems that are there already.
        caches: where firmware images are looked for; CM's cache by default.

    Raises:
        UsageError: something to submit is missing, or already there.
        RuleError: a result must not be submitted, or not to this division, or the audit refuses the whole; nothing was written.
        ResultsError: a session cannot be read, or the folder cannot be written.
    """
    found = {system.name: find_sessions(system.sessions) for system in answers.systems}
    reasons = _reasons(found)
    if reasons and not draft:
        hint = "measure on hardware with MLPerf Tiny's models and data; or add --draft to see what the submission would look like"
        raise RuleError("these results cannot be submitted", why="; ".join(reasons[:6]), hint=hint)
    _check_division(answers.division, found)
    target = root / answers.division / answers.submitter
    _check_target(target, add)
    with _staging(root) as staging, events.step(_STEP) as outcome:
        folder = staging / answers.division / answers.submitter
        if add and target.is_dir():
            shutil.copytree(target, folder)
        for system in answers.systems:
            _write_system(folder, answers, system, found[system.name], draft, caches if caches is not None else [cache_of_cm()])
        _write_documents(folder, answers)
        if draft:
            (folder / DRAFT_MARK).write_text(draft_text(reasons), encoding="utf-8")
        first = review(staging, answers.round, labels=labels, events=events)
        (folder / "README.md").write_text(readme_text(folder, answers, summary_rows(first.replay.results)), encoding="utf-8")
        (folder / CHECKSUMS).write_text(checksums(folder), encoding="utf-8")
        final = first.audited_again()
        _judge(final, draft)
        _move(folder, target)
        outcome.note = f"{len(final.replay.results)} results in {target}"
    return Generated(root, target, final, reasons)


def _reasons(found: Mapping[str, Sequence[Found]]) -> tuple[str, ...]:
    return tuple(
        f"{system} {session.benchmark} {session.mode}: {reason}"
        for system, mine in found.items()
        for session in mine
        for reason in session.unfit
    )


def _check_division(division: str, found: Mapping[str, Sequence[Found]]) -> None:
    """Results of the open division are refused in the closed one, as a draft too: a draft shows what could be submitted."""
    reasons = [
        f"{system} {session.benchmark} {session.mode}: {session.open_division}"
        for system, mine in found.items()
        for session in mine
        if session.open_division
    ]
    if reasons and division == "closed":
        raise RuleError(
            "results of the open division cannot be submitted to the closed one",
            why="; ".join(reasons[:6]),
            hint="submit with --division=open, or measure firmware that was built without _prune_channels (docs/closed-division.md)",
        )


def _check_target(target: Path, add: bool) -> None:
    if target.exists() and not add:
        raise UsageError(
            f"{target} exists already",
            why="a submission is never written over another one",
            hint="give another --outdirname=DIR, remove the folder, or add systems to it with --add",
        )


def _write_system(
    folder: Path, answers: Answers, system: SystemAnswers, sessions: Sequence[Found], draft: bool, caches: Sequence[Path]
) -> None:
    description, results = folder / "systems" / f"{system.name}.json", folder / "results" / system.name
    if description.exists() or results.exists():
        raise UsageError(f"the submission has a system {system.name} already", hint="give the new one another name")
    description.parent.mkdir(parents=True, exist_ok=True)
    named = dict(system.description)
    if draft:
        notes = named.get("Hardware Notes", "")
        named["Hardware Notes"] = f"DRAFT, not a result of MLPerf Tiny{'. ' + notes if notes else ''}"
    values = describe(answers.submitter, answers.division, system.status, system.board, named, _derived(sessions))
    description.write_text(as_text(values), encoding="utf-8")
    for session in sessions:
        _write_session(results / session.benchmark, session)
    write_code(folder / "code", system, sessions, answers.models, caches)


def _derived(sessions: Sequence[Found]) -> dict[str, str]:
    """Fields that a run of this project knows."""
    session = next((session for session in sessions if session.tools), None)
    if session is None:
        return {}
    tools = dict(session.tools)
    compiler = tools.pop("compiler", "")
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(tools.items()) if name not in ("python", "unicorn"))
    return {
        "Inference Framework": f"{session.engine} (cm4tiny {tools.get('cm4tiny', '')})".strip(),
        "Software Libraries": libraries,
        "Operating System": "bare metal",
        "ML Model Compiler(s)": f"TVM {tools['apache-tvm']}" if "apache-tvm" in tools else "",
        "General Compiler(s)": compiler,
        "Quantization Method": "int8, as in the model file",
    }


def _write_session(benchmark: Path, session: Found) -> None:
    folder = benchmark / session.mode
    folder.mkdir(parents=True)
    for name, path in session.files.items():
        shutil.copyfile(path, folder / name)
    if session.runner == "eembc":
        (benchmark / MARKER).touch()


def _write_documents(folder: Path, answers: Answers) -> None:
    given = (
        ("checklist", answers.checklist, f"TinyMLPerf_{answers.round}_Submission_Checklist"),
        ("energy set-up", answers.energy_set_up, "Energy-Hookup"),
    )
    for what, path, name in given:
        if path is None:
            continue
        if not path.is_file():
            raise UsageError(f"the {what} {path} is not a file", hint="give the path of the document")
        shutil.copyfile(path, folder / "systems" / f"{name}{path.suffix.lower()}")


def checksums(folder: Path) -> str:
    """``SHA256SUMS`` of everything below a folder but itself, as ``sha256sum --check`` reads it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).as_posix() != CHECKSUMS)
    return "".join(f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)


def _judge(found: Review, draft: bool) -> None:
    """A submission that the audit refuses is not written; a draft may lack what only a person can give."""
    documents = {"documents.checklist", "documents.energy-set-up"}
    allowed = DRAFT_RULES | documents | {"data.coverage", "claims.quality-target"} if draft else frozenset()
    against = [finding for finding in found.errors if finding.rule not in allowed]
    if against:
        raise RuleError(
            f"the audit refuses the {'draft' if draft else 'submission'}; nothing was written",
            why="\n".join(finding.text for finding in against[:10]),
            hint="docs/audit-rules.md explains each rule; --checklist and --energy_set_up give the documents",
        )


@contextlib.contextmanager
def _staging(root: Path) -> Iterator[Path]:
    """A folder next to the target, on the same disk; gone at the end whatever happens."""
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=root.parent, prefix=".submission-"))
    except OSError as error:
        raise ResultsError(
            f"nothing can be written next to {root}", why=error.strerror or str(error), hint="choose another --outdirname"
        ) from error
    try:
        yield folder
    except OSError as error:
        raise ResultsError(
            f"the submission cannot be written to {root}",
            why=f"{error.strerror or error}: {error.filename}",
            hint="free disk space, check the rights",
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(folder: Path, target: Path) -> None:
    """Puts the new folder in the old one's place; the old one comes back if that fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        replace_folder(folder, target, folder.parent / f"{folder.name}.replaced")
    except OSError as error:
        raise BusyError(
            f"{target} cannot be replaced", why=error.strerror or str(error), hint="close what uses it and try again"
        ) from error
