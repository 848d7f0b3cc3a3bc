# SPDX-License-Identifier: Apache-2.0
"""The scripts of one repository, found by tag, alias or uid without reading all of them.

Parsed metas are kept in one SQLite file per repository under the CM home. The file is never changed: a new one takes its place, so
readers need no lock and see the old state or the new one. Each meta lies there with the digest of its text, which is compared whenever the
meta is used, and so is what it was found by: from a damaged file everything is read again. What a run costs does not grow with the number
of scripts:

- The folder ``script`` keeps its time of change while no script is added or removed; if that changed, everything is looked at again.
- A repository of up to :data:`CHECKED_ONE_BY_ONE` scripts is looked at file by file on every start. In a larger one only the metas that a
  query finds are compared with their files, and all of them if it finds nothing. An edit that gives an existing script of such a
  repository tags it did not have is therefore seen as soon as a query misses or hits it, not before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.errors import MetaError
from cm4tiny.files import replacing
from cm4tiny.resolver.language.meta import META_FILES, load_meta

CHECKED_ONE_BY_ONE = 1000
FORMAT = "5"

#: Two changes of a folder within this time may leave the same time of change.
_CLOCK_GRAIN_S = 2.0

#: Type of artefact that our scripts and upstream's are: alias and uid of upstream's automation.
SCRIPT_AUTOMATION = ("script", "5b4e0237da074764")

_TABLES = """
create table info (key text primary key, value text) without rowid;
create table script (id integer primary key, file text, mtime integer, size integer, alias text, uid text, meta text,
                     digest text);
create table tag (tag text, id integer, primary key (tag, id)) without rowid;
"""
_INDICES = "create index by_alias on script (alias); create index by_uid on script (uid);"


@dataclass(frozen=True)
class IndexRow:
    """A meta file: where it is, how it looked when it was read, and what it says. ``meta`` is None if it is not a script or broken."""

    file: Path
    stamp: tuple[int, int]
    meta: dict[str, Any] | None


@dataclass
class _Scan:
    """What a look at all files of a repository found."""

    rows: list[IndexRow]
    folder_ns: int
    errors: list[MetaError]


def _is_script(meta: dict[str, Any]) -> bool:
    uid = meta.get("automation_uid")
    return uid == SCRIPT_AUTOMATION[1] or (uid is None and meta.get("automation_alias") == SCRIPT_AUTOMATION[0])


def _stamp(file: Path | str) -> tuple[int, int] | None:
    try:
        status = os.stat(file)  # noqa: PTH116 - called for every script, and a Path takes longer to make than this
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _meta_files(folder: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """The meta files of a repository in the order of their folders' names, with time of change and size."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        for meta_name in META_FILES:
            stamp = _stamp(f"{folder}/{name}/{meta_name}")
            if stamp is not None:
                yield folder / name / meta_name, stamp
                break


def _meta_of(row: IndexRow) -> dict[str, Any]:
    return row.meta or {}


def _names_of(file: Path, meta: dict[str, Any]) -> tuple[str, str]:
    """Alias and uid."""
    return str(meta.get("alias", "")) or file.parent.name, str(meta.get("uid", ""))


def _digest(text: object) -> str:
    return hashlib.sha256(str(text).encode(errors="surrogatepass")).hexdigest()


def _reading(file: Path) -> sqlite3.Connection:
    """The stored file never changes, so several threads may read it."""
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)


