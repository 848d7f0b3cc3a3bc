# SPDX-License-Identifier: Apache-2.0
"""Finds the results in a copy of a round, in every layout that occurs (``layouts.yaml``).

Only directory entries are read, none is followed: a symbolic link is recorded and left alone, so nothing leads out of the tree. A result is
a ``SYS/BENCH`` or ``SYS/BENCH/MODEL`` directory with at least one directory of a mode in it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cm4tiny.errors import ResultsError, UsageError
from cm4tiny.fetch.git import RECORD
from cm4tiny.fetch.lfs import is_pointer
from cm4tiny.results.rounds.model import MODES, Mode, ModeFiles, Quirk, ResultDir, Round
from cm4tiny.results.rounds.systems import find_system_json
from cm4tiny.results.rounds.table import ROUNDS, get_round, layouts

DIVISIONS = ("closed", "open")
MAX_DEPTH = 6
MAX_ENTRIES = 200_000
_ROUND_IN_NAME = re.compile(r"v[0-9]+\.[0-9]+")
_ODD = re.compile(r"[^A-Za-z0-9._+\-]")


@cache
def _names() -> tuple[dict[str, str], dict[str, Mode]]:
    """Benchmark ids and modes by every name of a directory."""
    table = layouts()
    benchmarks = {name: key for key, names in table["benchmarks"].items() for name in names}
    modes: dict[str, Mode] = {name: mode for mode in MODES for name in table["modes"][mode]}
    return benchmarks, modes


def find_rounds(path: Path, round_id: str = "") -> tuple[tuple[Round, Path], ...]:
    """The rounds at ``path``: itself, if it holds ``closed`` or ``open``, else its direct sub-folders that do; oldest first.

    Args:
        path: a checkout of a results repository, or a folder with several.
        round_id: take only this round; it also names a checkout the name of whose folder does not say its round.

    Raises:
        ResultsError: the folder does not exist.
        UsageError: no round is there, or a folder's round is not known.
    """
    wanted = get_round(round_id) if round_id else None
    if not path.is_dir():
        raise ResultsError(f"{path} is not a directory", hint="give a checkout of a results repository, or a folder that holds several")
    if _is_round(path):
        known = _round_of(path)
        if wanted and known and known != wanted:
            raise UsageError(
                f"{path} holds round {known.id}, {wanted.id} was asked for",
                why="its name says so",
                hint=f"use _{known.id} or rename it",
            )
        chosen = wanted or known
        if chosen is None:
            raise UsageError(
                f"it is not known which round {path} holds",
                why="its name has no version in it (tiny_results_v1.3)",
                hint="name the round with a variation (_v1.3) or rename the folder",
            )
        return ((chosen, path),)
    below = [(known, child) for child in sorted(path.iterdir()) if child.is_dir() and not child.is_symlink() and _is_round(child)
             for known in [_round_of(child)] if known]  # fmt: skip
    found = [pair for pair in below if wanted is None or pair[0] == wanted]
    if not found:
        asked = f"round {wanted.id}" if wanted else "a round"
        raise UsageError(
            f"there is no checkout of {asked} in {path}",
            why="a checkout holds the folder 'closed' or 'open' and has its version in its name",
            hint="give the folder into which mlcommons/tiny_results_v1.3 was cloned, or its parent",
        )
    order = list(ROUNDS)
    return tuple(sorted(found, key=lambda pair: order.index(pair[0].id)))


def _is_round(path: Path) -> bool:
    return any((path / division).is_dir() for division in DIVISIONS)


def _round_of(path: Path) -> Round | None:
    """By the folder's name, else by the record that a fetched tree has next to it."""
    names = [name for name in _ROUND_IN_NAME.findall(path.resolve().name) if name in ROUNDS]
    if names:
        return ROUNDS[names[-1]]
    try:
        record = json.loads((path.resolve().parent / RECORD).read_text(encoding="utf-8"))
        repository = record.get("repository")
    except (OSError, ValueError, AttributeError):
        return None
    return next((round_ for round_ in ROUNDS.values() if round_.repository and round_.repository == repository), None)


@dataclass
class _Folder:
    """A directory of a mode: what lies in it and what only the repository has."""

    names: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)


