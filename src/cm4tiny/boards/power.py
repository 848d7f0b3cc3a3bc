# SPDX-License-Identifier: Apache-2.0
"""Power: what a monitor of the supply current hands over, and what makes it a measurement.

A recording is believed whole or not at all (:func:`check_trace`): one sample that is missing, negative or not a number, a step in the
instrument's time, a time stamp whose number does not follow on the last one, are errors and never a slightly different energy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cm4tiny.boards.boards import default_board
from cm4tiny.deadline import call_within
from cm4tiny.errors import Cm4TinyError, PowerError, PowerTraceError

T = TypeVar("T")

SUPPLY_V = default_board().supply_v
"""What the simulated monitor supplies."""
MONITOR_S = 15.0
"""How long a monitor may take to start, to stop, or to say its voltage; an LPM01A needs about a second."""
VOLTAGE_TOLERANCE = 0.02
MAX_POWER_W = 50.0
"""More than any board of this benchmark takes, and more than a JS220 measures."""
MOST_TIMES_MEAN, LEAST_OF_MEAN = 4.0, 0.1
"""How far one sample of a window may be from its mean. Inferences in a row take a nearly constant current: 0.51 to 1.17 times the mean in
the 45 windows that round v1.3 published with samples. A damaged exponent changes one tenfold; some instruments deliver 0 for lost ones."""
MARK_TOLERANCE_SAMPLES = 1.5
CLOCK_TOLERANCE = 0.002
"""How far an instrument's clock may be from the host's: both have a quartz, good to 0.01 %."""
START_S, STOP_S = 0.05, 0.05
"""What a real instrument may record less and more than the time between its start and its stop."""
_HINT_SAMPLES = "use another USB port for the monitor, keep the host idle, then run again"
_HINT_WIRE = "check the wire from the time-stamp pin to the monitor, and its ground"


@dataclass(frozen=True)
class PowerTrace:
    """What a monitor recorded between start and stop.

    Attributes:
        sample_period_s: length of one sample.
        joules: energy of each whole sample, float64; a last sample that is not whole is left out.
        timestamps_s: times since start of the time-stamp pin's falling edges.
        counters: the number that the instrument gave each time stamp; None if it does not count. They start anywhere and wrap at
            ``counter_wraps``.
        marks: (samples so far, the instrument's time in seconds), for instruments that send their time along with the samples.
        closed_early: samples that ended before their time, by index.
        voltages_v: the supply voltage that was measured during the recording, as often as the instrument reports it.
    """

    sample_period_s: float
    joules: NDArray[np.float64]
    timestamps_s: tuple[float, ...]
    counters: tuple[int, ...] | None = None
    counter_wraps: int = 100
    marks: tuple[tuple[int, float], ...] = ()
    closed_early: tuple[int, ...] = ()
    voltages_v: tuple[float, ...] = ()

    @classmethod
    def of(cls, recording: object) -> PowerTrace:
        """What any monitor handed over, which may know fewer attributes than these.

        Raises:
            PowerTraceError: it is not a recording.
        """
        known = {field.name: getattr(recording, field.name) for field in fields(cls) if hasattr(recording, field.name)}
        try:
            return cls(**known | {"joules": np.asarray(known["joules"], dtype=np.float64)})
        except (KeyError, TypeError, ValueError) as error:
            raise PowerTraceError(
                "the power monitor handed over no recording", why=f"{type(error).__name__}: {error}", hint=_HINT_SAMPLES
            ) from error


class PowerMonitor(Protocol):
    """An instrument that supplies the board and records energy and time stamps.

    Attributes:
        voltage_v: the voltage that was set.
    """

    simulated: bool
    name: str
    voltage_v: float

    def start(self) -> None:
        """Begins to record."""

    def stop(self) -> PowerTrace:
        """Ends the recording and hands it over."""


@runtime_checkable
class ReadsVoltage(Protocol):
    """A monitor that reports which voltage it supplies, apart from the one that was set."""

    def read_voltage_v(self) -> float:
        """The voltage at this moment."""


def ask(monitor: PowerMonitor, what: str, call: Callable[[], T], seconds: float | None = None) -> T:
    """What a call to a monitor returns, within :data:`MONITOR_S` or ``seconds``.

    Raises:
        PowerError: it does not return in time, or fails in a way of its driver.
    """
    limit_s = MONITOR_S if seconds is None else seconds
    try:
        return call_within(limit_s, call)
    except TimeoutError as error:
        raise PowerError(
            f"the {monitor.name} did not {what} within {limit_s:g} s",
            why="it no longer answers",
            hint="switch the monitor off and on, check its cable, then run again",
        ) from error
    except Cm4TinyError:
        raise
    except Exception as error:  # a driver's own: pyserial, libusb, joulescope
        raise PowerError(
            f"the {monitor.name} did not {what}", why=f"{type(error).__name__}: {error}", hint="check the monitor's cable and supply"
        ) from error


def check_voltage(monitor: PowerMonitor, set_v: float) -> None:
    """Makes sure that the monitor supplies what was set at the start of the run.

    Raises:
        PowerError: another voltage is set now, or the supplied one differs by more than :data:`VOLTAGE_TOLERANCE`.
    """
    now = monitor.voltage_v
    if not (isinstance(now, int | float) and math.isfinite(now) and now > 0):
        raise PowerError(f"the {monitor.name} says that it is set to {now} V", hint="set the supply voltage, then run again")
    if now != set_v:
        raise PowerError(
            f"the supply voltage was changed from {set_v:g} V to {now:g} V during the run",
            why="energies at different voltages are not comparable",
            hint="keep other programs away from the monitor, then run again",
        )
    if isinstance(monitor, ReadsVoltage):
        _compare_voltage(ask(monitor, "report its voltage", monitor.read_voltage_v), set_v, monitor.name)


def _compare_voltage(measured: float, set_v: float, name: str) -> None:
    if not abs(measured - set_v) <= VOLTAGE_TOLERANCE * set_v:  # NaN is not
        raise PowerError(
            f"the {name} supplies {measured:.3f} V, {set_v:g} V were set",
            why=f"more than {VOLTAGE_TOLERANCE:.0%} apart",
            hint="check the monitor's setting, its cable and the board's supply jumper (no second supply over USB)",
        )


def check_trace(trace: PowerTrace, name: str, *, set_v: float, recorded_s: tuple[float, float], same_clock: bool) -> None:
    """Makes sure that a recording is whole and sound.

    Args:
        name: of the monitor, for messages.
        set_v: voltage that was set.
        recorded_s: how long the recording lasted at least and at most, by the link's clock.
        same_clock: that clock is the monitor's too (a simulation), so that no sample may be missing.

    Raises:
        PowerTraceError: it is not; says what and where. PowerError: the supply voltage differed.
    """
    period = trace.sample_period_s
    if not (isinstance(period, int | float) and math.isfinite(period) and period > 0):
        raise PowerTraceError(f"the {name} says that a sample lasts {period} s", hint="check the monitor's settings")
    joules = trace.joules
    if joules.ndim != 1 or not len(joules):
        raise PowerTraceError(f"the {name} delivered no samples", why="it did not record", hint=_HINT_SAMPLES)
    _check_values(joules, period, name)
    if trace.closed_early:
        raise PowerTraceError(
            f"{len(trace.closed_early)} samples ended before their time, the first is sample {min(trace.closed_early)}",
            why="an edge on a trigger input closes a sample early; its energy is that of a shorter time",
            hint="choose another input for the time stamps, or a driver that samples evenly",
        )
    _check_marks(trace, name)
    _check_length(len(joules) * period, period, name, recorded_s, same_clock)
    _check_stamps(trace)
    for voltage in trace.voltages_v:
        _compare_voltage(voltage, set_v, name)


def _check_values(joules: NDArray[np.float64], period: float, name: str) -> None:
    for wrong, text in (
        (~np.isfinite(joules), "is not a number"),
        (joules < 0.0, "is negative"),
        (joules > MAX_POWER_W * period, f"is more than {MAX_POWER_W:g} W"),
    ):
        if wrong.any():
            first = int(np.argmax(wrong))
            raise PowerTraceError(
                f"{int(wrong.sum())} of {len(joules)} samples of the {name} cannot be: sample {first} {text}",
                why=f"sample {first} is {joules[first]} J; a sample that arrives in pieces is damaged",
                hint=_HINT_SAMPLES,
            )


def check_window(joules: NDArray[np.float64], first: int, name: str) -> None:
    """Makes sure that no sample of a window, which begins at sample ``first`` of its recording, is unlike the others.

    Raises:
        PowerTraceError: there is no energy in it, or one sample is far from the mean.
    """
    mean = float(joules.mean()) if len(joules) else 0.0
    if not mean > 0:
        raise PowerTraceError(
            f"the {name} measured no energy between the time stamps",
            why="no current flows through it, or the time stamps lie within one sample",
            hint="supply the board through the monitor alone: take off the supply jumper, and isolate the debugger",
        )
    odd = (joules > MOST_TIMES_MEAN * mean) | (joules < LEAST_OF_MEAN * mean)
    if odd.any():
        place = int(np.argmax(odd))
        raise PowerTraceError(
            f"{int(odd.sum())} of {len(joules)} samples between the time stamps are unlike the others: sample {first + place} is "
            f"{joules[place]:.4g} J, the mean is {mean:.4g} J",
            why="a sample was damaged or lost on its way to the host, or the supply was interrupted",
            hint=_HINT_SAMPLES,
        )


def _check_marks(trace: PowerTrace, name: str) -> None:
    for (samples, at_s), (next_samples, next_at_s) in pairwise(trace.marks):
        passed, counted = next_at_s - at_s, next_samples - samples
        if not (passed > 0 and counted > 0):
            raise PowerTraceError(
                f"the time of the {name} went back from {at_s:g} s to {next_at_s:g} s",
                why=f"between sample {samples} and sample {next_samples}",
                hint="switch the monitor off and on, then run again",
            )
        if not abs(passed / trace.sample_period_s - counted) <= MARK_TOLERANCE_SAMPLES:
            raise PowerTraceError(
                f"the {name} delivered {counted} samples in {passed:g} s of its own time",
                why=f"{passed / trace.sample_period_s:.0f} were due after sample {samples}: samples were lost on the way to the host",
                hint=_HINT_SAMPLES,
            )


def _check_length(length_s: float, period: float, name: str, recorded_s: tuple[float, float], same_clock: bool) -> None:
    least, most = recorded_s
    low = least - 2 * period if same_clock else least * (1 - CLOCK_TOLERANCE) - START_S
    high = most + 2 * period if same_clock else most * (1 + CLOCK_TOLERANCE) + STOP_S
    if length_s < low:
        raise PowerTraceError(
            f"the power monitor delivered {length_s:.3f} s of samples in a recording of {least:.3f} s",
            why=f"the {name} stopped in the middle, or samples were lost on the way to the host",
            hint=_HINT_SAMPLES,
        )
    if length_s > high:
        raise PowerTraceError(
            f"the power monitor delivered {length_s:.3f} s of samples in a recording of {most:.3f} s",
            why=f"the clock of the {name} or its sample rate is not what it says, or it delivered old samples",
            hint="check the monitor's sample rate, switch it off and on, then run again",
        )


def _check_stamps(trace: PowerTrace) -> None:
    stamps = trace.timestamps_s
    back = any(b < a - trace.sample_period_s for a, b in pairwise(stamps))  # none is known better than to a sample
    if any(not math.isfinite(at) or at < 0 for at in stamps) or back or (len(stamps) > 1 and stamps[-1] <= stamps[-2]):
        raise PowerTraceError(
            "the times of the time stamps do not increase",
            why=f"they are {', '.join(f'{at:g}' for at in stamps[:12])} s",
            hint="switch the monitor off and on, then run again",
        )
    counters = trace.counters
    if counters is None:
        return
    if len(counters) != len(stamps):
        raise PowerTraceError(
            f"{len(stamps)} time stamps have {len(counters)} numbers", why="a line of the monitor was damaged", hint=_HINT_SAMPLES
        )
    for number, following in pairwise(counters):
        if following not in (number + 1, (number + 1) % trace.counter_wraps):
            raise PowerTraceError(
                f"time stamp {following:02d} follows on time stamp {number:02d}",
                why="the time stamps between them were lost",
                hint=_HINT_WIRE,
            )


def stamps_in_samples(trace: PowerTrace) -> tuple[int, ...]:
    """Whole samples before each time stamp.

    Raises:
        PowerTraceError: there are fewer than two stamps, or the samples do not reach the last one.
    """
    if len(trace.timestamps_s) < 2:
        raise PowerTraceError(
            f"{len(trace.timestamps_s)} time stamps during an inference, a window needs two",
            why="an energy image pulls its time-stamp pin low before and after the inferences",
            hint="flash the energy image (EE_CFG_ENERGY_MODE=1) and check the wire from the time-stamp pin to the monitor",
        )
    counts = tuple(int(at / trace.sample_period_s + 1e-6) for at in trace.timestamps_s)
    if counts[-1] > len(trace.joules):
        raise PowerTraceError(
            f"the power monitor delivered {len(trace.joules)} samples, the last time stamp came at sample {counts[-1]}",
            why="it stopped in the middle, or samples were lost on the way to the host",
            hint=_HINT_SAMPLES,
        )
    return counts
