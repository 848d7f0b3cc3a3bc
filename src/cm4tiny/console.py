# SPDX-License-Identifier: Apache-2.0
"""What a person sees while a run continues: rich progress bars with an ETA on a terminal, plain lines elsewhere.

Both are subscribers of an :class:`~cm4tiny.events.EventStream`; nothing else in the package writes to the terminal, apart from the CM
automation and the command line.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from cm4tiny.events import Event, EventStream, Failed, Finished, Message, Progress, Started, listeners

PLAIN_INTERVAL_S = 5.0
"""A step says at most this often how far it is when the output is not a terminal."""


def eta(elapsed_s: float, done: float, total: float | None) -> str:
    """Time left as ``m:ss``, or an empty string while nothing is known."""
    if not total or done <= 0 or done > total:
        return ""
    left = elapsed_s * (total - done) / done
    return f"{int(left) // 60}:{int(left) % 60:02d}"


class PlainLines:
    """One line when a step starts, every few seconds while it runs, and when it ends: for logs, pipes and CI."""

    def __init__(self, stream: IO[str], interval_s: float = PLAIN_INTERVAL_S) -> None:
        self._stream = stream
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._started: dict[str, Started] = {}
        self._spoken: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        with self._lock:
            line = self._line(event)
            if line:
                self._stream.write(line + "\n")
                self._stream.flush()

    def _line(self, event: Event) -> str:
        if isinstance(event, Started):
            self._started[event.step] = event
            self._spoken[event.step] = event.at_s
            return f"[start] {event.step}"
        began = self._started.get(event.step, event)
        if isinstance(event, Progress):
            if event.at_s - self._spoken.get(event.step, 0.0) < self._interval_s:
                return ""
            self._spoken[event.step] = event.at_s
            return f"[{self._share(event)}] {event.step}{_note(event.note)}{self._left(event, began)}"
        took = f" ({event.at_s - began.at_s:.1f} s)"
        if isinstance(event, Finished):
            return f"[done]  {event.step}{_note(event.note)}{took}"
        if isinstance(event, Failed):
            return f"[fail]  {event.step}: {event.error.splitlines()[0] if event.error else 'failed'}{took}"
        if isinstance(event, Message):
            return f"{'warning: ' if event.level == 'warning' else ''}{event.step}: {event.text}"
        return ""

    def _total(self, event: Progress) -> float | None:
        began = self._started.get(event.step)
        return event.total if event.total is not None else (began.total if began else None)

    def _share(self, event: Progress) -> str:
        total = self._total(event)
        return f"{100 * event.done / total:4.0f} %" if total else " ... "

    def _left(self, event: Progress, began: Event) -> str:
        left = eta(event.at_s - began.at_s, event.done, self._total(event))
        return f", {left} left" if left else ""


def _note(text: str) -> str:
    return f": {text}" if text else ""


@contextmanager
def _rich_bars(stream: IO[str]) -> Iterator[EventStream]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    class TimeLeft(ProgressColumn):
        """At the pace so far; rich's own column wants more updates than a benchmark window gives."""

        def render(self, task: Task) -> Text:
            left = eta(task.elapsed or 0.0, task.completed, task.total)
            return Text(f"{left} left" if left else "")

    console = Console(file=stream, highlight=False)
    lock = threading.Lock()
    tasks: dict[str, TaskID] = {}
    began: dict[str, float] = {}
    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeLeft(),
        TextColumn("{task.fields[note]}"),
    )
    with Bars(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bars:

        def show(event: Event) -> None:
            with lock:
                if isinstance(event, Started):
                    began[event.step] = event.at_s
                    tasks[event.step] = bars.add_task(escape(event.step), total=event.total, note="")
                elif isinstance(event, Progress) and event.step in tasks:
                    bars.update(tasks[event.step], completed=event.done, total=event.total, note=escape(event.note))
                elif isinstance(event, (Finished, Failed)):
                    task = tasks.pop(event.step, None)
                    if task is not None:
                        bars.remove_task(task)
                    took = f"[dim]{time.monotonic() - began.pop(event.step, event.at_s):.1f} s[/dim]"
                    if isinstance(event, Finished):
                        console.print(f"[green]✓[/green] {escape(event.step)}{escape(_note(event.note))} {took}")
                    else:
                        reason = (event.error.splitlines() or ["failed"])[0]
                        console.print(f"[red]✗[/red] {escape(event.step)}: {escape(reason)} {took}")
                elif isinstance(event, Message):
                    style = "yellow" if event.level == "warning" else "dim"
                    console.print(f"[{style}]{escape(event.step)}: {escape(event.text)}[/{style}]")

        yield EventStream(show)


@dataclass(frozen=True)
class Screen:
    """What shows a whole command: its steps' events go to one stream, their results to one place."""

    events: EventStream
    show: Callable[[str], None]


_screens: list[Screen] = []


@contextmanager
def on_screen(screen: Screen) -> Iterator[None]:
    """Within the block :func:`watch` and :func:`show` of this process lead to ``screen``, whichever step calls them."""
    _screens.append(screen)
    try:
        yield
    finally:
        _screens.remove(screen)


def show(text: str) -> None:
    """Prints a result for the user, or hands it to the screen."""
    if _screens:
        _screens[-1].show(text)
    else:
        print(text)


def terminal_width(otherwise: int) -> int:
    """Columns of the terminal, asked where it may still be seen: a screen that keeps back what is printed leaves standard input.

    Args:
        otherwise: what counts without a terminal; ``COLUMNS`` counts first.
    """
    if os.environ.get("COLUMNS", "").isdecimal() and int(os.environ["COLUMNS"]) > 0:
        return int(os.environ["COLUMNS"])
    for number in (1, 2, 0):
        with suppress(OSError):
            columns = os.get_terminal_size(number).columns
            if columns > 0:
                return columns
    return otherwise


@contextmanager
def watch(stream: IO[str] | None = None) -> Iterator[EventStream]:
    """An event stream that a person can follow, for the length of a ``with`` block.

    Within :func:`on_screen` it is the screen's.

    Bars are drawn if ``stream`` (default: standard error) is a terminal and neither ``CI`` nor ``TERM=dumb`` is set.
    """
    if _screens:
        yield _screens[-1].events
        return
    out = stream or sys.stderr
    if out.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb":
        with _rich_bars(out) as events:
            yield events
    else:
        yield EventStream(PlainLines(out), *listeners())
