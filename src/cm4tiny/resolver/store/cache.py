# SPDX-License-Identifier: Apache-2.0
"""The cache of script results: CM's own layout, with keys that say what is inside.

An entry is a folder ``<alias>_<first 16 digits of the key>`` in ``repos/local/cache`` of the CM home. The script works right there,
because results hold their own paths (environment values, virtual environments, debug information). What makes a folder an entry is
``_cm.json``, written last and by one rename: a run that fails, is interrupted or is killed leaves a folder that neither this engine nor
CM takes for a result, and that the next run removes. One run at a time makes an entry; others wait for it and use it.

What an entry says is compared with what is there (see :mod:`.stored_files`), so damage costs a new run and never gives a wrong
result: ``_cm.json`` holds the digests of the results and of the list of files, and that list holds the digest of each file. A cache that
was moved is used where it is now, apart from entries whose files hold the old path.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cm4tiny.digests import known_sha256
from cm4tiny.errors import CacheError, LockingError
from cm4tiny.files import move_into_place, write_atomically
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.store.stored_files import INVENTORY, Inventory, moved

CACHE_AUTOMATION = ("cache", "541d6f712a6b464e")
LOCAL_REPO = ("local", "9a3280b14a4285c9")
META = "_cm.json"
STATE = "cm-cached-state.json"
#: On every entry of this engine.
ENGINE_TAG = "cm4tiny-engine"
#: Tag of this project's scripts; entries go without it, so that upstream's engine, which asks for all tags of a script and ignores the
#: environment, does not take one of them for a result of its own.
PROJECT_TAG = "cm4tiny"

STATE_FORMAT = 3
#: Key of ``_cm.json`` with the digests of the two files next to it.
DIGESTS = "cm4tiny_digests"

_WAIT_S = 12 * 3600.0
_HINT = "free disk space, check the permissions, choose another CM home with CM_REPOS, or run it with --skip_cache"


@dataclass(frozen=True)
class Entry:
    """A place in the cache, filled or not."""

    path: Path
    key: str
    script: Script

    @property
    def uid(self) -> str:
        """The entry's CM uid: the first 16 digits of the key."""
        return self.key[:16]


