# SPDX-License-Identifier: Apache-2.0
"""The simulated power monitor on a supply whose settings and idle times are known."""

from __future__ import annotations

import numpy as np
import pytest

from cm4tiny.boards.energy import Activity, PowerSettings, SimulatedPowerMonitor, current_ma
from cm4tiny.boards.energy.monitor import Phase, Span
from cm4tiny.boards.power import PowerTrace, _check_stamps
from cm4tiny.errors import PowerError, PowerTraceError, UsageError

FAST = PowerSettings(120.0, "boost", True, 2, 2.0)
SLOW = PowerSettings(24.0, "range_2", False, 2, 2.0)


class Supply:
    """Works at 120 MHz all the time, if nothing else is said."""

    time_s = 1.0
    edges: tuple[float, ...] = ()
    phases: tuple[Phase, ...] = ((0.0, FAST),)
    spans: tuple[Span, ...] = ()
    work = (0.0, 0.0)

    def power_phases(self, from_s: float) -> tuple[Phase, ...]:
        return self.phases

    def idle_spans(self, from_s: float) -> tuple[Span, ...]:
        return self.spans

    def stalled_and_worked(self) -> tuple[float, float]:
        return self.work

    def timestamp_edges_s(self) -> tuple[float, ...]:
        return self.edges


def watts(settings: PowerSettings, activity: Activity = Activity.RUN, stall: float = 0.0) -> float:
    return 1.8e-3 * current_ma(settings, activity, 1.8, stall)


def test_a_recording_has_whole_milliseconds_of_constant_power() -> None:
    supply = Supply()
    monitor = SimulatedPowerMonitor(supply)
    monitor.start()
    supply.time_s = 1.0105
    trace = monitor.stop()
    assert trace.sample_period_s == 0.001
    assert trace.joules.dtype == np.float64
    assert trace.joules == pytest.approx([1e-3 * watts(FAST)] * 10)
    assert (monitor.simulated, monitor.voltage_v) == (True, 1.8)


def test_samples_follow_settings_and_what_the_core_does() -> None:
    supply = Supply()
    monitor = SimulatedPowerMonitor(supply)
    monitor.start()
    supply.time_s = 1.006
    supply.phases = ((0.0, FAST), (1.0045, SLOW))
    supply.spans = ((0.5, 1.0015, Activity.POLL), (1.003, 1.004, Activity.SLEEP))
    expected = [watts(FAST, Activity.POLL), 0.0, watts(FAST), watts(FAST, Activity.SLEEP), 0.0, watts(SLOW)]
    expected[1] = (watts(FAST, Activity.POLL) + watts(FAST)) / 2
    expected[4] = (watts(FAST) + watts(SLOW)) / 2
    assert monitor.stop().joules == pytest.approx([1e-3 * value for value in expected])


def test_work_that_waits_for_flash_takes_less() -> None:
    supply = Supply()
    supply.work = (5e4, 1e5)
    monitor = SimulatedPowerMonitor(supply)
    monitor.start()
    supply.time_s, supply.work = 1.01, (5e4 + 3e5, 1e5 + 1.2e6)  # a quarter, whatever it was before
    assert monitor.stop().joules == pytest.approx([1e-3 * watts(FAST, stall=0.25)] * 10)


def test_a_recording_with_settings_that_the_chip_would_not_survive_is_refused() -> None:
    supply = Supply()
    monitor = SimulatedPowerMonitor(supply)
    monitor.start()
    supply.time_s = 1.01
    supply.phases = ((0.0, FAST), (1.005, PowerSettings(120.0, "range_1", True, 2, 2.0, refusal="no boost")))
    with pytest.raises(PowerError, match="no energy can be given"):
        monitor.stop()


def test_time_stamps_count_from_the_start_and_earlier_edges_are_left_out() -> None:
    supply = Supply()
    supply.edges = (0.5, 1.25, 1.5)
    monitor = SimulatedPowerMonitor(supply)
    monitor.start()
    supply.time_s = 2.0
    assert monitor.stop().timestamps_s == (0.25, 0.5)


def test_an_empty_recording_is_empty() -> None:
    monitor = SimulatedPowerMonitor(Supply())
    monitor.start()
    assert len(monitor.stop().joules) == 0


def test_starting_twice_or_stopping_nothing_is_refused() -> None:
    monitor = SimulatedPowerMonitor(Supply())
    with pytest.raises(UsageError, match="does not record"):
        monitor.stop()
    monitor.start()
    with pytest.raises(UsageError, match="records already"):
        monitor.start()


@pytest.mark.parametrize(
    ("counters", "sound"),
    [
        ((0, 1, 2, 3), True),
        ((98, 99, 0, 1), True),
        ((0, 2, 3, 4), False),
        ((98, 0, 1, 2), False),
        ((99, 1, 2, 3), False),
        ((1, 0, 1, 2), False),
        ((3, 3, 4, 5), False),
    ],
)
def test_the_numbers_of_time_stamps_have_no_gap(counters: tuple[int, ...], sound: bool) -> None:
    trace = PowerTrace(1e-3, np.full(100, 1e-5), (0.01, 0.02, 0.03, 0.04), counters)
    if sound:
        _check_stamps(trace)
    else:
        with pytest.raises(PowerTraceError, match="follows on time stamp"):
            _check_stamps(trace)
