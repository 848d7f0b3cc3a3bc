"""A time-out is a deadline: one object, made once, passed down."""

from __future__ import annotations

import time
from collections.abc import Callable


class Deadline:
    """A point in time on some clock.

    Args:
        seconds: how far away it is now.
        clock: seconds that never go back. A link brings its own (``link.clock``): host time for a serial port, virtual time for a
            virtual board, so that one time-out means the same to both.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self.clock = clock
        self._end = clock() + seconds

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._end - self.clock())

    @property
    def expired(self) -> bool:
        """True once the point in time is reached."""
        return self.clock() >= self._end
