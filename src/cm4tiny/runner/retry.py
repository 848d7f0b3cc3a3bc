# SPDX-License-Identifier: Apache-2.0
"""How often what a disturbed line spoiled is tried again, and what counts as spoiled: one policy for every phase of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cm4tiny.errors import Cm4TinyError, DeadlineError, ProtocolError

DAMAGE = (ProtocolError, DeadlineError)
"""Errors that another attempt may hint. A device that restarted or is gone is not asked again: that is for the caller to decide."""

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """Attempts in all, the first one included.

    Attributes:
        exchanges: one question and its answer.
        resyncs: ``name`` commands in the search for a common starting point.
        loads: one input, from ``db load`` to its proof.
        measurements: a load and its inferences.
    """

    exchanges: int = 3
    resyncs: int = 3
    loads: int = 4
    measurements: int = 3

    def run(
        self, attempts: int, action: Callable[[], T], recover: Callable[[], object], note: Callable[[Cm4TinyError], None] = lambda _: None
    ) -> T:
        """What ``action`` returns; after damage ``recover`` and another attempt.

        Args:
            recover: finds a common starting point with the device; what it raises is final.
            note: called with the error of each attempt that will be repeated.

        Raises:
            ProtocolError, DeadlineError: that of the last attempt.
        """
        for attempt in range(1, attempts + 1):
            try:
                return action()
            except DAMAGE as error:
                if attempt == attempts:
                    raise
                note(error)
                recover()
        raise AssertionError("unreachable")


POLICY = RetryPolicy()
"""The policy of every run."""