class _Tree:
    """Everything below ``DIV/SUB/results`` that matters."""

    def __init__(self, root: Path, round_: Round) -> None:
        self.root = root
        self.modes: dict[str, _Folder] = {}
        self.markers: set[str] = set()
        self.quirks: list[Quirk] = []
        self._entries = 0
        for division in DIVISIONS:
            for submitter in self._folders(division):
                self._scan(f"{submitter}/results", 0)
        self._add_missing(round_)

    def _list(self, path: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.root / path) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            return []
        self._entries += len(found)
        if self._entries > MAX_ENTRIES:
            raise ResultsError(
                f"{self.root} holds more than {MAX_ENTRIES} entries below its results", hint="give a checkout of a results repository"
            )
        return found

    def _folders(self, path: str) -> list[str]:
        if (self.root / path).is_symlink():
            return []
        return [f"{path}/{entry.name}" for entry in self._list(path) if entry.is_dir(follow_symlinks=False)]

    def _scan(self, path: str, depth: int) -> None:
        if (self.root / path).is_symlink():
            self.quirks.append(Quirk("symlink", path))
            return
        marker = layouts()["marker"]
        mode = depth and path.rsplit("/", 1)[-1] in _names()[1]
        folder = self.modes.setdefault(path, _Folder()) if mode else None
        for entry in self._list(path):
            here = f"{path}/{entry.name}"
            if entry.is_symlink():
                self.quirks.append(Quirk("symlink", here))
                if folder:
                    folder.links.add(entry.name)
            elif folder:
                folder.names.add(entry.name)
            elif entry.is_dir(follow_symlinks=False):
                if depth >= MAX_DEPTH:
                    self.quirks.append(Quirk("too-deep", here))
                else:
                    self._scan(here, depth + 1)
            elif entry.name == marker:
                self.markers.add(path)

    def _add_missing(self, round_: Round) -> None:
        for path in round_.large_files:
            folder, name = path.rsplit("/", 1)
            submitter = "/".join(path.split("/")[:2])
            if (self.root / submitter).is_dir() and not (self.root / path).exists():
                self.modes.setdefault(folder, _Folder()).missing.add(name)


def _mode_files(root: Path, path: str, mode: Mode, folder: _Folder) -> ModeFiles:
    found: dict[str, Any] = {}
    known: set[str] = set()
    for role, patterns in layouts()["files"].items():
        names = [pattern.format(mode=mode) for pattern in patterns]
        known.update(names)
        name = next((name for name in names if name in folder.names and (root / path / name).is_file()), None)
        found[role] = root / path / name if name else None
    pointers = {role: file.name for role, file in found.items() if file is not None and is_pointer(file)}
    found.update(dict.fromkeys(pointers))
    missing = tuple(sorted(folder.missing | set(pointers.values())))
    others = sorted((folder.names - {file.name for file in found.values() if file} - set(pointers.values())) | folder.links)
    return ModeFiles(mode, path, missing=missing, pointers=tuple(sorted(pointers.values())), others=tuple(others), **found)


def _split(path: str) -> tuple[str, str, str, str, str, str] | None:
    """Division, submitter, system, benchmark path, variant and directory name of a mode's path; None if no part of it is a benchmark."""
    benchmarks, _ = _names()
    division, submitter, _, *below, mode = path.split("/")
    places = [place for place, name in enumerate(below) if name in benchmarks and place >= 1]
    if not places:
        return None
    at = places[-1]
    benchmark_path = "/".join([division, submitter, "results", *below[: at + 1]])
    return division, submitter, "/".join(below[:at]), benchmark_path, "/".join(below[at + 1 :]), mode


def _quirks(parts: tuple[str, str, str, str, str, str], modes: Iterable[ModeFiles], path: str) -> Iterator[Quirk]:
    table = layouts()
    _, _, system, benchmark_path, variant, _ = parts
    name = benchmark_path.rsplit("/", 1)[-1]
    if name not in table["benchmarks"]:
        yield Quirk("long-benchmark-name", benchmark_path, name)
    if variant:
        yield Quirk("model-level", path, variant)
    if "/" in system:
        yield Quirk("framework-level", path, system)
    if any(_ODD.search(part) for part in system.split("/")):
        yield Quirk("odd-characters", path, system)
    for files in modes:
        if files.folder_name != files.mode:
            yield Quirk("mode-name", files.folder, files.folder_name)
        if files.log and files.log.name != "log.txt":
            yield Quirk("prefixed-files", files.folder, files.log.name)
        if any(other.startswith("._") for other in files.others):
            yield Quirk("apple-double", files.folder)


def walk(root: Path, round_: Round) -> Iterator[ResultDir]:
    """Every result of a round's copy, ordered by path.

    Args:
        root: the folder that holds ``closed`` and ``open``.
        round_: the round, whose table names the files that copies may lack.

    Raises:
        ResultsError: the tree is larger than any round's.
    """
    tree = _Tree(root, round_)
    groups: dict[tuple[str, str], list[str]] = {}
    for path in tree.modes:
        if parts := _split(path):
            groups.setdefault((parts[3], parts[4]), []).append(path)
    for (benchmark_path, variant), paths in sorted(groups.items()):
        split = _split(paths[0])
        if split is None:
            continue
        path = f"{benchmark_path}/{variant}" if variant else benchmark_path
        modes = [_mode_files(root, one, _names()[1][one.rsplit("/", 1)[-1]], tree.modes[one]) for one in sorted(paths)]
        modes.sort(key=lambda files: MODES.index(files.mode))
        division, submitter, system = split[:3]
        json_file, json_quirks = find_system_json(root, f"{division}/{submitter}", system)
        links = [quirk for quirk in tree.quirks if quirk.path.startswith(f"{path}/")]
        yield ResultDir(
            round=round_,
            root=root,
            path=path,
            division=division,
            submitter=submitter,
            system=system,
            variant=variant,
            benchmark=_names()[0][benchmark_path.rsplit("/", 1)[-1]],
            benchmark_path=benchmark_path,
            modes=tuple(modes),
            system_json=json_file,
            marker=benchmark_path in tree.markers,
            quirks=(*_quirks(split, modes, path), *json_quirks, *links),
        )
