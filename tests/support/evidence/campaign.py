# SPDX-License-Identifier: Apache-2.0
"""The campaign: chooses mutations, applies them, counts verdicts. Everything follows from a seed; it can be interrupted and continues."""

from __future__ import annotations

import json
import multiprocessing
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.evidence.judge import Judge
from support.evidence.neutral import reason
from support.evidence.sites import Site, mutated, sites
from support.session_maker import small_lists
from support.submission_maker import whole_submission


@dataclass(frozen=True)
class Verdict:
    """What became of a mutation.

    ``found``: an error of the audit; ``neutral``: no claim and no evidence was touched; ``same``: nothing changed; ``accepted``: a defect.
    """

    site: str
    verdict: str
    rules: tuple[str, ...] = ()


@dataclass
class Tally:
    """The counts of a campaign."""

    verdicts: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    neutral_found: int = 0

    def add(self, one: Verdict) -> None:
        """Counts one verdict."""
        self.verdicts[one.verdict] += 1
        self.rules.update(one.rules)
        self.neutral_found += one.verdict == "neutral" and bool(one.rules)
        if one.verdict == "accepted":
            self.accepted.append(one.site)

    @property
    def text(self) -> str:
        """The counts in a line."""
        tries = sum(self.verdicts.values()) - self.verdicts["same"]
        neutral = f"{self.verdicts['neutral']} neutral ({self.neutral_found} of them found all the same)"
        return f"{tries} mutations: {self.verdicts['found']} found, {neutral}, {len(self.accepted)} accepted"


def chosen(root: Path, count: int, seed: int) -> list[Site]:
    """``count`` mutations (0: all), spread over the groups: one of each group before a second one of any."""
    rng = random.Random(seed)
    groups: dict[str, list[Site]] = {}
    for site in sites(root, seed):
        groups.setdefault(site.group, []).append(site)
    queues = list(groups.values())
    rng.shuffle(queues)
    for queue in queues:
        rng.shuffle(queue)
    found: list[Site] = []
    while queues and (not count or len(found) < count):
        found += [queue.pop() for queue in queues]
        queues = [queue for queue in queues if queue]
    return found[:count] if count else found


def judged(judge: Judge, site: Site, seed: int) -> Verdict:
    """The verdict on one mutation."""
    before = (judge.root / site.file).read_bytes()
    after = mutated(site, before, random.Random(f"{seed} {site.id}"))
    if after == before:
        return Verdict(site.id, "same")
    why = reason(site, before)
    rules = tuple(sorted({finding.rule for finding in judge.after(site.file, after) if finding.severity == "error"}))
    return Verdict(site.id, "neutral" if why else "found" if rules else "accepted", rules)


_judge: Judge | None = None


def _set_up(valid: Path) -> None:
    global _judge
    _judge = Judge(valid, Path(tempfile.mkdtemp(prefix="evidence-", dir=valid.parent)), small_lists())


def _work(task: tuple[Site, int]) -> Verdict:
    assert _judge is not None
    return judged(_judge, *task)


def verdicts(valid: Path, work: Sequence[Site], seed: int, jobs: int) -> Iterator[Verdict]:
    """The verdicts, in order; in ``jobs`` processes."""
    tasks = [(site, seed) for site in work]
    if jobs == 1:
        _set_up(valid)
        yield from map(_work, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _set_up, (valid,)) as pool:
        yield from pool.imap(_work, tasks, chunksize=16)


def run(count: int, seed: int, jobs: int, protocol: Path, progress: Callable[[int, int, Tally], None]) -> Tally:
    """Runs a campaign and returns its counts.

    Args:
        protocol: a line for each verdict; what it holds of the same seed and count is not done again.
        progress: called with how many are done, how many there are, and the counts.
    """
    with tempfile.TemporaryDirectory(prefix="evidence-campaign-") as scratch:
        valid = whole_submission(Path(scratch)).root
        work = chosen(valid, count, seed)
        done = {one.site: one for one in _read(protocol, seed)}
        tally = Tally()
        for site in work:
            if site.id in done:
                tally.add(done[site.id])
        left = [site for site in work if site.id not in done]
        with protocol.open("a", encoding="utf-8") as stream:
            for number, one in enumerate(verdicts(valid, left, seed, jobs), start=1):
                stream.write(json.dumps([seed, one.site, one.verdict, one.rules]) + "\n")
                stream.flush()
                tally.add(one)
                progress(len(work) - len(left) + number, len(work), tally)
    return tally


def _read(protocol: Path, seed: int) -> Iterable[Verdict]:
    if not protocol.exists():
        return
    for line in protocol.read_text(encoding="utf-8").splitlines():
        try:
            mine, site, verdict, rules = json.loads(line)
        except ValueError:  # the last line of an interrupted run
            continue
        if mine == seed:
            yield Verdict(site, verdict, tuple(rules))
