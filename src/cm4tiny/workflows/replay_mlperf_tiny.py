# SPDX-License-Identifier: Apache-2.0
"""The replay as a command: where rounds and label lists come from, what is written, and when it counts as failed.

A replay fails if a claim does not follow from its evidence (:class:`cm4tiny.errors.MismatchError`), if nothing was found to replay, or if
the outcome differs from the table that was expected. What cannot be checked does not fail it, unless asked for; the files name it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks import BENCHMARKS
from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.errors import MismatchError, NotAvailableError, ResultsError, UsageError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.images.execute import EXECUTED_CSV, Execution, execute
from cm4tiny.images.execute import summary as executed_summary
from cm4tiny.images.table import all_images
from cm4tiny.results.audit import Finding, audit, write_audit
from cm4tiny.results.ci import CiOutcome, places_of, publish
from cm4tiny.results.files import write_whole
from cm4tiny.results.replay import Replay, differences, known_mismatches, replay
from cm4tiny.results.replay.expected import summary
from cm4tiny.results.replay.output import csv_text, junit_text
from cm4tiny.results.rounds.lines import one_line
from cm4tiny.results.rounds.model import Check
from cm4tiny.results.rounds.table import ROUNDS, get_round
from cm4tiny.settings import JOBS, cores
from cm4tiny.workflows.label_lists import label_lists

REPLAY_CSV = "replay.csv"
AUDIT_JSON = "audit.json"
JUNIT_XML = "junit.xml"


@dataclass(frozen=True)
class ReplayRequest:
    """What to replay.

    Attributes:
        paths: checkouts of results repositories, or folders that hold several.
        outdir: receives ``replay.csv``, ``audit.json`` and ``junit.xml``.
        round_id: only this round, empty for all.
        labels: folder with label lists; None: the official ones from ``mirror``, else what is known without them.
        mirror: folder of a local mirror, or empty.
        offline: never use the network.
        jobs: processes, None for one a processor.
        expect: a ``replay.csv`` that the outcome must equal.
        accept_known: mismatches that are known in published rounds do not count.
        strict: what cannot be checked counts as a failure, too.
    """

    paths: tuple[Path, ...]
    outdir: Path
    round_id: str = ""
    labels: Path | None = None
    mirror: str = ""
    offline: bool = False
    jobs: int | None = None
    expect: Path | None = None
    accept_known: bool = False
    strict: bool = False


@dataclass(frozen=True, eq=False)
class ReplayOutcome:
    """What came of it: the files, a table, what is wrong (empty: nothing), the audit's findings, mismatches that are known."""

    replay: Replay
    files: tuple[Path, Path, Path]
    summary: str
    failures: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    accepted: frozenset[Check] = frozenset()

    def raise_if_failed(self) -> None:
        """Raises MismatchError if anything is wrong."""
        if self.failures:
            raise MismatchError(
                one_line("; ".join(self.failures[:3])) + (f"; and {len(self.failures) - 3} more" if len(self.failures) > 3 else ""),
                why="the evidence does not give these figures",
                hint=f"see {self.files[0]}; docs/replay.md explains the causes, --accept_known passes over those of published rounds",
            )


def _nothing_named() -> UsageError:
    return UsageError("nothing to replay", why="neither a folder nor a round was given", hint="give --path=CHECKOUT or a round (_v1.3)")


def _unfetched(round_id: str) -> NotAvailableError:
    round_ = get_round(round_id)
    public = ", ".join(f"_{key}" for key, one in ROUNDS.items() if one.repository)
    return NotAvailableError(
        f"the results of round {round_.id} cannot be fetched",
        why=f"they are not public; public rounds are {public}",
        hint=f"replay your own copy:\ncm run script --tags=replay,mlperf,tiny,_{round_.id} --path=DIR",
    )


def run_replay(request: ReplayRequest, events: EventStream = SILENT) -> ReplayOutcome:
    """Replays, audits, writes the files and judges.

    Raises:
        UsageError: no round is at the paths, or nothing was given.
        NotAvailableError: a round was given whose results are not public, and no path.
        ResultsError: a folder cannot be read or written, or the rounds hold no result.
    """
    if not request.paths:
        raise _unfetched(request.round_id) if request.round_id else _nothing_named()
    lists = label_lists(request.labels, None, request.mirror, events, offline=request.offline)
    found = replay(request.paths, lists, round_id=request.round_id, jobs=request.jobs or cores(), events=events)
    if not found.results:
        where = ", ".join(str(path) for path in request.paths)
        raise ResultsError(f"no result was found in {where}", why="DIVISION/SUBMITTER/results holds none", hint="give a complete checkout")
    findings = audit(found.results, labels=lists, trees=found.rounds)
    accepted = known_mismatches(found.checks) if request.accept_known else frozenset()
    files = write_replay(found, request.outdir, findings, accepted)
    failures = _failures(found, request, accepted)
    return ReplayOutcome(found, files, summary(found, len(findings), accepted), tuple(failures), findings, accepted)


def _failures(found: Replay, request: ReplayRequest, accepted: frozenset[Check]) -> list[str]:
    failures = [
        f"{check.round} {check.path}: {check.metric} {check.claimed} claimed, {check.recomputed} recomputed"
        for check in found.checks
        if check.status == "mismatch" and check not in accepted
    ]
    if request.strict:
        failures += [f"{c.round} {c.path}: {c.metric} cannot be checked ({c.cause})" for c in found.checks if c.status == "unverifiable"]
    if request.expect is not None:
        different = differences(found.checks, request.expect)
        if not different:  # the expected table says which claims do not hold
            return []
        failures = different
    return failures


