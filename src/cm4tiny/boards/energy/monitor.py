# SPDX-License-Identifier: Apache-2.0
"""The virtual board's power monitor: energy by what the firmware clocked and did at each moment, in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cm4tiny.boards.energy.current import Activity, current_ma
from cm4tiny.boards.energy.settings import PowerSettings
from cm4tiny.boards.power import SUPPLY_V, PowerTrace
from cm4tiny.errors import UsageError

SAMPLE_PERIOD_S = 0.001

Phase = tuple[float, PowerSettings]
"""From this time on, these settings."""
Span = tuple[float, float, Activity]
"""From, to, what the core did other than to work."""


class VirtualSupply(Protocol):
    """What the simulated monitor asks of a virtual board."""

    @property
    def time_s(self) -> float: ...

    def power_phases(self, from_s: float) -> Sequence[Phase]:
        """Settings from a time on, the ones in force then first; the last ones are in force now."""

    def idle_spans(self, from_s: float) -> Sequence[Span]:
        """What the core did other than to work, from a time on, in order."""

    def stalled_and_worked(self) -> tuple[float, float]:
        """Cycles so far that waited for flash, and cycles of work, those included."""

    def timestamp_edges_s(self) -> tuple[float, ...]: ...


def joules_until(
    borders_s: NDArray[np.float64], phases: Sequence[Phase], spans: Sequence[Span], supply_v: float, stall: float
) -> NDArray[np.float64]:
    """Energy from the first border to each border, in joules.

    Raises:
        PowerError: no current is known for a part of that time.
    """
    first, last = float(borders_s[0]), float(borders_s[-1])
    begins = np.array([at for at, _ in phases])
    edges = [at for span in spans for at in span[:2]]
    times = np.unique(np.clip(np.concatenate([[first, last], begins, np.array(edges, dtype=np.float64)]), first, last))
    middles = (times[1:] + times[:-1]) / 2
    phase = np.maximum(np.searchsorted(begins, middles, side="right") - 1, 0)
    span = np.searchsorted(np.array([begin for begin, _, _ in spans]), middles, side="right") - 1
    known: dict[tuple[int, Activity], float] = {}
    watts = np.empty(len(middles))
    for i, (middle, number, nearest) in enumerate(zip(middles, phase, span, strict=True)):
        activity = spans[nearest][2] if nearest >= 0 and middle < spans[nearest][1] else Activity.RUN
        key = (int(number), activity)
        if key not in known:
            known[key] = supply_v * current_ma(phases[number][1], activity, supply_v, stall) * 1e-3
        watts[i] = known[key]
    joules = np.concatenate([[0.0], np.cumsum(np.diff(times) * watts)])
    return np.interp(borders_s, times, joules)


class SimulatedPowerMonitor:
    """Energy by the model of the supply current, time stamps by the GPIO pin, both in virtual time."""

    simulated = True
    name = "simulated power monitor (current by clock settings and activity)"

    def __init__(self, supply: VirtualSupply, voltage_v: float = SUPPLY_V) -> None:
        self._supply, self.voltage_v = supply, voltage_v
        self._start_s: float | None = None
        self._counted = (0.0, 0.0)

    def start(self) -> None:
        """Begins to record at the present virtual time.

        Raises:
            UsageError: a recording is running.
        """
        if self._start_s is not None:
            raise UsageError("the power monitor records already", hint="stop the running recording first")
        self._start_s, self._counted = self._supply.time_s, self._supply.stalled_and_worked()

    def stop(self) -> PowerTrace:
        """The recording since :meth:`start`, in samples of 1 ms.

        The share of cycles that wait for flash is one for the whole recording.

        Raises:
            UsageError: no recording is running.
            PowerError: no current is known for what the firmware did, or the board's lists were full.
        """
        if self._start_s is None:
            raise UsageError("the power monitor does not record", hint="start it first")
        start_s, self._start_s = self._start_s, None
        whole_samples = int((self._supply.time_s - start_s) / SAMPLE_PERIOD_S + 1e-9)
        borders_s = start_s + SAMPLE_PERIOD_S * np.arange(whole_samples + 1, dtype=np.float64)
        stalled, worked = (now - then for now, then in zip(self._supply.stalled_and_worked(), self._counted, strict=True))
        stall = min(max(stalled / worked, 0.0), 1.0) if worked > 0 else 0.0
        phases, spans = self._supply.power_phases(start_s), self._supply.idle_spans(start_s)
        joules = np.diff(joules_until(borders_s, phases, spans, self.voltage_v, stall)) if whole_samples else np.empty(0)
        edges = tuple(edge - start_s for edge in self._supply.timestamp_edges_s() if edge >= start_s)
        return PowerTrace(SAMPLE_PERIOD_S, joules, edges)
