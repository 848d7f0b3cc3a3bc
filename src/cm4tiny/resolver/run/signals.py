# SPDX-License-Identifier: Apache-2.0
"""SIGTERM as an exception, so that what a run has begun is cleaned up as after Ctrl-C, and moments in which neither may come."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """The process was asked to end."""


@contextmanager
def terminable() -> Iterator[None]:
    """Raises :class:`Terminated` in the main thread on the first SIGTERM; later ones are ignored while the clean-up continues.

    Does nothing in other threads, or where the program around has a handler of its own.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def deferred() -> Iterator[None]:
    """Holds back SIGTERM and Ctrl-C until the block is done, e.g. between the start of a process and knowing its id.

    Their default and Python handlers do not reach a process that is started meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    held = {number: handler for number, handler in before.items() if callable(handler) or handler == signal.SIG_DFL}
    for number in held:
        signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
    for first in came[:1]:
        signal.raise_signal(first)
