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
