# SPDX-License-Identifier: Apache-2.0
"""``cm run script`` within this process: the same edge as behind the command, with a home of its own and every event recorded."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cmind.cli import parse

from cm4tiny.events import Event, EventStream
from cm4tiny.resolver.adapter.command import run_automation
from cm4tiny.resolver.run.progress import ScriptStarted


@dataclass
class Edge:
    """A CM home below ``folder`` that knows this project's scripts only.

    Attributes:
        events: what happened in all requests.
    """

    folder: Path
    events: list[Event] = field(default_factory=list)

    def __call__(self, *words: str) -> dict[str, Any]:
        """Runs ``cm run script WORDS`` in the current folder; returns cmind's answer."""
        home = self.folder / "CM"
        home.mkdir(parents=True, exist_ok=True)
        cmind = SimpleNamespace(repos_path=str(home), repos=SimpleNamespace(lst=[]), access=lambda i: {"return": 1, "error": "no CM here"})
        given = parse(["run", "script", *words])["cm_input"]
        return run_automation(
            SimpleNamespace(cmind=cmind, meta={}, path=str(self.folder)), {**given, "out": ""}, EventStream(self.events.append)
        )

    @property
    def started(self) -> list[str]:
        """The scripts that were begun."""
        return [event.step for event in self.events if isinstance(event, ScriptStarted)]

    @property
    def left(self) -> list[str]:
        """Files below the home, without the engine's own (parsed metas, locks)."""
        found = [path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file()]
        return sorted(str(path) for path in found if path.parts[:2] != ("CM", "cm4tiny"))


def in_folder(folder: Path, edge: Edge, *words: str) -> dict[str, Any]:
    """One request with ``folder`` as the current folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        return edge(*words)
    finally:
        os.chdir(before)
