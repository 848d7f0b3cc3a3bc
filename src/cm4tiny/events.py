# SPDX-License-Identifier: Apache-2.0
"""The event stream: what a run does, reported once, received by many.

Work reports typed events to an :class:`EventStream`; the progress bar, the log file and the report subscribe. Code that does the work
never prints.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """Base of all events. ``step`` names the piece of work, e.g. ``"kws performance"``; ``at_s`` is ``time.monotonic()``."""

    step: str
    at_s: float = field(default_factory=time.monotonic, kw_only=True)


@dataclass(frozen=True)
class Started(Event):
    """A step began. ``total`` is its size in ``unit`` where it is known."""

    total: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class Progress(Event):
    """``done`` of the step's ``total`` units are done; ``total`` may change on the way."""

    done: float
    total: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Message(Event):
    """A human-readable line. ``level`` is ``"info"`` or ``"warning"``."""

    text: str
    level: str = "info"


@dataclass(frozen=True)
class Finished(Event):
    """A step ended well. ``note`` is its outcome in a few words."""

    note: str = ""


@dataclass(frozen=True)
class Failed(Event):
    """A step ended with an error, or was interrupted."""

    error: str


Subscriber = Callable[[Event], None]


class EventStream:
    """Hands each event to every subscriber, in order. Safe to use from several threads if the subscribers are."""

    def __init__(self, *subscribers: Subscriber) -> None:
        self._subscribers = list(subscribers)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Adds a subscriber; it receives events from now on."""
        self._subscribers.append(subscriber)

    def emit(self, event: Event) -> None:
        """Hands one event to all subscribers."""
        for subscriber in self._subscribers:
            subscriber(event)

    def progress(self, step: str, done: float, total: float | None = None, note: str = "") -> None:
        """Shorthand for a :class:`Progress` event."""
        self.emit(Progress(step, done, total, note))

    def message(self, step: str, text: str, level: str = "info") -> None:
        """Shorthand for a :class:`Message` event."""
        self.emit(Message(step, text, level))

    @contextmanager
    def step(self, name: str, total: float | None = None, unit: str = "") -> Iterator[Outcome]:
        """A step as a ``with`` block: started on entry, finished or failed on exit."""
        self.emit(Started(name, total, unit))
        outcome = Outcome()
        try:
            yield outcome
        except BaseException as error:
            self.emit(Failed(name, str(error) or type(error).__name__))
            raise
        self.emit(Finished(name, outcome.note))


class Outcome:
    """What a step hands to its :class:`Finished` event: set ``note`` inside the ``with`` block."""

    note: str = ""


_listeners: list[Subscriber] = []


@contextmanager
def overhearing(subscriber: Subscriber) -> Iterator[None]:
    """Within the block a subscriber also receives what steps of this process report as lines to whoever reads its output."""
    _listeners.append(subscriber)
    try:
        yield
    finally:
        _listeners.remove(subscriber)


def listeners() -> tuple[Subscriber, ...]:
    """Who is :func:`overhearing`."""
    return tuple(_listeners)


SILENT = EventStream()
"""A stream that nobody subscribes to."""
