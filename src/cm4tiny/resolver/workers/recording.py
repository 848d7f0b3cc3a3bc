# SPDX-License-Identifier: Apache-2.0
"""What a script said while it ran in another process, kept in order, so that it can be shown where the script has its place.

A :class:`Recorder` subscribes to the event stream of a worker and notes how much its processes had printed when each event came.
:func:`replay` hands events and printed text to the main process's stream and standard output as they would have come from a run in the
main process.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.events import Event, EventStream
from cm4tiny.resolver.run.native import print_bytes
from cm4tiny.resolver.run.progress import EntryTaken, ScriptFinished, ScriptNote


@dataclass(frozen=True)
class PrintedBytes:
    """Bytes that scripts wrote to standard output or standard error."""

    data: bytes


Item = Event | PrintedBytes


class Recorder:
    """Receives events and catches what this process and its children print.

    Args:
        file: where standard output and standard error of the process lead while :meth:`catching`.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._items: list[tuple[int, Event]] = []

    def __call__(self, event: Event) -> None:
        """Notes an event."""
        _flush()
        self._items.append((self._size(), event))

    def _size(self) -> int:
        try:
            return self._file.stat().st_size
        except OSError:
            return 0

    @contextmanager
    def catching(self) -> Iterator[None]:
        """Sends standard output and standard error of the whole process to the file."""
        _flush()
        saved = os.dup(1), os.dup(2)
        target = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.dup2(target, 1)
            os.dup2(target, 2)
            yield
        finally:
            _flush()
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            for number in (target, *saved):
                os.close(number)

    def items(self) -> list[Item]:
        """Events and printed text in order."""
        data = self._file.read_bytes() if self._file.exists() else b""
        found: list[Item] = []
        done = 0
        for size, event in self._items:
            if size > done:
                found.append(PrintedBytes(data[done:size]))
                done = size
            found.append(event)
        if data[done:]:
            found.append(PrintedBytes(data[done:]))
        return found


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def replay(items: list[Item], events: EventStream, below: Callable[[str], list[Item] | None]) -> None:
    """Shows what was recorded.

    Args:
        items: of one run, without its first and last event where the caller reports these itself.
        events: receives the events.
        below: the recording of the run that made a cache entry, by its key, once; None if there is none. Such a recording takes the place
            of the note that the entry was loaded: the entry was made for this run, by another worker.
    """
    skip_note = False
    fresh: set[str] = set()
    for item in items:
        if isinstance(item, PrintedBytes):
            print_bytes(item.data)
        elif isinstance(item, EntryTaken):
            inner = below(item.key)
            skip_note = inner is not None
            if inner is not None:
                fresh.add(item.step)
                replay(inner, events, below)
        elif skip_note and isinstance(item, ScriptNote) and item.text.startswith("load "):
            skip_note = False
        elif isinstance(item, ScriptFinished) and item.cached and item.step in fresh:
            fresh.discard(item.step)
            events.emit(dataclasses.replace(item, cached=False))
        else:
            events.emit(item)
