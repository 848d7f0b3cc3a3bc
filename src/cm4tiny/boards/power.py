"""Power: what a monitor of the supply current hands over, and the virtual board's simulated one.

Energy of the simulated board: the eight results that round v1.0 published for the NUCLEO-L4R5ZI at 1.8 V (closed division, two engines,
four benchmarks) lie at 422 to 460 uJ per million cycles, mean 440, standard deviation 13 (3 %), at a nearly constant power of 50.6 to
55.2 mW. So energy is simulated as one constant times cycles. Waiting costs the same: the firmware polls its UART at full clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cm4tiny.errors import UsageError

ENERGY_PER_CYCLE_J = 440e-12
"""440 pJ per core cycle at 1.8 V; see the module's text."""
SUPPLY_V = 1.8
SAMPLE_PERIOD_S = 0.001


def energy_uj(cycles: float) -> float:
    """Energy in uJ of so many core cycles of the NUCLEO-L4R5ZI at 1.8 V, derived and not measured."""
    return cycles * ENERGY_PER_CYCLE_J * 1e6


@dataclass(frozen=True)
class PowerTrace:
    """What a monitor recorded between start and stop.

    Attributes:
        sample_period_s: length of one sample.
        joules: energy of each whole sample, float64; a last sample that is not whole is left out.
        timestamps_s: times since start of the time-stamp pin's falling edges.
    """

    sample_period_s: float
    joules: NDArray[np.float64]
    timestamps_s: tuple[float, ...]


class PowerMonitor(Protocol):
    """An instrument that supplies the board and records energy and time stamps."""

    simulated: bool
    name: str
    voltage_v: float

    def start(self) -> None:
        """Begins to record."""

    def stop(self) -> PowerTrace:
        """Ends the recording and hands it over."""


class VirtualSupply(Protocol):
    """What the simulated monitor asks of a virtual board."""

    @property
    def time_s(self) -> float: ...

    def cycles_at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]: ...

    def timestamp_edges_s(self) -> tuple[float, ...]: ...


class SimulatedPowerMonitor:
    """Energy by the cycle constant, time stamps by the GPIO pin, both in virtual time."""

    simulated = True
    name = "simulated power monitor (440 pJ per cycle)"
    voltage_v = SUPPLY_V

    def __init__(self, supply: VirtualSupply) -> None:
        self._supply = supply
        self._start_s: float | None = None

    def start(self) -> None:
        """Begins to record at the present virtual time.

        Raises:
            UsageError: a recording is running.
        """
        if self._start_s is not None:
            raise UsageError("the power monitor records already", cure="stop the running recording first")
        self._start_s = self._supply.time_s

    def stop(self) -> PowerTrace:
        """The recording since :meth:`start`, in samples of 1 ms.

        Raises:
            UsageError: no recording is running.
        """
        if self._start_s is None:
            raise UsageError("the power monitor does not record", cure="start it first")
        start_s, self._start_s = self._start_s, None
        whole_samples = int((self._supply.time_s - start_s) / SAMPLE_PERIOD_S + 1e-9)
        borders_s = start_s + SAMPLE_PERIOD_S * np.arange(whole_samples + 1, dtype=np.float64)
        joules = np.diff(self._supply.cycles_at(borders_s)) * ENERGY_PER_CYCLE_J
        edges = tuple(edge - start_s for edge in self._supply.timestamp_edges_s() if edge >= start_s)
        return PowerTrace(SAMPLE_PERIOD_S, joules, edges)
