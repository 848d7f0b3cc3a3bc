# SPDX-License-Identifier: Apache-2.0
"""The inventory of a cache entry: which files it has, how large they are, and digests of their content.

It is taken when the entry is made and lies next to the results. On every hit the digests of the files that the result names are compared
with it, for this project's scripts those of all files, and that no file was added. Sizes and times alone never make a file good: a bit that
flips on a disk changes neither. ``cm check cache`` and ``--check_cache`` compare every digest for all scripts. Byte code that Python writes
next to modules does not count.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.digests import known_sha256
from cm4tiny.files import write_atomically

INVENTORY = "cm4tiny-files.json"
HASH_BUDGET_BYTES = 4 << 30
"""Files with this sum are known by size and time of change only."""

_CHUNK_BYTES = 1 << 20
_NOT_CONTENT = ("_cm.json", "cm-cached-state.json", INVENTORY)


@dataclass(frozen=True)
class FileRecord:
    """One file. ``target`` is where a symbolic link leads; ``sha256`` is empty for a link and for a file beyond the budget."""

    size: int
    mtime_ns: int
    sha256: str = ""
    target: str = ""


@dataclass(frozen=True)
class Inventory:
    """All files of an entry by their path below it.

    Args:
        files: see :class:`FileRecord`.
        holds_paths: a file contains the path of the cache, so the entry is of no use anywhere else.
    """

    files: dict[str, FileRecord]
    holds_paths: bool

    @classmethod
    def take(cls, folder: Path, root: Path) -> Inventory:
        """Reads all files of a folder.

        Args:
            folder: the entry's.
            root: the folder of the cache, whose path is looked for.
        """
        files: dict[str, FileRecord] = {}
        needle = os.fsencode(str(root)) + b"/"
        holds_paths = False
        budget = HASH_BUDGET_BYTES
        for file in _files(folder):
            status = file.lstat()
            name = file.relative_to(folder).as_posix()
            if file.is_symlink():
                target = str(file.readlink())
                holds_paths = holds_paths or target.startswith(f"{root}/")
                files[name] = FileRecord(status.st_size, status.st_mtime_ns, target=target)
                continue
            budget -= status.st_size
            digest, found = _digest(file, needle) if budget >= 0 else ("", True)
            holds_paths = holds_paths or found
            files[name] = FileRecord(status.st_size, status.st_mtime_ns, digest)
        return cls(files, holds_paths)

    @classmethod
    def read(cls, folder: Path) -> Inventory | None:
        """The inventory that lies in a folder; None if there is none that can be read."""
        try:
            raw = json.loads((folder / INVENTORY).read_text(encoding="utf-8"))
            return cls({name: FileRecord(*row) for name, row in raw["files"].items()}, bool(raw["holds_paths"]))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def text(self) -> str:
        """What :meth:`write` writes."""
        rows = {name: [record.size, record.mtime_ns, record.sha256, record.target] for name, record in sorted(self.files.items())}
        return json.dumps({"holds_paths": self.holds_paths, "files": rows})

    def write(self, folder: Path) -> None:
        """Writes it next to the files."""
        write_atomically(folder / INVENTORY, self.text())

    def problem(self, folder: Path, names: Iterable[str] | None = None) -> str:
        """What is wrong with the files; an empty string if nothing is.

        Args:
            folder: where they lie.
            names: which ones; all by default. Names that the inventory does not have are skipped.
        """
        for name in self.files if names is None else names:
            record = self.files.get(name)
            if record is not None:
                problem = _problem(folder / name, record)
                if problem:
                    return f"{name} {problem}"
        return ""

    def added(self, folder: Path) -> str:
        """A file that is there and was not when the entry was made, as a sentence; empty if there is none."""
        names = (file.relative_to(folder).as_posix() for file in _files(folder))
        return next((f"{name} was added" for name in names if name not in self.files), "")


def _problem(file: Path, record: FileRecord) -> str:
    try:
        status = file.lstat()
    except OSError:
        return "is gone"
    if record.target:
        return "" if file.is_symlink() and str(file.readlink()) == record.target else f"does not lead to {record.target} any more"
    if not stat.S_ISREG(status.st_mode):
        return "is not a file any more"
    if status.st_size != record.size:
        return f"has {status.st_size} bytes instead of {record.size}"
    if not record.sha256:
        return "" if status.st_mtime_ns == record.mtime_ns else "was changed"
    try:
        return "" if known_sha256(file) == record.sha256 else "has other content"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        links = [name for name in folders if Path(root, name).is_symlink()]
        folders[:] = sorted(name for name in folders if name != "__pycache__" and name not in links)
        for name in sorted([*names, *links]):
            file = Path(root, name)
            if not name.endswith(".pyc") and (file.is_symlink() or file.is_file()) and not (root == str(folder) and name in _NOT_CONTENT):
                yield file


def _digest(file: Path, needle: bytes) -> tuple[str, bool]:
    """Digest of a file's content, and whether ``needle`` occurs in it."""
    digest = hashlib.sha256()
    found = False
    tail = b""
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                if needle and not found:
                    found = needle in tail + chunk
                    tail = (tail + chunk)[-len(needle) :]
    except OSError:
        return "unreadable", True
    return digest.hexdigest(), found


def moved(value: Any, old: str, new: str) -> Any:
    """A tree of results with paths below ``old`` turned into paths below ``new``."""
    if isinstance(value, str):
        return value.replace(f"{old}/", f"{new}/")
    if isinstance(value, list):
        return [moved(item, old, new) for item in value]
    if isinstance(value, dict):
        return {moved(key, old, new): moved(item, old, new) for key, item in value.items()}
    return value
