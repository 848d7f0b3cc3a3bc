# SPDX-License-Identifier: Apache-2.0
"""Where a run stands, from the events of the engine and of its steps. Nothing here prints."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from functools import singledispatchmethod

from cm4tiny.cli.forecast import CACHED, DONE, FAILED, MEASURE, RUNNING, WAITING, Forecast, Part
from cm4tiny.cli.parts import part_key
from cm4tiny.events import Event, Failed, Finished, Message, Progress, Started
from cm4tiny.resolver.run.progress import EntryTaken, RunsAhead, ScriptFinished, ScriptNote, ScriptStarted

Listener = Callable[[str, Part], None]
"""Is told ``"started"``, ``"progress"`` or ``"ended"``, and the part, as it is then."""


@dataclass
class _Frame:
    alias: str
    key: str


@dataclass
class RunProgress:
    """The state of a run. An event stream's subscriber; safe to use from several threads.

    Args:
        forecast: its parts.
        listen: is told what changes.
        warn: receives warnings, each once.
        cached: key of each result that came from the cache, and the name of its step.
    """

    forecast: Forecast
    listen: Listener = lambda what, part: None
    warn: Callable[[str], None] = lambda text: None
    cached: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _scripts: list[_Frame] = field(default_factory=list)
    _totals: dict[str, float | None] = field(default_factory=dict)
    _ahead: dict[int, Part] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        """Receives one event."""
        with self.lock:
            self._receive(event)

    @singledispatchmethod
    def _receive(self, event: Event) -> None:
        """Events of other kinds say nothing about where a run stands."""

    # --- steps of the engine -----------------------------------------------------------------------------------------------------
    @_receive.register
    def _script_started(self, event: ScriptStarted) -> None:
        words = event.command.replace('"', " ").split()
        key = part_key(event.step, [word[1:] for word in words if word.startswith("_")])
        self._scripts.append(_Frame(event.step, key))
        part = self.forecast.part(key) if key else None
        if part is not None and part.state == WAITING:
            self._begin(part, event.at_s)

    @_receive.register
    def _script_finished(self, event: ScriptFinished) -> None:
        frame = self._pop(event.step)
        part = self.forecast.part(frame.key) if frame is not None and frame.key else None
        if part is not None and part.state == RUNNING:
            self._end(part, DONE, event.at_s)

    def _pop(self, alias: str) -> _Frame | None:
        if self._scripts and self._scripts[-1].alias == alias:
            return self._scripts.pop()
        return None

    @_receive.register
    def _taken(self, event: EntryTaken) -> None:
        self.cached.setdefault(event.key, event.step)

    # --- what a step reports of its work ----------------------------------------------------------------------------------------
    @_receive.register
    def _started(self, event: Started) -> None:
        self._totals[event.step] = event.total
        part, own = self._part_of(event.step)
        if part is None:
            part = self._add(event.step)
            own = True
        if own and part.state in (WAITING, CACHED):
            self._begin(part, event.at_s)
        elif not own:
            part.note = event.step

    @_receive.register
    def _progress(self, event: Progress) -> None:
        total = event.total if event.total is not None else self._totals.get(event.step)
        part, own = self._part_of(event.step)
        if part is None or not own:
            return
        if total:
            part.share = min(1.0, max(0.0, event.done / total))
        part.note = event.note or part.note
        self.listen("progress", part)

    @_receive.register
    def _finished(self, event: Finished) -> None:
        part, own = self._part_of(event.step)
        if part is None:
            return
        part.note = event.note or ("" if own else part.note)
        if own and part.state == RUNNING:
            self._end(part, DONE, event.at_s)

    @_receive.register
    def _failed(self, event: Failed) -> None:
        frame = self._pop(event.step)
        part = self.forecast.part(frame.key if frame is not None else event.step)
        if part is not None and part.state == RUNNING:
            part.note = event.error.splitlines()[0] if event.error else ""
            self._end(part, FAILED, event.at_s)

    @_receive.register
    def _message(self, event: Message) -> None:
        if event.level == "warning" and not (isinstance(event, ScriptNote) and event.detail) and event.text not in self.warnings:
            self.warnings.append(event.text)
            self.warn(event.text)

    # --- what runs in other processes before its turn ----------------------------------------------------------------------------
    @_receive.register
    def _runs_ahead(self, event: RunsAhead) -> None:
        inner = event.event
        part = next((part for part in self.forecast.parts if f"{event.step} ".startswith(f"{part.key} ")), None)
        if isinstance(inner, Started) and part is not None and part.state == WAITING:
            self._ahead[event.worker] = part
            self._begin(part, event.at_s)
        elif isinstance(inner, Finished) and part is not None and self._ahead.pop(event.worker, None) is part:
            part.note = inner.note
            self._end(part, DONE, event.at_s)
        elif isinstance(inner, Started) and (at := self._ahead.get(event.worker)) is not None:
            at.note = event.step

    # --- parts -------------------------------------------------------------------------------------------------------------------
    def _part_of(self, step: str) -> tuple[Part | None, bool]:
        """The part that an event is about, and whether it is the part itself or only something on the way of it."""
        part = self.forecast.part(step)
        if part is not None:
            return part, True
        inner = next((frame for frame in reversed(self._scripts) if frame.key), None)
        return (self.forecast.part(inner.key) if inner is not None else None), False

    def _add(self, key: str) -> Part:
        part = Part(key, MEASURE, 0.0)
        self.forecast.parts.append(part)
        return part

    def _begin(self, part: Part, at_s: float) -> None:
        part.state, part.began_s = RUNNING, at_s
        self.listen("started", copy(part))

    def _end(self, part: Part, state: str, at_s: float) -> None:
        part.state, part.took_s = state, at_s - part.began_s
        part.share = 1.0 if state == DONE else part.share
        self.listen("ended", copy(part))
