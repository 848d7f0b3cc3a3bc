# SPDX-License-Identifier: Apache-2.0
"""The replay as a command: where rounds and label lists come from, what is written, and when it counts as failed.

A replay fails if a claim does not follow from its evidence (:class:`cm4tiny.errors.MismatchError`), if nothing was found to replay, or if
the outcome differs from the table that was expected. What cannot be checked does not fail it, unless asked for; the files name it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Step, from_env
from cm4tiny.errors import MismatchError, NotAvailableError, ResultsError, UsageError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.fetch import Fetcher, Mirror
from cm4tiny.results.audit import Finding, audit, write_audit
from cm4tiny.results.files import write_whole
from cm4tiny.results.replay import Replay, differences, known_mismatches, replay
from cm4tiny.results.replay.expected import summary
from cm4tiny.results.replay.output import csv_text, junit_text
from cm4tiny.results.rounds.labels import LabelLists
from cm4tiny.results.rounds.model import Check
from cm4tiny.results.rounds.table import ROUNDS, get_round
from cm4tiny.settings import cores, output_folder

DEFAULT_OUT = "mlperf-tiny-replay"
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
    """What came of it: the files, a table for people, and what is wrong (empty: nothing)."""

    replay: Replay
    files: tuple[Path, Path, Path]
    summary: str
    failures: tuple[str, ...]

    def raise_if_failed(self) -> None:
        """Raises MismatchError if anything is wrong."""
        if self.failures:
            raise MismatchError(
                "; ".join(self.failures[:3]) + (f"; and {len(self.failures) - 3} more" if len(self.failures) > 3 else ""),
                why="the evidence does not give these figures",
                hint=f"see {self.files[0]}; docs/replay.md explains the causes, --accept_known passes over those of published rounds",
            )


def label_lists(request: ReplayRequest, events: EventStream = SILENT) -> LabelLists:
    """The label lists that a request asks for.

    Raises:
        AssetError: lists were named that are not available.
    """
    if request.labels is not None:
        return LabelLists.open(request.labels)
    mirror = Mirror.named(request.mirror)
    if mirror is None:
        return LabelLists.known()
    return LabelLists.fetch(Fetcher(mirror=mirror, events=events, offline=request.offline))


def run_replay(request: ReplayRequest, events: EventStream = SILENT) -> ReplayOutcome:
    """Replays, audits, writes the files and judges.

    Raises:
        UsageError: no round is at the paths, or nothing was given.
        NotAvailableError: a round was given whose results are not public, and no path.
        ResultsError: a folder cannot be read or written, or the rounds hold no result.
    """
    if not request.paths and request.round_id:
        round_ = get_round(request.round_id)
        public = ", ".join(f"_{key}" for key, one in ROUNDS.items() if one.repository)
        raise NotAvailableError(
            f"the results of round {round_.id} cannot be fetched",
            why=f"they are not public; public rounds are {public}",
            hint=f"replay your own copy:\ncm run script --tags=replay,mlperf,tiny,_{round_.id} --path=DIR",
        )
    if not request.paths:
        raise UsageError("nothing to replay", why="neither a folder nor a round was given", hint="give --path=CHECKOUT or a round (_v1.3)")
    lists = label_lists(request, events)
    found = replay(request.paths, lists, round_id=request.round_id, jobs=request.jobs or cores(), events=events)
    if not found.results:
        where = ", ".join(str(path) for path in request.paths)
        raise ResultsError(f"no result was found in {where}", why="DIVISION/SUBMITTER/results holds none", hint="give a complete checkout")
    findings = audit(found.results, labels=lists, trees=found.rounds)
    accepted = known_mismatches(found.checks) if request.accept_known else frozenset()
    files = write_replay(found, request.outdir, findings, accepted)
    failures = _failures(found, request, accepted)
    return ReplayOutcome(found, files, summary(found, len(findings), accepted), tuple(failures))


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


@dataclass(frozen=True)
class _ReplayOptions:
    """What the step ``replay,mlperf,tiny`` is asked for."""

    path: Path | None = from_env("CM_TINY_REPLAY_PATH")
    round_id: str = from_env("CM_TINY_ROUND")
    labels: Path | None = from_env("CM_TINY_REPLAY_LABELS")
    mirror: Path | None = from_env("CM_TINY_MIRROR")
    offline: bool = from_env("CM_TINY_OFFLINE")
    jobs: int | None = from_env("CM_TINY_JOBS")
    expect: Path | None = from_env("CM_TINY_REPLAY_EXPECT")
    accept_known: bool = from_env("CM_TINY_REPLAY_ACCEPT_KNOWN")
    strict: bool = from_env("CM_TINY_REPLAY_STRICT")


def replay_request(step: Step) -> ReplayRequest:
    """The request of the step ``replay,mlperf,tiny``: the folder that was given, else the rounds that steps before it fetched.

    Raises:
        UsageError: not a number of jobs.
    """
    options = step.options(_ReplayOptions)
    fetched = tuple(Path(value) for key, value in sorted(step.env.items()) if key.startswith("CM_MLPERF_TINY_RESULTS_V"))
    return ReplayRequest(
        paths=fetched if options.path is None else (options.path,),
        outdir=output_folder(step.env, DEFAULT_OUT),
        round_id="" if options.round_id == "all" else options.round_id,
        labels=options.labels,
        mirror=str(options.mirror or ""),
        offline=options.offline,
        jobs=options.jobs,
        expect=options.expect,
        accept_known=options.accept_known,
        strict=options.strict,
    )
