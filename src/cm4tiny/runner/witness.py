# SPDX-License-Identifier: Apache-2.0
"""A second opinion on the device's own time stamps: when they arrived, on the link's clock.

A stamp that lost a digit on its way, a clock that runs at half its speed and a counter that did not wrap look like measurements. The link
has a clock of its own: the host's for a serial port, that of the emulated core for a virtual board, whose cycle counter it is. The two
lines ``m-lap-us-N`` are printed in the same way, so that the time between their arrivals is the time between the stamps, transfer
included in both. A device that keeps its texts until all is done delivers both at once: then the length of the whole command is compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from cm4tiny.errors import WitnessError

CLOCK_TOLERANCE = 0.02
"""Largest difference of two clocks: an RC oscillator is good to about 1 % (data sheet DS12023: HSI16), a host's is better."""
JITTER_S = 0.03
"""How much later a line may arrive than another one: USB polls in frames of 1 ms, serial adapters keep bytes for up to 16 ms."""
BUSY_S, BUSY_BELOW_S = 0.25, 1.0
"""The same on a busy host, for times below a second of a device whose stamps have a checksum: there only its clock can be wrong."""
EXACT_S = 0.0002
"""The same on a virtual board: the lines differ in length by a digit or two, which take microseconds, or 0.2 ms at 115200 baud."""
QUEUED_S = 0.01
"""The same for firmware whose way of printing is not known: texts may wait in a buffer after others, 100 characters at 115200 baud."""
WRAP_US = 2**32
"""The reference firmware prints its clock as a 32-bit number: it wraps every 71.6 minutes."""


@dataclass(frozen=True)
class Timing:
    """What the link's clock says about one ``infer`` command.

    Attributes:
        between_s: seconds between the arrivals of the two time stamps.
        whole_s: seconds from the command to its ``m-ready``.
        warmups: inferences before the stamps, as a share of those between them.
        exact: the clock is that of the emulated core itself.
        checked: the stamps arrived as they were sent.
        resolution_us: the step of the device's clock, as far as it is known.
    """

    between_s: float
    whole_s: float
    warmups: float = 0.0
    exact: bool = False
    checked: bool = False
    resolution_us: int = 1

    def agrees(self, elapsed_us: int) -> bool:
        """Whether so many microseconds on the device can have taken so long on the link."""
        seconds = elapsed_us * 1e-6
        if self.exact:
            return abs(seconds - self.between_s) <= (EXACT_S if self.checked else QUEUED_S) + self.resolution_us * 1e-6
        slack = (BUSY_S if self.checked and self.between_s < BUSY_BELOW_S else JITTER_S) + self.resolution_us * 1e-6
        if abs(seconds - self.between_s) <= slack + CLOCK_TOLERANCE * self.between_s:
            return True
        if self.between_s > JITTER_S:
            return False
        # The texts were kept until all was done. A warm-up may take half as long as a measured inference, or twice.
        least, most = (self.whole_s / (1 + factor * self.warmups) for factor in (2.0, 0.5))
        return least * (1 - CLOCK_TOLERANCE) - slack <= seconds <= most * (1 + CLOCK_TOLERANCE) + slack

    @property
    def name(self) -> str:
        """Whose clock it is."""
        return "the board's cycle counter" if self.exact else "the host's clock"


def elapsed_us(start: int, stop: int, timing: Timing) -> int:
    """Microseconds between two stamps, over a wrap of a 32-bit clock if the witness agrees.

    Raises:
        WitnessError: the link's clock says something else.
    """
    elapsed = stop - start if stop >= start else stop + WRAP_US - start
    if elapsed >= 0 and timing.agrees(elapsed):
        return elapsed
    seen = timing.between_s if timing.exact or timing.between_s > JITTER_S else timing.whole_s
    ratio = elapsed * 1e-6 / seen if seen else math.inf
    raise WitnessError(
        f"the device's time stamps say {elapsed * 1e-6:.6g} s, {timing.name} says {seen:.6g} s",
        why=f"m-lap-us-{start} and m-lap-us-{stop}: the device's clock would run at {ratio:.4g} times its speed",
        hint="if this happens once, a time stamp was damaged on the line; if it happens always, the firmware's clock is wrong: check the "
        "prescaler of its timer (m-lap-us counts microseconds) and the frequency that it was set up for",
    )


STEADY = 0.005
"""How much the times of two inferences of one model may differ before the second one is measured again."""


class Steady:
    """Times of single inferences against each other, for a device whose answers have no checksum, on a link without an exact clock.

    There the host's clock is good to some ten milliseconds, which is too coarse for one short inference. A time that is not like those
    before is measured again; what comes out twice counts.
    """

    def __init__(self) -> None:
        self._typical: float | None = None
        self._suspects: list[float] = []

    @property
    def primed(self) -> bool:
        """Whether there is a time to compare with."""
        return self._typical is not None

    def accept(self, elapsed_us: int, step_us: int = 1) -> None:
        """Takes a time, or raises :class:`WitnessError` because it should be measured again; the third one in a row is taken."""

        def like(other: float) -> bool:
            return abs(elapsed_us - other) <= STEADY * other + 2 * step_us

        if self._typical is None or like(self._typical) or any(map(like, self._suspects)) or len(self._suspects) >= 2:
            self._typical = float(elapsed_us)
            self._suspects.clear()
            return
        self._suspects.append(float(elapsed_us))
        raise WitnessError(
            f"an inference took {elapsed_us} us by the device's clock, the one before took {self._typical:.0f} us",
            why="the time of an inference does not depend on its input by so much: a time stamp was damaged, or something else ran as well",
            hint="check that nothing else runs on the board",
        )
