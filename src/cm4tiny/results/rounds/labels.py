# SPDX-License-Identifier: Apache-2.0
"""Which list of samples a session used, and the true class of each file.

``label_lists.yaml`` knows the official lists by digest. Where the class shows in the file's name it is taken from there; for ``vww01`` and
the windows of streaming wakeword ``facts.yaml`` holds it. The lists themselves can be given, too: a checkout of ``mlcommons/tiny`` or of
``eembc/energyrunner``, or a mirror. Nothing is guessed by position: sessions are mapped by file name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.benchmarks.labels import read_labels
from cm4tiny.benchmarks.official.table import official_table
from cm4tiny.benchmarks.tables import load_table
from cm4tiny.errors import AssetError, HashMismatchError
from cm4tiny.fetch import Fetcher
from cm4tiny.results.rounds.numbers import numbers_in_json
from cm4tiny.results.rounds.table import judged_as

_HERE = Path(__file__).resolve().parent
_LAST_NUMBER = re.compile(r"_([0-9]{1,2})\.bin\Z")
_CIFAR_NAME = re.compile(r"([a-z_]{1,60})_s_[0-9]{6}\.bin\Z")
_CLASSES = {"ad": 2, "ic": 10, "kws": 12, "vww": 2}
_FOLDERS = ("benchmark/evaluation/datasets/{data_set}", "datasets/{data_set}", "{data_set}", "{list_id}")
_FILES = ("y_labels.csv", "y_labels_alt.csv")
_HINT = "give a checkout of mlcommons/tiny (--labels=DIR), or leave --labels out to have the lists fetched"


@cache
def table() -> Mapping[str, Any]:
    """``label_lists.yaml``, checked against its schema."""
    return MappingProxyType(load_table(_HERE / "label_lists.yaml", _HERE / "label_lists.schema.json"))


@cache
def _nouns() -> Mapping[str, int]:
    return {noun: int(label) for label, nouns in table()["cifar10_nouns"].items() for noun in nouns}


def _by_number(name: str) -> int | None:
    match = _LAST_NUMBER.search(name)
    return int(match[1]) if match else None


def _by_prefix(name: str) -> int | None:
    return 1 if name.startswith("anomaly_id_") else 0 if name.startswith("normal_id_") else None


def _by_noun(name: str) -> int | None:
    match = _CIFAR_NAME.match(name)
    return _nouns().get(match[1]) if match else None


_FROM_NAME: dict[str, Callable[[str], int | None]] = {
    "last-number": _by_number,
    "anomaly-prefix": _by_prefix,
    "cifar10-noun": _by_noun,
    "list": lambda name: None,
}


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")).hexdigest()


def names_digest(files: Iterable[str]) -> str:
    """The digest of a set of file names, as ``label_lists.yaml`` has it."""
    return _digest(sorted(files))


@dataclass(frozen=True)
class Identified:
    """Which list a session's files come from.

    Attributes:
        list_id: id of the list, empty if none fits.
        files: how many files that list has.
        unknown: files that no list of the benchmark has.
        complete: True if the session has all files of the list and no other.
        labels: true class of each of the session's files, -1 where it is not known.
    """

    list_id: str
    files: int
    unknown: tuple[str, ...]
    complete: bool
    labels: npt.NDArray[np.int64]

    @property
    def title(self) -> str:
        """The human-readable name of the list, e.g. ``pre-v0.7 ic01``."""
        return str(table()["lists"][self.list_id]["title"]) if self.list_id else ""


@dataclass(frozen=True)
class LabelLists:
    """The label lists available.

    Attributes:
        lists: label by file name, in the list's order, by list id; only lists that were read.
        windows: start and stop in seconds of the spoken words, by id (``sww01``).
        source: where they came from, as a text.
    """

    lists: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    windows: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    source: str = ""

    @classmethod
    def known(cls) -> LabelLists:
        """What is known without any list: classes that file names say, and the facts of ``facts.yaml``, checked by digest.

        Raises:
            AssetError, HashMismatchError: ``facts.yaml`` is damaged.
        """
        facts = load_table(_HERE / "facts.yaml", _HERE / "facts.schema.json")
        persons = {f"{number:012d}.bin": 1 for number in facts["vww01"]["person"]}
        vww01 = {**persons, **{f"{number:012d}.bin": 0 for number in facts["vww01"]["no_person"]}}
        windows = tuple((float(start), float(stop)) for start, stop in facts["sww01"])
        _check_list("facts.yaml", "vww", vww01)
        _check_windows("facts.yaml", "sww01", windows)
        return cls({"vww01": vww01}, {"sww01": windows}, "file names and the facts of facts.yaml")

    @classmethod
    def open(cls, folder: Path | None) -> LabelLists:
        """The lists in ``folder``; without one, only what file names say.

        Raises:
            AssetError: the folder is missing, holds no list, or a list cannot be read.
            HashMismatchError: a file is not the list that its place says.
        """
        if folder is None:
            return cls(source="file names only")
        if not folder.is_dir():
            raise AssetError(f"the folder {folder} with label lists does not exist", hint=_HINT)
        lists = dict(_read_list(file, benchmark) for file, benchmark in _places(folder))
        windows = {key: found for key in table()["streaming"] if (found := _read_windows(folder, key)) is not None}
        if not lists and not windows:
            raise AssetError(f"{folder} holds no label lists", why="no y_labels.csv was found in it", hint=_HINT)
        return cls(lists, windows, str(folder))

    @classmethod
    def fetch(cls, fetcher: Fetcher) -> LabelLists:
        """All official lists, from a mirror, the cache or their publishers.

        A list whose labels show in the files' names may be absent.

        Raises:
            AssetError: a list is not available. HashMismatchError: it is not what its digest says.
        """
        official = official_table()
        lists: dict[str, Mapping[str, int]] = {}
        for row in table()["lists"].values():
            try:
                path = fetcher.get(official.item(row["official"]))
            except AssetError as error:
                if row["labels"] == "list" or isinstance(error, HashMismatchError):
                    raise
                continue
            lists.update([_read_list(path, row["benchmark"])])
        windows = {key: _windows(fetcher.get(official.item(row["official"])), key) for key, row in table()["streaming"].items()}
        return cls(lists, windows, "the official lists")

    @staticmethod
    def lists_for(benchmark: str) -> tuple[str, ...]:
        """Ids of all known lists of a benchmark."""
        return tuple(key for key, row in table()["lists"].items() if row["benchmark"] == benchmark)

    def names(self, list_id: str) -> tuple[str, ...]:
        """The files of a list in its order; empty if the list is not available."""
        return tuple(self.lists.get(list_id, ()))

    @staticmethod
    def first(list_id: str) -> tuple[str, ...]:
        """The first five files of a list, which performance runs use; known without the list."""
        return tuple(table()["lists"][list_id]["first"]) if list_id in table()["lists"] else ()

    def label(self, list_id: str, file: str) -> int | None:
        """The true class of a file of that list; None if it is not known."""
        at_hand = self.lists.get(list_id)
        if at_hand is not None:
            return at_hand.get(file)
        row = table()["lists"].get(list_id)
        label = _FROM_NAME[row["labels"]](file) if row else None
        return label if label is not None and row and label < _CLASSES[row["benchmark"]] else None

    def identify(self, benchmark: str, files: Sequence[str], accepted: Sequence[str] = ()) -> Identified:
        """Which list of ``benchmark`` the files of an accuracy session belong to.

        The whole list by its names' digest first, else the list that knows most of the files, those in ``accepted`` first among equals.
        """
        benchmark = judged_as(benchmark)
        candidates = sorted(self.lists_for(benchmark), key=lambda key: (key not in accepted, key))
        if benchmark not in _CLASSES or not candidates:
            return Identified("", 0, tuple(files), False, np.full(len(files), -1))
        digest = names_digest(files)
        whole = next((key for key in candidates if table()["lists"][key]["names_digest"] == digest), None)
        best = whole or max(candidates, key=lambda key: (self._known(key, files), set(self.first(key)) <= set(files)))
        labels = np.array([-1 if (label := self.label(best, file)) is None else label for file in files], dtype=np.int64)
        unknown = tuple(file for file, label in zip(files, labels, strict=True) if label < 0 and whole is None)
        return Identified(best, int(table()["lists"][best]["files"]), unknown, whole is not None, labels)

    def _known(self, list_id: str, files: Sequence[str]) -> int:
        return sum(self.label(list_id, file) is not None for file in files)


def _places(folder: Path) -> Iterable[tuple[Path, str]]:
    """Every label list below ``folder`` at a place where one is expected, with its benchmark."""
    seen: set[Path] = set()
    for list_id, row in table()["lists"].items():
        for pattern in _FOLDERS:
            place = folder / pattern.format(data_set=list_id.split("-")[0], list_id=list_id)
            for name in _FILES:
                file = place / name
                if file not in seen and file.is_file():
                    seen.add(file)
                    yield file, row["benchmark"]


def _read_list(path: Path, benchmark: str) -> tuple[str, Mapping[str, int]]:
    samples = read_labels(path, get_benchmark(benchmark))
    labels = {sample.file: sample.label for sample in samples}
    return _check_list(path, benchmark, labels), labels


def _check_list(path: Path | str, benchmark: str, labels: Mapping[str, int]) -> str:
    """The id of the known list that ``labels`` is."""
    digest = _digest(f"{file},{label}" for file, label in sorted(labels.items()))
    for key, row in table()["lists"].items():
        if row["benchmark"] == benchmark and row["digest"] == digest:
            return str(key)
    raise HashMismatchError(
        f"{path} is none of the known lists of {benchmark}",
        why=f"its {len(labels)} names and labels have the digest {digest[:16]}..., which label_lists.yaml does not know",
        hint="take the list from its source again, or give another folder with --labels=DIR",
    )


def _read_windows(folder: Path, key: str) -> tuple[tuple[float, float], ...] | None:
    row = table()["streaming"][key]
    name = row["path"].rsplit("/", 1)[-1]
    path = next((path for path in (folder / row["path"], folder / key / name, folder / name) if path.is_file()), None)
    return _windows(path, key) if path else None


def _windows(path: Path, key: str) -> tuple[tuple[float, float], ...]:
    row = table()["streaming"][key]
    try:
        content = json.loads(path.read_bytes()) if path.stat().st_size < 1 << 20 else None
        entry = next(item for item in content if item["wav_file"] == row["wav"])  # type: ignore[union-attr]
        pairs = [numbers_in_json(pair) for pair in entry["detection_windows"]]
    except (OSError, ValueError, TypeError, KeyError, StopIteration, RecursionError) as error:
        raise AssetError(f"{path} is not a list of spoken words", why=f"{type(error).__name__}: {error}"[:200], hint=_HINT) from error
    windows = tuple((pair[0], pair[1]) for pair in pairs if pair is not None and len(pair) == 2)
    _check_windows(path, key, windows)
    return windows


def _check_windows(path: Path | str, key: str, windows: Iterable[tuple[float, float]]) -> None:
    if _digest(f"{start!r},{stop!r}" for start, stop in windows) != table()["streaming"][key]["digest"]:
        raise HashMismatchError(f"{path} is not the list of {key}", why="its windows differ", hint="take it from its source again")
