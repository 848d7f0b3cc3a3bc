# SPDX-License-Identifier: Apache-2.0
"""The table of MLPerf Tiny's own assets (``official.yaml``) as objects: files by digest, repositories by commit, data sets by recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.errors import AssetError, UsageError, nearest
from cm4tiny.fetch import Digest, GitSource, Item

_HERE = Path(__file__).resolve().parent
PRECISIONS = ("int8", "float")


@dataclass(frozen=True)
class Terms:
    """Under which terms a file stands.

    Attributes:
        licence: its short name, or that none is stated.
        redistributable: whether it may be passed on.
        text: one sentence: owner, licence, what is asked of users.
        page: where the owner says so.
    """

    licence: str
    redistributable: bool
    text: str
    page: str = ""


@dataclass(frozen=True)
class SetRow:
    """A data set: which lists choose its samples, and how they come about.

    Attributes:
        id: ``ic01``; folder name of the set.
        benchmark: whose inputs it holds.
        recipe: how its samples are made: ``cifar10``, ``coco96``, ``toycar``, ``files``, ``wakeword``.
        source: id of the archive or of the folder of files that they are made from; empty for ``wakeword``.
        lists: list name to file id; the first is the default.
        sounds: file ids of recordings (``wakeword``).
        terms: of the samples.
    """

    id: str
    benchmark: str
    recipe: str
    source: str
    lists: Mapping[str, str]
    sounds: tuple[str, ...]
    terms: Terms

    def list_name(self, name: str = "") -> str:
        """The name of a list, the default one for an empty name. Raises UsageError."""
        if not name:
            return next(iter(self.lists))
        if name not in self.lists:
            known = ", ".join(self.lists)
            raise UsageError(
                f"{self.id} has no list called {name!r}",
                why=f"its lists are {known}",
                hint=nearest(name, self.lists) or f"use one of {known}",
            )
        return name


class OfficialTable:
    """The table, read and checked.

    Args:
        path: a table other than the package's.

    Raises:
        AssetError: the table is missing, breaks its schema, or names what it does not hold.
    """

    def __init__(self, path: Path = _HERE / "official.yaml") -> None:
        self.path = path
        self._table = load_table(path, _HERE / "official.schema.json")
        self.terms = {key: Terms(**row) for key, row in self._table["terms"].items()}
        self.sets = {key: self._set(key, row) for key, row in self._table["sets"].items()}
        for row in (*self._table["files"].values(), *self._table["folders"].values(), *self._table["repositories"].values()):
            self._known(row["terms"], self.terms)
            if "repository" in row:
                self._known(row["repository"], self._table["repositories"])

    def item(self, file_id: str) -> Item:
        """A file of the table. Raises AssetError for an unknown id."""
        row = self._table["files"][self._known(file_id, self._table["files"])]
        name = row.get("name") or (row["path"] if "path" in row else row["urls"][0]).rpartition("/")[2]
        urls = self._urls(row["repository"], row["path"]) if "path" in row else tuple(row["urls"])
        digest = Digest("sha256", row["sha256"]) if "sha256" in row else Digest("md5", row["md5"])
        return Item(name, urls, digest, row["bytes"], self.terms[row["terms"]].text)

    def folder(self, folder_id: str) -> list[Item]:
        """The files of a folder of the table, in its order."""
        row = self._table["folders"][self._known(folder_id, self._table["folders"])]
        path = self.path.parent / row["table"]
        try:
            lines = path.read_text(encoding="ascii").splitlines()[1:]
            rows = [(name, Digest("sha256", sha256), int(size)) for name, sha256, size in (line.split("\t") for line in lines)]
        except (OSError, ValueError) as error:
            raise AssetError(f"the table {path} cannot be read", why=str(error), hint="reinstall the package") from error
        terms = self.terms[row["terms"]].text
        return [Item(name, self._urls(row["repository"], f"{row['path']}/{name}"), digest, size, terms) for name, digest, size in rows]

    def source(self, repository: str) -> GitSource:
        """A repository at its pinned commit."""
        row = self._table["repositories"][self._known(repository, self._table["repositories"])]
        return GitSource(repository, row["commit"], tuple(row["urls"]), self.terms[row["terms"]].text)

    def model(self, model_id: str, precision: str = "int8") -> Item:
        """A model, e.g. of ``kws01``.

        Raises:
            UsageError: no such precision, or MLPerf Tiny publishes no such model.
        """
        if precision not in PRECISIONS:
            raise UsageError(
                f"there is no precision {precision!r}", hint=nearest(precision, PRECISIONS) or f"use one of {', '.join(PRECISIONS)}"
            )
        if f"{model_id}-{precision}" not in self._table["files"]:
            raise UsageError(
                f"MLPerf Tiny publishes no {precision} .tflite of {model_id}",
                why=f"{self.path.name} has none",
                hint="use _int8" if precision == "float" else "use a benchmark's id",
            )
        return self.item(f"{model_id}-{precision}")

    def set_row(self, set_id: str) -> SetRow:
        """A data set's row. Raises UsageError."""
        if set_id not in self.sets:
            known = ", ".join(self.sets)
            raise UsageError(
                f"there is no data set {set_id!r}", why=f"the sets are {known}", hint=nearest(set_id, self.sets) or f"use one of {known}"
            )
        return self.sets[set_id]

    def _urls(self, repository: str, path: str) -> tuple[str, ...]:
        commit = self._table["repositories"][repository]["commit"]
        return tuple(host.format(repository=repository, commit=commit, path=path) for host in self._table["hosts"])

    def _set(self, key: str, row: dict[str, Any]) -> SetRow:
        for file_id in (*row["lists"].values(), *row.get("sounds", ())):
            self._known(file_id, self._table["files"])
        source = row.get("source", "")
        if source:
            self._known(source, self._table["folders"] if row["recipe"] == "files" else self._table["files"])
        terms = self.terms[self._known(row["terms"], self.terms)]
        return SetRow(key, row["benchmark"], row["recipe"], source, dict(row["lists"]), tuple(row.get("sounds", ())), terms)

    def _known(self, key: str, where: Mapping[str, Any]) -> str:
        if key not in where:
            raise AssetError(
                f"the table {self.path} names {key!r}, which it does not hold", hint="correct the table, or reinstall the package"
            )
        return key


@cache
def official_table() -> OfficialTable:
    """The package's own table."""
    return OfficialTable()
