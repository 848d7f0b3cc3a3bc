"""The cache of script results: CM's own layout, with keys that say what is inside.

An entry is a folder ``<alias>_<first 16 digits of the key>`` in ``repos/local/cache`` of the CM home. The script works right there,
because results hold their own paths (environment values, virtual environments, debug information). What makes a folder an entry is
``_cm.json``, written last and by one rename: a run that fails, is interrupted or is killed leaves a folder that neither this engine nor
CM takes for a result, and that the next run removes. One run at a time makes an entry; others wait for it and use it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cm4tiny.engine.meta import Script
from cm4tiny.engine.repository import write_atomically
from cm4tiny.errors import CacheError

CACHE_AUTOMATION = ("cache", "541d6f712a6b464e")
LOCAL_REPO = ("local", "9a3280b14a4285c9")
META = "_cm.json"
STATE = "cm-cached-state.json"
#: On every entry of this engine.
ENGINE_TAG = "cm4tiny-engine"
#: Tag of this project's scripts; entries go without it, so that upstream's engine, which asks for all tags of a script and ignores the
#: environment, does not take one of them for a result of its own.
PROJECT_TAG = "cm4tiny"

_NOTICE_AFTER_S = 0.5


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

    ``made`` names the run that made it; ``entries`` are the entries of its dependencies and their ``made``.
    """

    new_env: dict[str, Any]
    new_state: dict[str, Any]
    version: str = ""
    tags: list[str] = field(default_factory=list)
    dependent_path: str = ""
    entries: dict[str, str] = field(default_factory=dict)
    made: str = field(default_factory=lambda: os.urandom(16).hex())


@dataclass
class Cache:
    """The entries below one folder.

    Args:
        root: ``repos/local/cache`` of the CM home.
        locks: a folder for lock files.
    """

    root: Path
    locks: Path

    def entry(self, script: Script, key: str) -> Entry:
        """The place for a result."""
        readable = re.sub(r"[^A-Za-z0-9.-]+", "-", script.alias)[:60]
        return Entry(self.root / f"{readable}_{key[:16]}", key, script)

    def load(self, entry: Entry) -> Stored | None:
        """What an entry holds, or None if there is no usable one.

        An entry is usable if its key is the full key asked for, the paths it names exist, and the entries it was made from are still
        the same.
        """
        raw = self._read(entry.path)
        if raw is None or raw.get("key") != entry.key:
            return None
        stored = Stored(
            raw["new_env"], raw["new_state"], raw.get("version") or "", raw.get("tags") or [],
            raw.get("dependent_path") or "", raw.get("entries") or {}, raw.get("made") or "",
        )  # fmt: skip
        needed = [*([stored.dependent_path] if stored.dependent_path else []), *self._paths_in(stored.new_env)]
        if not all(Path(path).exists() for path in needed):
            return None
        for path, made in stored.entries.items():
            below = self._read(Path(path))
            if below is None or below.get("made") != made:
                return None
        return stored

    def _read(self, folder: Path) -> dict[str, Any] | None:
        try:
            (folder / META).stat()
            raw = json.loads((folder / STATE).read_text(encoding="utf-8"))
            return raw if isinstance(raw, dict) and "new_env" in raw and "new_state" in raw else None
        except (OSError, ValueError):
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
            CacheError: the lock file cannot be made.
        """
        try:
            from filelock import FileLock, Timeout
        except ImportError as error:
            cure = "install the package with what it needs: pip install cm4tiny, or pip install . in the checkout"
            raise CacheError("the cache cannot be locked", why=str(error), cure=cure) from error
        try:
            self.locks.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.locks / f"{entry.key[:32]}.lock")
            try:
                lock.acquire(timeout=_NOTICE_AFTER_S)
            except Timeout:
                if waiting is not None:
                    waiting()
                lock.acquire()
        except OSError as error:
            raise CacheError(f"cannot lock the cache entry {entry.path.name}", why=str(error), cure=f"check {self.locks}") from error
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def making(self, entry: Entry, *, keep_files: bool = False) -> Iterator[Path]:
        """An empty folder to work in; the caller holds the lock and calls :meth:`commit` inside.

        An older entry stays aside until the new one is complete and comes back if that fails. With ``keep_files`` (``--renew``) the run
        works on the old entry's files instead; if it fails, the entry is gone.
        """
        aside = self.root / ".aside" / entry.path.name
        try:
            aside.parent.mkdir(parents=True, exist_ok=True)
            if entry.path.exists() and keep_files:
                (entry.path / META).unlink(missing_ok=True)
            elif (entry.path / META).exists():
                remove_tree(aside)
                entry.path.rename(aside)
            elif entry.path.exists():
                remove_tree(entry.path)
            entry.path.mkdir(exist_ok=True)
        except OSError as error:
            raise CacheError(f"cannot make the cache entry {entry.path}", why=str(error), cure="check space and permissions") from error
        try:
            yield entry.path
        finally:
            if not (entry.path / META).exists():
                remove_tree(entry.path)
                if aside.exists() and (aside / META).exists():
                    aside.rename(entry.path)
            remove_tree(aside)

    def commit(self, entry: Entry, stored: Stored) -> None:
        """Turns the folder into an entry; the rename of ``_cm.json`` is the last step."""
        script = entry.script
        state = {
            "new_env": stored.new_env, "new_state": stored.new_state, "version": stored.version, "deps": [], "key": entry.key,
            "tags": stored.tags, "made": stored.made, "entries": stored.entries, "dependent_path": stored.dependent_path,
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
            write_atomically(entry.path / STATE, json.dumps(state, indent=2, default=str))
            write_atomically(entry.path / META, json.dumps(meta, indent=2))
        except OSError as error:
            raise CacheError(f"cannot write the cache entry {entry.path}", why=str(error), cure="check space and permissions") from error


def remove_tree(folder: Path) -> None:
    """Removes a folder if it is there, read-only parts as well."""
    if not folder.exists():
        return

    def make_writable(function: Any, path: str, _: Any) -> None:
        with contextlib.suppress(OSError):
            Path(path).parent.chmod(0o700)
            Path(path).chmod(0o700)
            function(path)

    shutil.rmtree(folder, onerror=make_writable)
