# SPDX-License-Identifier: Apache-2.0
"""How a run's progress is shown: one area on a terminal that is redrawn, lines elsewhere. Both on standard error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from cm4tiny.cli.forecast import CACHED, DONE, FAILED, RUNNING, Forecast, Part, clock, rough, took
from cm4tiny.cli.progress import RunProgress

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

LINE_EVERY_S = 10.0
"""A part that runs is reported at most this often where the output is not a terminal."""
_BAR = 24
_MARKS = {DONE: "[green]✓[/green]", CACHED: "[cyan]=[/cyan]", FAILED: "[red]✗[/red]", RUNNING: "[bold]>[/bold]"}
_SPARE_ROWS = 4
"""Rows of a terminal that the area leaves free."""


class Lines:
    """One line when a part ends, and now and then while it runs, with the share of the whole run and its end.

    Args:
        out: where to.
        forecast: of the run.
    """

    def __init__(self, out: IO[str], forecast: Forecast) -> None:
        self._out = out
        self._forecast = forecast
        self._spoken: dict[str, float] = {}

    def __call__(self, what: str, part: Part) -> None:
        """Receives a change of a part."""
        now = time.monotonic()
        if what == "started":
            self._spoken[part.key] = now
        elif what == "ended":
            seconds = f" ({took(part.took_s)})"
            outcome = ": failed" if part.state == FAILED else f": {part.note}" if part.note else ""
            self.write(f"{part.key}{outcome}{seconds}")
        elif now - self._spoken.get(part.key, now) >= LINE_EVERY_S:
            self._spoken[part.key] = now
            self.write(f"{part.key}: {100 * part.share:.0f} %{f', {part.note}' if part.note else ''}")

    def warn(self, text: str) -> None:
        """Writes a warning."""
        self._out.write(f"warning: {text}\n")
        self._out.flush()

    def write(self, text: str) -> None:
        """Writes a line, with where the run stands before it."""
        now = time.monotonic()
        left = self._forecast.left_s(now)
        end = f"; about {rough(left)} left" if left is not None and left > 1 else ""
        share = f"[{100 * self._forecast.share(now):3.0f} %] " if left is not None else ""
        self._out.write(f"{share}{text}{end}\n")
        self._out.flush()


class Area:
    """The progress area of a terminal: a row for each part, and one for the whole.

    Args:
        run: what is shown.
        title: of the run.
        console: of rich.
    """

    def __init__(self, run: RunProgress, title: str, console: Console) -> None:
        self._run = run
        self._title = title
        self._console = console

    def __rich__(self) -> RenderableType:
        """The area as it is now."""
        from rich.console import Group
        from rich.text import Text

        with self._run.lock:
            now = time.monotonic()
            rows = self._rows(now)
            return Group(Text(self._title, style="bold"), *rows, self._total(now))

    def _rows(self, now: float) -> list[RenderableType]:
        from rich.text import Text

        parts = self._run.forecast.parts
        room = max(3, self._console.height - _SPARE_ROWS)
        hidden: list[Part] = []
        if len(parts) > room:
            over = [part for part in parts if not part.is_open][: len(parts) - room + 1]
            hidden, parts = over, [part for part in parts if part not in over][: room - bool(over)]
        rows: list[RenderableType] = [Text(f"  ({len(hidden)} more are done)", style="dim")] if hidden else []
        if parts:
            rows.append(self.table(parts, now))
        return rows

    def table(self, parts: list[Part], now: float) -> Table:
        """The rows of some parts, within the terminal's width."""
        from rich.markup import escape
        from rich.table import Table

        grid = Table.grid(padding=(0, 1), expand=False)
        grid.add_column(width=1)
        grid.add_column(no_wrap=True)
        grid.add_column(justify="right", width=8, no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis", max_width=max(10, self._console.width - 34))
        for part in parts:
            mark, style = _MARKS.get(part.state, " "), "" if part.state != "waiting" else "dim"
            key = f"[{style}]{escape(part.key)}[/{style}]" if style else escape(part.key)
            grid.add_row(mark, key, _time_of(part, now), escape(_note_of(part)))
        return grid

    def _total(self, now: float) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        forecast = self._run.forecast
        left = forecast.left_s(now)
        end = f"about {rough(left)} left" if left is not None and left > 0.5 else ""
        row = Table.grid(padding=(0, 1))
        if left is None:
            row.add_row("  total", clock(now - forecast.began_s))
            return row
        share = forecast.share(now)
        bar = ProgressBar(total=1.0, completed=share, width=_BAR)
        row.add_row("  total", bar, f"{100 * share:3.0f} %", clock(now - forecast.began_s), end)
        return row


def _time_of(part: Part, now: float) -> str:
    if part.state in (DONE, FAILED):
        return took(part.took_s)
    return clock(now - part.began_s) if part.state == RUNNING else ""


def _note_of(part: Part) -> str:
    if part.state != RUNNING or not part.share:
        return part.note
    return f"{100 * part.share:3.0f} %  {part.note}"


@contextmanager
def shown_on(out: IO[str], run: RunProgress, title: str, *, terminal: bool) -> Iterator[None]:
    """Shows a run on ``out`` for the length of a ``with`` block."""
    if terminal:
        with _area(out, run, title):
            yield
        return
    lines = Lines(out, run.forecast)
    left = run.forecast.left_s(time.monotonic())
    out.write(f"{title}{f'; about {rough(left)}' if left else ''}\n")
    out.flush()
    run.listen, run.warn = lines, lines.warn
    yield


@contextmanager
def _area(out: IO[str], run: RunProgress, title: str) -> Iterator[None]:
    """The area while the run is on; afterwards its last state without the total, then the warnings."""
    from rich.console import Console
    from rich.live import Live
    from rich.markup import escape

    console = Console(file=out, highlight=False)
    area = Area(run, title, console)
    try:
        with Live(area, console=console, transient=True, refresh_per_second=8, redirect_stdout=False, redirect_stderr=False):
            yield
    finally:
        over = [part for part in run.forecast.parts if not part.is_open]
        if over:
            console.print(area.table(over, time.monotonic()))
        for text in run.warnings:
            console.print(f"[yellow]warning:[/yellow] {escape(text)}")
        console.print()
        console.show_cursor(True)  # an interrupt in the middle of a drawing leaves its beginning for later, which hides it again
