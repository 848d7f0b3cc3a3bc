# SPDX-License-Identifier: Apache-2.0
"""A time-out is a deadline: one object, made once, passed down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


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


def call_within(seconds: float, action: Callable[[], T]) -> T:
    """What ``action`` returns or raises, for a call into the system that may block without a limit of its own (``tcdrain``).

    It runs in a thread. One that does not return stays behind as a daemon, so the caller must treat its object as lost.

    Raises:
        TimeoutError: it did not return in time.
    """
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(action())
        except BaseException as error:  # handed to the caller below
            raised.append(error)

    thread = threading.Thread(target=run, name="call-within", daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not returned:
        raise TimeoutError(f"no return within {seconds:g} s")
    return returned[0]
