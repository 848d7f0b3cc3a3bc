# SPDX-License-Identifier: Apache-2.0
"""Progress for a terminal or a log: one line per script, indented by its depth."""

from __future__ import annotations

from typing import TextIO

from cm4tiny.events import Event, Message
from cm4tiny.resolver.run.progress import ScriptFinished, ScriptNote, ScriptStarted


class Console:
    """A subscriber that writes lines.

    Args:
        out: where to.
        verbose: write details and times as well.
        times: write times.
    """

    def __init__(self, out: TextIO, *, verbose: bool = False, times: bool = False) -> None:
        self.out = out
        self.verbose = verbose
        self.times = times or verbose

    def __call__(self, event: Event) -> None:
        """Receives one event."""
        text = self._line(event)
        if text:
            self.out.write(f"{text}\n")
            self.out.flush()

    def _line(self, event: Event) -> str:
        if isinstance(event, ScriptStarted):
            return f"{'  ' * event.depth}* {event.command}"
        if isinstance(event, ScriptNote):
            if event.detail and not self.verbose:
                return ""
            mark = "warning: " if event.level == "warning" else "  ! "
            return f"{'  ' * event.depth}{mark}{event.text}"
        if isinstance(event, ScriptFinished) and self.times:
            origin = " from the cache" if event.cached else ""
            return f"{'  ' * event.depth}  {event.step}: {event.seconds:.2f} s{origin}"
        if isinstance(event, Message) and (self.verbose or event.level == "warning"):
            return f"{event.level}: {event.text}" if event.level == "warning" else event.text
        return ""
