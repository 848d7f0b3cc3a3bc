"""A measurement that a disturbed line spoiled is taken again, a bounded number of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cm4tiny.errors import DeadlineError, ProtocolError
from cm4tiny.events import EventStream
from cm4tiny.runner.dut import Dut

MAX_ATTEMPTS = 3

T = TypeVar("T")


def with_attempts(dut: Dut, measure: Callable[[], T], events: EventStream, step: str) -> T:
    """What ``measure`` returns; a damaged or missing answer is followed by a resynchronisation and another attempt.

    A device that restarted or is gone is not asked again: that is for the caller to decide.

    Raises:
        ProtocolError, DeadlineError: every attempt failed, or the device no longer answers at all.
    """
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return measure()
        except (ProtocolError, DeadlineError) as error:
            if attempt == MAX_ATTEMPTS:
                raise
            events.message(step, f"taken again after: {error.what}", "warning")
            dut.recover()
    raise AssertionError("unreachable")
