# SPDX-License-Identifier: Apache-2.0
"""Replays rounds: reads every session, recomputes every claim, in a bounded number of processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.errors import ResultsError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.results.replay.checks import check_session
from cm4tiny.results.rounds.labels import LabelLists
from cm4tiny.results.rounds.layout import find_rounds, walk
from cm4tiny.results.rounds.model import Check, LoggedSession, Mode, ResultDir, Round
from cm4tiny.results.rounds.read import read_files
from cm4tiny.results.rounds.table import ROUNDS

MAX_JOBS = 8
_lists = LabelLists()  # in a worker: what its initialiser was given


@dataclass(frozen=True, eq=False)
class Replayed:
    """A result, its sessions by mode, and a check for each of their claims."""

    result: ResultDir
    sessions: dict[Mode, LoggedSession]
    checks: tuple[Check, ...]


@dataclass(frozen=True, eq=False)
class Replay:
    """What a replay found.

    Attributes:
        rounds: the rounds with the folders that they were read from, oldest first.
        results: every result, by round and path.
        labels: where the label lists came from.
    """

    rounds: tuple[tuple[Round, Path], ...]
    results: tuple[Replayed, ...]
    labels: str = ""

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every check: a round's sessions by path, then accuracy sessions of the MLCommons runner, then streaming ones."""
        return tuple(sorted((check for replayed in self.results for check in replayed.checks), key=_order))

    def count(self, status: str) -> int:
        """How many checks have that status."""
        return sum(check.status == status for replayed in self.results for check in replayed.checks)


def _order(check: Check) -> tuple[int, int, str]:
    group = 2 if check.benchmark == "sww" else 1 if check.runner == "mlc" and check.mode == "accuracy" else 0
    return list(ROUNDS).index(check.round), group, check.path


def replay_result(result: ResultDir, lists: LabelLists) -> Replayed:
    """One result: its sessions read, their claims checked."""
    sessions: dict[Mode, LoggedSession] = {}
    checks: list[Check] = []
    for files in result.modes:
        session = read_files(files, result.benchmark)
        sessions[files.mode] = session
        checks += check_session(result, files, session, lists)
    return Replayed(result, sessions, tuple(checks))


def replay(
    paths: Sequence[Path], lists: LabelLists, *, round_id: str = "", jobs: int | None = None, events: EventStream = SILENT
) -> Replay:
    """Replays every round found at ``paths``.

    Args:
        paths: checkouts of results repositories, or folders that hold several.
        lists: the label lists; without any, claims that need them are unverifiable.
        round_id: only this round.
        jobs: processes, at most ``MAX_JOBS``; None or 1: none besides this one. More are spawned, so a script that asks for
            them needs the usual ``if __name__ == "__main__"``.

    Raises:
        ResultsError: a folder is missing or larger than a round can be, a round is there twice, or a worker died.
        UsageError: a folder holds no round.
    """
    rounds = _distinct(pair for path in paths for pair in find_rounds(path, round_id))
    found = [result for round_, root in rounds for result in walk(root, round_)]
    count = max(1, min(jobs or 1, MAX_JOBS, len(found)))
    results: list[Replayed] = []
    with events.step("replay", len(found), "results") as outcome:
        work = _in_process(found, lists) if count == 1 else _in_pool(found, lists, count)
        for replayed in work:
            results.append(replayed)
            events.progress("replay", len(results), len(found))
        outcome.note = f"{sum(len(replayed.checks) for replayed in results)} claims"
    return Replay(rounds, tuple(results), lists.source)


def _distinct(pairs: Iterable[tuple[Round, Path]]) -> tuple[tuple[Round, Path], ...]:
    rounds: dict[str, tuple[Round, Path]] = {}
    for round_, root in pairs:
        if round_.id in rounds:
            raise ResultsError(
                f"round {round_.id} is there twice", why=f"{rounds[round_.id][1]} and {root}", hint="give one copy of each round"
            )
        rounds[round_.id] = (round_, root)
    return tuple(rounds[key] for key in ROUNDS if key in rounds)


def _in_process(found: Sequence[ResultDir], lists: LabelLists) -> Iterator[Replayed]:
    for result in found:
        yield replay_result(result, lists)


def _set_up(lists: LabelLists) -> None:
    global _lists
    _lists = lists


def _work(result: ResultDir) -> Replayed:
    return replay_result(result, _lists)


def _in_pool(found: Sequence[ResultDir], lists: LabelLists, jobs: int) -> Iterator[Replayed]:
    """Spawned processes: a fork of a process with threads (a progress bar) may hang."""
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(jobs, mp_context=context, initializer=_set_up, initargs=(lists,)) as pool:
            yield from pool.map(_work, found, chunksize=4)
    except BrokenProcessPool as error:
        raise ResultsError(
            "a process that read results was killed",
            why="the machine ran out of memory, or the calling script has no __main__ guard",
            hint="replay with --jobs=1",
        ) from error
