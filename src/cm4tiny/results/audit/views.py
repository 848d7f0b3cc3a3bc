# SPDX-License-Identifier: Apache-2.0
"""What the rules look at: rounds, organisations, systems, results and sessions, made from the readers' objects.

Folders are listed once per organisation; links are never followed, and no path that was read from a file is opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cm4tiny.results.rounds import read_script, read_system
from cm4tiny.results.rounds.table import benchmark_facts, judged_as

if TYPE_CHECKING:
    from cm4tiny.benchmarks import Benchmark
    from cm4tiny.results.replay import Replayed
    from cm4tiny.results.rounds import Check, LabelLists, LoggedSession, Mode, ModeFiles, ResultDir, Round

DIVISIONS = ("closed", "open")
_SMALL = 16 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class Corpus:
    """All that is looked at together."""

    trees: tuple[Tree, ...]
    labels: LabelLists


@dataclass(frozen=True, eq=False)
class Tree:
    """One round, or one submission: a folder with ``closed`` or ``open`` in it.

    Attributes:
        complete: the tree is a whole submission, with code and documents; a collection of logs is not.
        results: the results below it, read and recomputed.
    """

    round: Round
    root: Path
    complete: bool
    results: tuple[ResultView, ...]
    labels: LabelLists

    @cached_property
    def submitters(self) -> tuple[Submitter, ...]:
        """The organisations in it, those without results included."""
        found = []
        for division in DIVISIONS:
            for folder in _folders(self.root / division):
                found.append(Submitter(self, division, folder))
        return tuple(found)

    def relative(self, path: Path) -> str:
        """A path below the root as findings name it."""
        return path.relative_to(self.root).as_posix()


@dataclass(frozen=True, eq=False)
class Submitter:
    """An organisation in a division."""

    tree: Tree
    division: str
    name: str

    @property
    def path(self) -> str:
        """``closed/ORGANISATION``."""
        return f"{self.division}/{self.name}"

    @property
    def folder(self) -> Path:
        """Where it lies on this machine."""
        return self.tree.root / self.division / self.name

    @cached_property
    def entries(self) -> Entries:
        """Everything below it."""
        return list_entries(self.folder, self.tree.root)

    @cached_property
    def results(self) -> tuple[ResultView, ...]:
        """Its results."""
        return tuple(view for view in self.tree.results if (view.result.division, view.result.submitter) == (self.division, self.name))

    @cached_property
    def systems(self) -> tuple[SystemView, ...]:
        """Its systems: those with results, then descriptions that belong to none."""
        with_results: dict[str, list[ResultView]] = {}
        for view in self.results:
            with_results.setdefault(view.result.system, []).append(view)
        for name in _folders(self.folder / "results"):
            if not any(system == name or system.startswith(name + "/") for system in with_results):
                with_results[name] = []
        found = [
            SystemView(self, name, next((v.result.system_json for v in views), None), tuple(views)) for name, views in with_results.items()
        ]
        described = {view.json for view in found}
        for path in sorted((self.folder / "systems").rglob("*.json")):
            if path.is_file() and not path.is_symlink() and not path.name.startswith(".") and path not in described:
                match = next((index for index, view in enumerate(found) if view.json is None and view.name == path.stem), None)
                if match is None:
                    found.append(SystemView(self, path.stem, path, ()))
                else:
                    found[match] = SystemView(self, path.stem, path, found[match].results)
        return tuple(found)


@dataclass(frozen=True)
class Entries:
    """A listing: POSIX paths relative to the round's root; sizes in bytes."""

    folders: tuple[str, ...]
    files: dict[str, int]
    links: tuple[str, ...]
    empty: tuple[str, ...]


def list_entries(folder: Path, root: Path) -> Entries:
    """Lists a folder and everything below it without following links."""
    folders, files, links, empty = [], {}, [], []
    for place, names, leaves in os.walk(folder):
        names.sort()
        here = Path(place)
        folders.append(here.relative_to(root).as_posix())
        links += [(here / name).relative_to(root).as_posix() for name in names if (here / name).is_symlink()]
        if not names and not leaves:
            empty.append(folders[-1])
        for leaf in sorted(leaves):
            path = here / leaf
            name = path.relative_to(root).as_posix()
            if path.is_symlink():
                links.append(name)
            else:
                files[name] = path.lstat().st_size
    return Entries(tuple(folders), files, tuple(links), tuple(empty))


