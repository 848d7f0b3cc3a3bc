# SPDX-License-Identifier: Apache-2.0
"""A local mirror: a folder that holds files under their addresses, so that nothing needs a network.

Layout: ``index.tsv`` with the columns url, sha256, bytes, path (first line: these names), paths relative to the folder; clones of git
repositories as ``github/<owner>/<repo>.git`` (bare, ``git clone --mirror``). The option ``--mirror=DIR`` or the variable
``CM_TINY_MIRROR`` names the folder. A mirror is only ever read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cm4tiny.errors import AssetError, UsageError
from cm4tiny.paths import expanded

MIRROR_VARIABLE = "CM_TINY_MIRROR"
INDEX = "index.tsv"
COLUMNS = ("url", "sha256", "bytes", "path")
_HINT = f"write {INDEX} with the tab-separated columns {', '.join(COLUMNS)} (docs/official-assets.md)"


@dataclass(frozen=True)
class MirroredFile:
    """A row of the index."""

    url: str
    sha256: str
    bytes: int
    path: Path


class Mirror:
    """The files of a mirror's index.

    Args:
        root: the folder.

    Raises:
        UsageError: the folder does not exist. AssetError: its index is damaged. A folder without an index serves git clones only.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise UsageError(f"the mirror {root} is not a directory", hint=f"give an existing one with --mirror=DIR or {MIRROR_VARIABLE}")
        self.root = root
        rows = read_index(root) if (root / INDEX).is_file() else []
        self._by_url = {row.url: row for row in rows}
        self._by_sha256 = {row.sha256: row for row in reversed(rows)}

    @classmethod
    def named(cls, path: str | Path | None = "", environ: Mapping[str, str] = os.environ) -> Mirror | None:
        """The mirror of that path, else the one that ``CM_TINY_MIRROR`` names, else None."""
        name = str(path or "") or environ.get(MIRROR_VARIABLE, "")
        return cls(Path(expanded(name))) if name.strip() else None

    def __len__(self) -> int:
        return len(self._by_url)

    def find(self, urls: Iterable[str], sha256: str = "") -> MirroredFile | None:
        """The row of one of the addresses, or of the content; whether the file's bytes are right is for the caller to see."""
        for url in urls:
            if url in self._by_url:
                return self._by_url[url]
        return self._by_sha256.get(sha256)

    def repository(self, name: str) -> Path | None:
        """The clone of the GitHub repository ``owner/repo``, or None."""
        for candidate in (self.root / "github" / f"{name}.git", self.root / "github" / name):
            if (candidate / "HEAD").is_file() or (candidate / ".git").exists():
                return candidate
        return None


def read_index(root: Path) -> list[MirroredFile]:
    """The rows of a mirror's index. Raises AssetError with file and line."""
    path = root / INDEX
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AssetError(f"the mirror's {path} cannot be read", why=str(error), hint=_HINT) from error
    if not lines or tuple(lines[0].split("\t")) != COLUMNS:
        raise AssetError(f"{path} is not the index of a mirror", why=f"its first line is not {' '.join(COLUMNS)}", hint=_HINT)
    return [_row(path, number, line) for number, line in enumerate(lines[1:], 2) if line.strip()]


def _row(path: Path, number: int, line: str) -> MirroredFile:
    fields = line.split("\t")
    if len(fields) != len(COLUMNS) or not re.fullmatch("[0-9a-f]{64}", fields[1]) or not re.fullmatch("[0-9]{1,15}", fields[2]):
        raise AssetError(f"{path}:{number} is not a row of a mirror's index", why=f"found {line[:120]!r}", hint=_HINT)
    place = PurePosixPath(fields[3])
    if place.is_absolute() or ".." in place.parts or not place.parts:
        raise AssetError(f"{path}:{number} leads out of the mirror", why=f"its path is {fields[3]!r}", hint=_HINT)
    return MirroredFile(fields[0], fields[1], int(fields[2]), path.parent / place)
