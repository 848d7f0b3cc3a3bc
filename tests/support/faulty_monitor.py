# SPDX-License-Identifier: Apache-2.0
"""A power monitor for a scripted device, with one fault on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cm4tiny.boards.power import PowerTrace

IDLE_W, ACTIVE_W = 0.005, 0.03
PERIOD_S = 0.001

Damage = Callable[[PowerTrace], Any]


@dataclass
class FaultyMonitor:
    """Records what a device with ``now`` and ``edges`` does; ``damage`` changes each recording from number ``since`` on (from 0).

    Idle takes 5 mW, an inference 30 mW. It counts time stamps, marks its time every second and reads its voltage back.
    """

    device: Any
    damage: Damage | None = None
    since: int = 0
    voltage_v: float = 1.8
    actual_v: Callable[[int], float] = lambda recordings: 1.8
    hang: str = ""
    simulated: bool = True
    name: str = "scripted monitor"
    recordings: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._hang("start")
        self.began = self.device.now
        self.first_edge = len(self.device.edges)

    def stop(self) -> Any:
        self._hang("stop")
        trace = self.record()
        self.recordings += 1
        return self.damage(trace) if self.damage and self.recordings > self.since else trace

    def read_voltage_v(self) -> float:
        self._hang("voltage")
        return self.actual_v(self.recordings)

    def record(self) -> PowerTrace:
        length = self.device.now - self.began
        edges = [edge - self.began for edge in self.device.edges[self.first_edge :]]
        joules = np.full(int(length / PERIOD_S + 1e-9), IDLE_W * PERIOD_S)
        if len(edges) >= 2:
            joules[int(edges[-2] / PERIOD_S) : int(edges[-1] / PERIOD_S)] = ACTIVE_W * PERIOD_S
        numbers = tuple(number % 100 for number in range(self.first_edge, len(self.device.edges)))
        marks = tuple((samples, 7.0 + samples * PERIOD_S) for samples in range(0, len(joules) + 1, 100))
        return PowerTrace(PERIOD_S, joules, tuple(edges), counters=numbers, marks=marks, voltages_v=(self.actual_v(self.recordings),))

    def _hang(self, call: str) -> None:
        if call == self.hang and self.recordings >= self.since:
            self.released.wait(60)


def sample(index: int, joules: float) -> Damage:
    """One sample has another value, the last one if there are not so many; a negative index counts from the end."""

    def damage(trace: PowerTrace) -> PowerTrace:
        changed = trace.joules.copy()
        changed[min(index, len(changed) - 1)] = joules
        return replace(trace, joules=changed)

    return damage


def lose_samples(first: int, count: int, *, marks: bool = True) -> Damage:
    """Samples are lost on the way to the host: what comes after them, time stamps included, seems to be earlier."""

    def damage(trace: PowerTrace) -> PowerTrace:
        shift = count * PERIOD_S
        stamps = tuple(at - shift if at > first * PERIOD_S else at for at in trace.timestamps_s)
        kept = tuple((n - count if n > first else n, at) for n, at in trace.marks) if marks else ()
        return replace(trace, joules=np.delete(trace.joules, slice(first, first + count)), timestamps_s=stamps, marks=kept)

    return damage


def stop_early(share: float) -> Damage:
    """The monitor delivers only the beginning."""

    def damage(trace: PowerTrace) -> PowerTrace:
        samples = int(len(trace.joules) * share)
        end = samples * PERIOD_S
        stamps = tuple(at for at in trace.timestamps_s if at <= end)
        marks = tuple(mark for mark in trace.marks if mark[0] <= samples)
        return replace(trace, joules=trace.joules[:samples], timestamps_s=stamps, counters=None, marks=marks)

    return damage


def extra_stamp(at_s: float) -> Damage:
    """An edge that the device did not make."""

    def damage(trace: PowerTrace) -> PowerTrace:
        return replace(trace, timestamps_s=tuple(sorted((*trace.timestamps_s, at_s))), counters=None)

    return damage


def shifted_stamps(*changes: float) -> Damage:
    """The last time stamps come later (or earlier) by so many seconds each."""

    def damage(trace: PowerTrace) -> PowerTrace:
        stamps = list(trace.timestamps_s)
        for place, change in enumerate(changes, len(stamps) - len(changes)):
            stamps[place] += change
        return replace(trace, timestamps_s=tuple(stamps))

    return damage


def gap_instead_of_window(trace: PowerTrace) -> PowerTrace:
    """The first stamp is lost, and the next window's first stamp is taken for the end: round v1.1's damaged result."""
    last = trace.timestamps_s[-1]
    length = len(trace.joules) * PERIOD_S
    joules = np.concatenate([trace.joules, np.full(int(0.94 * length / PERIOD_S), IDLE_W * PERIOD_S)])
    return replace(trace, joules=joules, timestamps_s=(last, last + 0.93 * (last - trace.timestamps_s[0])), marks=())


NOT_NUMBERS = {"nan": np.nan, "infinite": np.inf, "negative": -0.0005, "absurd": 1e300, "slightly-negative": -1e-12}
FAULTS: dict[str, tuple[Damage, str]] = {
    **{
        f"{name}-{where}": (sample(at, value), "cannot be: sample")
        for name, value in NOT_NUMBERS.items()
        for where, at in (("in", 500), ("last", -1))
    },
    "lost-in-the-middle": (lose_samples(300, 7), "samples in|went back|delivered"),
    "lost-without-marks": (lose_samples(300, 120, marks=False), "delivered"),
    "stopped-half-way": (stop_early(0.5), "delivered 0.*in a recording"),
    "stopped-at-once": (stop_early(0.0), "no samples"),
    "closed-early": (lambda t: replace(t, closed_early=(400, 900)), "ended before their time, the first is sample 400"),
    "time-goes-back": (lambda t: replace(t, marks=(*t.marks[:5], (600, 1.0), *t.marks[7:])), "went back"),
    "time-skips": (lambda t: replace(t, marks=tuple((n, at + (n > 500)) for n, at in t.marks)), "of its own time"),
    "marks-not-numbers": (lambda t: replace(t, marks=((0, 0.0), (100, np.nan))), "went back"),
    "counter-skips": (lambda t: replace(t, counters=(0, 7)), "time stamp 07 follows on time stamp 00"),
    "counter-repeats": (lambda t: replace(t, counters=(3, 3)), "time stamp 03 follows on time stamp 03"),
    "counter-missing": (lambda t: replace(t, counters=(3,)), "2 time stamps have 1 numbers"),
    "stamps-go-back": (shifted_stamps(0.0, -60.0), "do not increase"),
    "stamp-not-a-number": (shifted_stamps(np.nan, 0.0), "do not increase"),
    "first-stamp-lost": (lambda t: replace(t, timestamps_s=t.timestamps_s[1:], counters=t.counters[1:]), "1 time stamps during"),
    "both-stamps-lost": (lambda t: replace(t, timestamps_s=(), counters=()), "0 time stamps during"),
    "first-stamp-late": (shifted_stamps(0.05, 0.0), "the link's clock says"),
    "last-stamp-early": (shifted_stamps(0.0, -0.05), "the link's clock says"),
    "edge-within-the-window": (extra_stamp(0.6), "the link's clock says"),
    "gap-instead-of-window": (gap_instead_of_window, "delivered|the link's clock says"),
    "slow-clock": (lambda t: replace(t, sample_period_s=t.sample_period_s / 2), "delivered"),
    "period-zero": (lambda t: replace(t, sample_period_s=0.0), "a sample lasts 0"),
    "no-energy": (lambda t: replace(t, joules=t.joules * 0.0), "no energy between"),
    "zeros-for-lost-samples": (
        lambda t: replace(t, joules=np.where(np.arange(len(t.joules)) % 20 == 0, 0.0, t.joules)),
        "unlike the others",
    ),
    "damaged-exponent": (sample(900, 0.03), "unlike the others"),
    "old-samples": (lambda t: replace(t, joules=np.concatenate([t.joules, t.joules]), marks=()), "delivered"),
    "not-a-recording": (lambda t: None, "no recording"),
    "text-instead-of-numbers": (lambda t: replace(t, joules=["6409-07"]), "no recording"),
    "two-columns": (lambda t: replace(t, joules=np.stack([t.joules, t.joules])), "no samples"),
}
"""Damage to a recording, and what its error says."""