def _folders(path: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


@dataclass(frozen=True, eq=False)
class SystemView:
    """A system of an organisation: its description and its results; either may be missing."""

    submitter: Submitter
    name: str
    json: Path | None
    results: tuple[ResultView, ...]

    @property
    def path(self) -> str:
        """The description's path, or that of the system's results where there is none."""
        if self.json is not None:
            return self.submitter.tree.relative(self.json)
        return f"{self.submitter.path}/results/{self.name}"

    @cached_property
    def description(self) -> Any:
        """The description as read tolerantly (:class:`cm4tiny.results.rounds.System`), None without one."""
        return None if self.json is None else read_system(self.json)

    @property
    def values(self) -> dict[str, Any]:
        """Its fields; empty without a description."""
        return dict(self.description.values) if self.description is not None else {}


@dataclass(frozen=True, eq=False)
class ResultView:
    """One result: its place, its sessions, its claims next to their recomputation."""

    replayed: Replayed
    labels: LabelLists
    complete: bool

    @property
    def result(self) -> ResultDir:
        """Where its files are."""
        return self.replayed.result

    @property
    def checks(self) -> tuple[Check, ...]:
        """Claims next to what the logs give."""
        return tuple(self.replayed.checks)

    @cached_property
    def sessions(self) -> tuple[SessionView, ...]:
        """Its sessions in the order accuracy, performance, energy."""
        sessions = self.replayed.sessions
        return tuple(SessionView(self, files.mode, files, sessions[files.mode]) for files in self.result.modes if files.mode in sessions)

    def session(self, mode: Mode) -> SessionView | None:
        """A session by mode."""
        return next((view for view in self.sessions if view.mode == mode), None)


@dataclass(frozen=True, eq=False)
class SessionView:
    """One session of a result."""

    of: ResultView
    mode: Mode
    files: ModeFiles
    session: LoggedSession

    @property
    def benchmark(self) -> str:
        """Id of the benchmark."""
        return self.of.result.benchmark

    @property
    def facts(self) -> Benchmark | None:
        """What is known of the benchmark, whatever its folder is called; None for a folder of another name."""
        return benchmark_facts(self.benchmark)

    @property
    def judged_as(self) -> str:
        """The benchmark whose label lists count: ``ic`` for ``ic2``."""
        return judged_as(self.benchmark)

    @property
    def accepted(self) -> tuple[str, ...]:
        """Ids of the label lists that the round accepts."""
        return self.of.result.round.label_lists.get(self.benchmark, ())

    @property
    def path(self) -> str:
        """The session's folder, relative to the round's root."""
        return self.files.folder

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the files in its folder, links and hidden ones included; folders not."""
        known = (self.files.log, self.files.results, self.files.script, self.files.json, self.files.trace, self.files.timestamps)
        return tuple(sorted({path.name for path in known if path is not None} | set(self.files.others)))

    @cached_property
    def script_loads(self) -> dict[str, int]:
        """How often the script loads each input; empty without one. Scripts are large: read at most once."""
        return dict(read_script(self.files.script).loads) if self.files.script is not None else {}

    @cached_property
    def results_text(self) -> str:
        """``results.txt`` as text; empty without one or if it is implausibly large."""
        path = self.files.results
        if path is None or path.stat().st_size > _SMALL:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")

    def claims(self, pattern: re.Pattern[str]) -> list[str]:
        """What a line of ``results.txt`` prints, each time it is printed."""
        return [match[1] for line in self.results_text.splitlines() if (match := pattern.search(line))]

    def claim(self, *metrics: str) -> Iterator[Check]:
        """The rows of this session's claims."""
        return (check for check in self.of.checks if check.path == self.path and check.metric in metrics)


def number(text: str) -> float | None:
    """A printed number, None if it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def some(items: Iterable[str], limit: int = 5, separator: str = ", ") -> str:
    """The first items of a list for a sentence: ``"a, b and 3 more"``."""
    names = list(items)
    rest = len(names) - limit
    return separator.join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")