@dataclass
class Stored:
    """What an entry holds.

    ``made`` names the run that made it; ``entries`` are the entries of its dependencies and their ``made``; ``provenance`` are the records
    of what ran for it (:mod:`~cm4tiny.resolver.store.provenance`).
    """

    new_env: dict[str, Any]
    new_state: dict[str, Any]
    version: str = ""
    tags: list[str] = field(default_factory=list)
    dependent_path: str = ""
    entries: dict[str, str] = field(default_factory=dict)
    made: str = field(default_factory=lambda: os.urandom(16).hex())
    provenance: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Cache:
    """The entries below one folder.

    Args:
        root: ``repos/local/cache`` of the CM home.
        locks: a folder for lock files.
        thorough: compare the digest of every file on a hit, also for other repositories' scripts.
        complaint: why the last entry that was looked at and not used is of no use; empty if there was none.
    """

    root: Path
    locks: Path
    thorough: bool = False
    complaint: str = ""

    def entry(self, script: Script, key: str) -> Entry:
        """The place for a result."""
        readable = re.sub(r"[^A-Za-z0-9.-]+", "-", script.alias)[:60]
        return Entry(self.root / f"{readable}_{key[:16]}", key, script)

    def load(self, entry: Entry) -> Stored | None:
        """What an entry holds, or None if there is no usable one.

        An entry is usable if its key is the full key asked for, the paths it names exist, its files are those that were stored, and the
        entries it was made from are still the same. :attr:`complaint` says what is wrong with one that is there.
        """
        self.complaint = ""
        if entry.path.is_symlink():
            self._complain(entry, "it is a symbolic link")
            return None
        raw = self._read(entry.path)
        if raw is None or raw.get("key") != entry.key or raw.get("format") != STATE_FORMAT:
            if (entry.path / META).exists():
                self._complain(entry, "its results cannot be read, or are another version's")
            return None
        changed = self._changed(entry.path)
        if changed:
            self._complain(entry, changed)
            return None
        inventory = Inventory.read(entry.path)
        if inventory is None:
            self._complain(entry, "its list of files cannot be read")
            return None
        old = str(raw.get("root") or self.root)
        if old != str(self.root):
            if inventory.holds_paths:
                self._complain(entry, f"the cache was moved here from {old} and the entry's files hold the old path")
                return None
            raw = self._here(entry, raw, old)
        stored = Stored(
            raw["new_env"], raw["new_state"], raw.get("version") or "", raw.get("tags") or [],
            raw.get("dependent_path") or "", raw.get("entries") or {}, raw.get("made") or "", raw.get("provenance") or [],
        )  # fmt: skip
        problem = self._problem(entry, stored, inventory)
        if problem:
            self._complain(entry, problem)
        return None if problem else stored

    def _complain(self, entry: Entry, problem: str) -> None:
        self.complaint = f"the cache entry {entry.path.name} cannot be used: {problem}"

    def _changed(self, folder: Path) -> str:
        """Whether the results or the list of files are not those that ``_cm.json`` names."""
        try:
            digests = json.loads((folder / META).read_text(encoding="utf-8"))[DIGESTS]
            names = [name for name in (STATE, INVENTORY) if digests[name] != known_sha256(folder / name)]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            return f"the digests in its {META} cannot be compared ({type(error).__name__})"
        return f"{names[0]} has other content" if names else ""

    def _problem(self, entry: Entry, stored: Stored, inventory: Inventory) -> str:
        if stored.dependent_path and not Path(stored.dependent_path).exists():
            return f"{stored.dependent_path} is gone"
        named = list(self._paths_in(stored.new_env))
        gone = next((path for path in named if not Path(path).exists()), "")
        if gone:
            return f"{gone} is gone"
        for path, made in stored.entries.items():
            below = self._read(Path(path))
            if below is None or below.get("made") != made:
                return f"{Path(path).name}, which it was made from, is gone or was rebuilt"
        if self.thorough or entry.script.own:
            return inventory.problem(entry.path) or (inventory.added(entry.path) if entry.script.own else "")
        for path in named:
            folder = self.root / Path(path).relative_to(self.root).parts[0]
            other = inventory if folder == entry.path else Inventory.read(folder)
            name = Path(os.path.relpath(path, folder)).as_posix()
            problem = other.problem(folder, [name]) if other is not None else ""
            if problem:
                return problem
        return ""

    def _here(self, entry: Entry, raw: dict[str, Any], old: str) -> dict[str, Any]:
        """The results of an entry of a cache that lay at ``old``, with paths for where it is now."""
        here: dict[str, Any] = {**moved(raw, old, str(self.root)), "root": str(self.root)}
        with contextlib.suppress(OSError):
            meta = json.loads((entry.path / META).read_text(encoding="utf-8"))
            text = json.dumps(here, indent=2)
            meta[DIGESTS][STATE] = hashlib.sha256(text.encode()).hexdigest()
            write_atomically(entry.path / STATE, text)
            write_atomically(entry.path / META, json.dumps(meta, indent=2))
        return here

    def check(self, folder: Path) -> str:
        """What is wrong with the files of an entry, every digest compared; an empty string if nothing is."""
        inventory = Inventory.read(folder)
        if inventory is None:
            return "its list of files cannot be read"
        return self._changed(folder) or inventory.problem(folder)

    def _read(self, folder: Path) -> dict[str, Any] | None:
        try:
            (folder / META).stat()
            raw = json.loads((folder / STATE).read_text(encoding="utf-8"))
            return raw if isinstance(raw, dict) and "new_env" in raw and "new_state" in raw else None
        except (OSError, ValueError, RecursionError):
            return None

    def _paths_in(self, env: Mapping[str, Any]) -> Iterator[str]:
        prefix = f"{self.root}{os.sep}"
        for value in env.values():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, str) and item.startswith(prefix) and not any(char in item for char in " \n;:"):
                    yield item

    @contextlib.contextmanager
    def lock(self, entry: Entry, waiting: Any = None) -> Iterator[None]:
        """Holds the entry for one run; ``waiting`` is called once if another run holds it.

        Raises:
            CacheError: the lock file cannot be made, or the file system cannot lock. BusyError: after twelve hours.
        """
        from cm4tiny.locks import acquire

        def told(_: object) -> None:
            if waiting is not None:
                waiting()

        file = self.locks / f"{entry.key[:32]}.lock"
        try:
            held = acquire(file, wait_s=_WAIT_S, subject=f"the cache entry {entry.path.name}", on_wait=told)
        except LockingError as error:
            raise CacheError(f"cannot lock the cache entry {entry.path.name}", why=f"{error.what}: {error.why}", hint=_HINT) from error
        with held:
            yield

    @contextlib.contextmanager
    def building(self, entry: Entry, *, keep_files: bool = False) -> Iterator[Path]:
        """An empty folder to work in; the caller holds the lock and calls :meth:`commit` inside.

        An older entry stays aside until the new one is complete and comes back if that fails, also if the run is killed
        (:meth:`recover`). With ``keep_files`` (``--renew``) the run works on the old entry's files instead; if it fails, the entry is gone.
        """
        aside = self._aside(entry)
        try:
            aside.parent.mkdir(parents=True, exist_ok=True)
            if entry.path.exists() and keep_files and not entry.path.is_symlink():
                (entry.path / META).unlink(missing_ok=True)
            elif (entry.path / META).exists() and not entry.path.is_symlink():
                discard(aside)
                move_into_place(entry.path, aside)
            else:
                discard(entry.path)
            entry.path.mkdir(exist_ok=True)
        except OSError as error:
            raise CacheError(f"cannot make the cache entry {entry.path}", why=str(error), hint=_HINT) from error
        try:
            yield entry.path
        finally:
            if not (entry.path / META).exists():
                discard(entry.path)
                self.recover(entry)
            discard(aside)

    def _aside(self, entry: Entry) -> Path:
        return self.root / ".aside" / entry.path.name

    def recover(self, entry: Entry) -> None:
        """Brings back an entry that a run had put aside that ended before its own was complete; the caller holds the lock."""
        aside = self._aside(entry)
        if (aside / META).exists() and not (entry.path / META).exists():
            with contextlib.suppress(OSError):
                discard(entry.path)
                move_into_place(aside, entry.path)

    def commit(self, entry: Entry, stored: Stored, inventory: Inventory) -> None:
        """Turns the folder into an entry; the rename of ``_cm.json`` is the last step."""
        script = entry.script
        state = {
            "format": STATE_FORMAT, "new_env": stored.new_env, "new_state": stored.new_state, "version": stored.version, "deps": [],
            "key": entry.key, "tags": stored.tags, "made": stored.made, "entries": stored.entries,
            "dependent_path": stored.dependent_path, "root": str(self.root), "provenance": stored.provenance,
        }  # fmt: skip
        tags = [tag for tag in stored.tags if tag != PROJECT_TAG]
        meta = {
            "alias": entry.path.name,
            "uid": entry.uid,
            "automation_alias": CACHE_AUTOMATION[0],
            "automation_uid": CACHE_AUTOMATION[1],
            "tags": list(dict.fromkeys([*tags, f"script-artifact-{script.uid}", ENGINE_TAG])),
            "version": stored.version,
            "associated_script_artifact": f"{script.alias},{script.uid}",
            "associated_script_artifact_uid": script.uid,
        }
        if stored.dependent_path:
            meta["dependent_cached_path"] = stored.dependent_path
        try:
            inventory.write(entry.path)
            texts = {STATE: json.dumps(state, indent=2, default=str), INVENTORY: inventory.text()}
            write_atomically(entry.path / STATE, texts[STATE])
            digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
            write_atomically(entry.path / META, json.dumps({**meta, DIGESTS: digests}, indent=2))
        except OSError as error:
            raise CacheError(f"cannot write the cache entry {entry.path}", why=str(error), hint=_HINT) from error


def discard(folder: Path) -> None:
    """Removes an entry's folder; its mark goes first, so that it is not an entry from the beginning. Of a link only the link goes."""
    if folder.is_symlink():
        folder.unlink()
        return
    with contextlib.suppress(OSError):
        (folder / META).unlink(missing_ok=True)
    remove_tree(folder)


def remove_tree(folder: Path) -> None:
    """Removes a folder if it is there, read-only parts as well."""
    if not folder.exists():
        return

    def make_writable(function: Any, path: str, _: Any) -> None:
        with contextlib.suppress(OSError):
            Path(path).parent.chmod(0o700)
            Path(path).chmod(0o700)
            function(path)

    import shutil

    shutil.rmtree(folder, onerror=make_writable)