class Catalogue:
    """See the module.

    Args:
        scripts_root: the folder that holds ``script/``.
        place: a folder for the SQLite file; None keeps everything in memory.
    """

    def __init__(self, scripts_root: Path, place: Path | None) -> None:
        self._folder = scripts_root / "script"
        self._file = None
        self._db: sqlite3.Connection | None = None
        self._complete = False
        self._fresh = False
        self.errors: list[MetaError] = []
        self.duplicates: dict[str, list[str]] = {}
        if place is not None:
            self._file = place / f"scripts-{hashlib.sha256(str(scripts_root).encode()).hexdigest()[:16]}.sqlite"
            self._open()
        if self._db is None:
            self._refresh()

    # --- questions -----------------------------------------------------------------------------------------------------------------
    def all(self) -> list[IndexRow]:
        """All scripts, compared with their files."""
        if not self._complete:
            self._refresh()
        return self._rows("select file, mtime, size, meta, digest from script order by id", ())

    def with_tags(self, tags: Iterable[str]) -> list[IndexRow]:
        """The scripts that have all these tags, at least one."""
        tags = list(dict.fromkeys(tags))
        counts = {tag: self._count(tag) for tag in tags}
        tags.sort(key=lambda tag: counts[tag])
        joins = " ".join(f"join tag t{number} on t{number}.id = t0.id and t{number}.tag = ?" for number in range(1, len(tags)))
        query = f"select t0.id from tag t0 {joins} where t0.tag = ?"
        select = f"select file, mtime, size, meta, digest from script where id in ({query}) order by id"
        return self._asked(select, (*tags[1:], tags[0]), lambda row: set(tags) <= {str(tag) for tag in _meta_of(row).get("tags") or ()})

    def named(self, name: str) -> list[IndexRow]:
        """The scripts with this alias or uid."""
        select = "select file, mtime, size, meta, digest from script where alias = ? or uid = ? order by id"
        return self._asked(select, (name, name), lambda row: name in _names_of(row.file, _meta_of(row)))

    def has_uid(self, uid: str) -> bool:
        """True if a script has this uid."""
        return bool(self._select("select 1 from script where uid = ? limit 1", (uid,)))

    def _count(self, tag: str) -> int:
        return int(self._select("select count(*) from (select 1 from tag where tag = ? limit 1000)", (tag,))[0][0])

    def _asked(self, query: str, arguments: tuple[str, ...], fits: Callable[[IndexRow], bool]) -> list[IndexRow]:
        rows = self._rows(query, arguments)
        if not all(fits(row) for row in rows):
            self._start_again()
            rows = self._rows(query, arguments)
        if not self._complete and (not rows or any(_stamp(row.file) != row.stamp for row in rows)):
            self._refresh()
            rows = self._rows(query, arguments)
        return rows

    def _rows(self, query: str, arguments: tuple[str, ...]) -> list[IndexRow]:
        found = self._select(query, arguments)
        if any(_digest(meta) != digest for _, _, _, meta, digest in found):
            self._start_again()
            found = self._select(query, arguments)
        return [IndexRow(Path(file), (mtime, size), json.loads(meta)) for file, mtime, size, meta, _ in found]

    def _select(self, query: str, arguments: tuple[str, ...]) -> list[Any]:
        assert self._db is not None
        try:
            return self._db.execute(query, arguments).fetchall()
        except sqlite3.Error:
            if not self._start_again():
                raise
            return self._db.execute(query, arguments).fetchall()

    def _start_again(self) -> bool:
        """Forgets a damaged file and reads all metas from the repository; False if the damaged one is not a stored file."""
        if self._file is None or self._fresh:
            return False
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)
        self._refresh()
        return True

    # --- keeping up to date --------------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        """Takes the stored file if it is one of ours and no script was added or removed since."""
        assert self._file is not None
        if not self._file.is_file():
            return
        try:
            self._db = _reading(self._file)
            info = dict(self._select("select key, value from info", ()))
            folder = _stamp(self._folder)
            fresh = info["format"] == FORMAT and folder is not None and int(info["folder_ns"]) == folder[0] and info["errors"] == "0"
            small = int(info["count"]) <= CHECKED_ONE_BY_ONE
            if fresh and small:
                stored = self._select("select file, mtime, size from script", ())
                stored += [(key[5:], *value.split()) for key, value in info.items() if key.startswith("file:")]
                fresh = all(_stamp(file) == (int(mtime), int(size)) for file, mtime, size in stored)
            self._complete = fresh and small
            self.duplicates = json.loads(info["duplicates"])
        except (sqlite3.Error, KeyError, ValueError, RecursionError):
            fresh = False
        if not fresh:
            self._close()

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None

    def _refresh(self) -> None:
        """Looks at all files, parses those that changed and stores the outcome."""
        scan = self._scan()
        self._close()
        self._complete = self._fresh = True
        self.errors = scan.errors
        uids = Counter(str(row.meta.get("uid", "")) for row in scan.rows if row.meta is not None)
        self.duplicates = {
            uid: [str(row.file.parent) for row in scan.rows if row.meta is not None and str(row.meta.get("uid", "")) == uid]
            for uid, count in uids.items()
            if count > 1
        }
        if self._file is not None:
            with contextlib.suppress(OSError, sqlite3.Error):
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with replacing(self._file) as temporary, contextlib.closing(sqlite3.connect(temporary)) as written:
                    self._write(written, scan)
                self._db = _reading(self._file)
        if self._db is None:
            self._db = sqlite3.connect(":memory:", check_same_thread=False)
            self._write(self._db, scan)

    def _scan(self) -> _Scan:
        known = self._known()
        begun = time.time_ns()
        folder = _stamp(self._folder)
        folder_ns = folder[0] if folder is not None and begun - folder[0] > _CLOCK_GRAIN_S * 1e9 else -1
        found = _Scan([], folder_ns, [])
        for file, stamp in _meta_files(self._folder):
            meta = known.get((str(file), *stamp))
            if meta is None:
                try:
                    meta = load_meta(file)
                except MetaError as error:
                    found.errors.append(error)
                    continue
            found.rows.append(IndexRow(file, stamp, meta if _is_script(meta) else None))
        return found

    def _known(self) -> dict[tuple[str, int, int], dict[str, Any]]:
        """Metas of the stored file, also of an outdated one, by file, time of change and size."""
        if self._file is None or not self._file.is_file():
            return {}
        try:
            with contextlib.closing(_reading(self._file)) as stored:
                if stored.execute("select value from info where key = 'format'").fetchall() != [(FORMAT,)]:
                    return {}
                rows = stored.execute("select file, mtime, size, meta, digest from script").fetchall()
        except sqlite3.Error:
            return {}
        return {(file, mtime, size): json.loads(meta) for file, mtime, size, meta, digest in rows if _digest(meta) == digest}

    def _write(self, db: sqlite3.Connection, scan: _Scan) -> None:
        db.executescript(f"pragma journal_mode = off; pragma synchronous = off; {_TABLES}")
        scripts = [(number, row, row.meta) for number, row in enumerate(scan.rows) if row.meta is not None]
        for number, row, meta in scripts:
            alias, uid = _names_of(row.file, meta)
            text = json.dumps(meta)
            values = (number, str(row.file), *row.stamp, alias, uid, text, _digest(text))
            db.execute("insert into script values (?, ?, ?, ?, ?, ?, ?, ?)", values)
        db.executemany(
            "insert or ignore into tag values (?, ?)", ((str(tag), number) for number, _, meta in scripts for tag in meta.get("tags") or ())
        )
        others = [(f"file:{row.file}", f"{row.stamp[0]} {row.stamp[1]}") for row in scan.rows if row.meta is None]
        info = {
            "format": FORMAT, "folder_ns": str(scan.folder_ns), "count": str(len(scan.rows)), "errors": str(len(scan.errors)),
            "duplicates": json.dumps(self.duplicates),
        }  # fmt: skip
        db.executemany("insert into info values (?, ?)", [*info.items(), *others])
        db.executescript(_INDICES)
        db.commit()