def write_replay(
    replay: Replay, folder: Path, findings: Iterable[Finding] = (), accepted: frozenset[Check] = frozenset()
) -> tuple[Path, Path, Path]:
    """Writes the three files into ``folder``; each appears whole or not at all.

    Raises:
        ResultsError: the folder cannot be written.
    """
    checks = replay.checks
    return (
        write_whole(folder / REPLAY_CSV, csv_text(checks)),
        write_audit(findings, folder / AUDIT_JSON, rounds=[round_.id for round_, _ in replay.rounds]),
        write_whole(folder / JUNIT_XML, junit_text(checks, accepted)),
    )


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """What the step ``replay,mlperf,tiny`` is asked for."""

    path: Path | None = flag("CM_TINY_REPLAY_PATH")
    outdirname: Path = flag("CM_TINY_OUTDIR", default="mlperf-tiny-replay")
    labels: Path | None = flag("CM_TINY_REPLAY_LABELS")
    expect: Path | None = flag("CM_TINY_REPLAY_EXPECT")
    accept_known: bool = flag("CM_TINY_REPLAY_ACCEPT_KNOWN")
    strict: bool = flag("CM_TINY_REPLAY_STRICT")
    mirror: Path | None = flag("CM_TINY_MIRROR")
    offline: bool = flag("CM_TINY_OFFLINE")
    ci: bool = flag("CM_TINY_CI")
    jobs: int | None = flag("CM_TINY_JOBS", limits=JOBS)
    round_id: str = value("CM_TINY_ROUND")
    execute: str = value("CM_TINY_REPLAY_EXECUTE")
    data_sets: dict[str, str] = value("CM_MLPERF_TINY_DATASETS_*")
    rounds: dict[str, str] = value("CM_MLPERF_TINY_RESULTS_V*")


def replay_request(options: ReplayOptions) -> ReplayRequest:
    """The request: the folder that was given, else the rounds that steps before it fetched."""
    fetched = tuple(Path(folder) for folder in options.rounds.values())
    return ReplayRequest(
        paths=fetched if options.path is None else (options.path,),
        outdir=options.outdirname,
        round_id="" if options.round_id == "all" else options.round_id,
        labels=options.labels,
        mirror=str(options.mirror or ""),
        offline=options.offline,
        jobs=options.jobs,
        expect=options.expect,
        accept_known=options.accept_known,
        strict=options.strict,
    )


def check_replay(options: ReplayOptions, step: Step) -> None:
    """Refuses a round that is not public, unless a copy is named.

    Raises:
        NotAvailableError: it is not. UsageError: neither a round nor a folder was named.
    """
    if options.path is not None or options.rounds:
        return
    if not options.round_id:
        raise _nothing_named()
    if options.round_id in ROUNDS and not ROUNDS[options.round_id].repository:
        raise _unfetched(options.round_id)


def _for_ci(outcome: ReplayOutcome, *, fetched: bool) -> CiOutcome:
    found = outcome.replay
    return CiOutcome(
        title="Replay",
        rounds=tuple(round_.id for round_, _ in found.rounds),
        findings=outcome.findings,
        checks=found.checks,
        accepted=outcome.accepted,
        failures=outcome.failures,
        places=places_of(found.rounds, fetched=fetched),
    )


def replay_step(options: ReplayOptions, step: Step) -> Outputs:
    """Replays, shows the summary, and fails if a claim does not hold.

    Raises:
        MismatchError: it does not. Cm4TinyError: as :func:`run_replay`.
    """
    outcome = run_replay(replay_request(options), step.events)
    step.show(f"\n{outcome.summary}\n\nWritten: {', '.join(map(str, outcome.files))}")
    if options.ci:
        publish(_for_ci(outcome, fetched=options.path is None), options.outdirname, step.show)
    executed = _execute(options, outcome.replay, step) if options.execute else {}
    outcome.raise_if_failed()
    keys = (f"CM_TINY_REPLAY_{name}" for name in ("CSV", "AUDIT", "JUNIT"))
    return {**dict(zip(keys, outcome.files, strict=True)), **executed}


def _execute(options: ReplayOptions, found: Replay, step: Step) -> dict[str, Path]:
    """Re-runs the submitters' images of the rounds.

    Raises:
        NotAvailableError: the table has none of these rounds. MismatchError: one fails, or its outputs differ from its log.
    """
    checkouts = {round_.id: tree for round_, tree in found.rounds}
    sets = {b: Path(options.data_sets[key]) for b in BENCHMARKS if (key := f"CM_MLPERF_TINY_DATASETS_{b.upper()}") in options.data_sets}
    rows = execute(Execution(checkouts, options.outdirname, sets, options.jobs or cores()), step.events)
    if not rows:
        known = ", ".join(dict.fromkeys(image.round for image in all_images()))
        raise NotAvailableError(
            f"no image of {', '.join(checkouts)} is known",
            why="images.yaml lists firmware images of rounds by their digests",
            hint=f"execute one of {known}, or leave _execute out",
        )
    file = options.outdirname / EXECUTED_CSV
    step.show(f"\n{executed_summary(rows)}\n\nWritten: {file}")
    failures = [row.failure for row in rows if row.failure]
    if failures:
        raise MismatchError(
            one_line("; ".join(failures[:3])) + (f"; and {len(failures) - 3} more" if len(failures) > 3 else ""),
            why="the submitters' own images do not do here what was published",
            hint=f"see {file}",
        )
    return {"CM_TINY_REPLAY_EXECUTED": file}
