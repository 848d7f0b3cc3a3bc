"""The simulated power monitor on a supply whose cycles are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cm4tiny.boards.power import ENERGY_PER_CYCLE_J, SimulatedPowerMonitor, energy_uj
from cm4tiny.errors import UsageError


class Supply:
    """120 MHz all the time."""

    time_s = 1.0
    edges: tuple[float, ...] = ()

    def cycles_at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        return times_s * 120e6

    def timestamp_edges_s(self) -> tuple[float, ...]:
        return self.edges


def test_a_million_cycles_take_440_microjoules() -> None:
    assert energy_uj(1e6) == pytest.approx(440.0)


def test_a_recording_has_whole_milliseconds_of_constant_power() -> None:
    supply = Supply()
    monitor = SimulatedPowerMonitor(supply)
    monitor.start()
    supply.time_s = 1.0105
    trace = monitor.stop()
    assert trace.sample_period_s == 0.001
    assert trace.joules.dtype == np.float64
    assert trace.joules == pytest.approx([120e3 * ENERGY_PER_CYCLE_J] * 10)
    assert (monitor.simulated, monitor.voltage_v) == (True, 1.8)


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
