"""Where scripts come from: this project's own repository and every repository that cmind knows.

The folders themselves are listed at every start, so a script that was added, changed or removed since cmind last wrote its index is seen
as it is. To make that cheap, parsed metas are kept in one JSON catalogue per repository under the CM home and reused while the file's size
and time of change are the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cm4tiny.engine.meta import META_FILES, Script, load_meta
from cm4tiny.errors import MetaError

#: Type of artefact that our scripts and upstream's are: alias and uid of upstream's automation.
SCRIPT_AUTOMATION = ("script", "5b4e0237da074764")

CATALOGUE_FORMAT = 2


@dataclass(frozen=True)
class Repository:
    """A CM repository.

    Args:
        path: its root, the folder with ``cmr.yaml``.
        alias: its name.
        prefix: sub-folder that holds ``script/``.
        own: True for this project's repository.
    """

    path: Path
    alias: str = ""
    prefix: str = ""
    own: bool = False

    @property
    def scripts_root(self) -> Path:
        """The folder that holds ``script/``."""
        return self.path / self.prefix if self.prefix else self.path


@dataclass
class ScriptStore:
    """All scripts of some repositories, in the order of the repositories.

    Args:
        repositories: the first one wins where two hold a script with the same uid.
        catalogue_dir: where parsed metas are kept; None keeps none.
    """

    repositories: list[Repository]
    catalogue_dir: Path | None = None
    warnings: list[str] = field(default_factory=list)
    _scripts: list[Script] | None = None

    @property
    def scripts(self) -> list[Script]:
        """All scripts, each uid once."""
        if self._scripts is None:
            seen: set[str] = set()
            self._scripts = []
            for repository in self.repositories:
                for script in self._load(repository):
                    if script.uid not in seen:
                        seen.add(script.uid)
                        self._scripts.append(script)
        return self._scripts

    def find(self, name: str) -> list[Script]:
        """Scripts with this alias or uid (``alias``, ``uid`` or ``alias,uid``)."""
        uid = name.partition(",")[2]
        if uid:
            return [script for script in self.scripts if script.uid == uid]
        return [script for script in self.scripts if name in (script.alias, script.uid)]

    def _load(self, repository: Repository) -> Iterator[Script]:
        catalogue = _Catalogue(self.catalogue_dir, repository.scripts_root)
        for folder, file, stamp in _meta_files(repository.scripts_root / "script"):
            try:
                meta = catalogue.get(file, stamp)
            except MetaError as error:
                if repository.own:
                    raise
                self.warnings.append(f"{error.what}: {error.why}")
                continue
            if not _is_script(meta):
                continue
            yield Script(folder, meta, repository.alias, repository.path, repository.scripts_root, repository.own)
        catalogue.save()


def _is_script(meta: dict[str, Any]) -> bool:
    uid = meta.get("automation_uid")
    return uid == SCRIPT_AUTOMATION[1] or (uid is None and meta.get("automation_alias") == SCRIPT_AUTOMATION[0])


def _meta_files(folder: Path) -> Iterator[tuple[Path, Path, list[int]]]:
    """Folders of scripts in order of their names, with the meta file and its time of change and size."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        for meta_name in META_FILES:
            file = folder / name / meta_name
            try:
                status = file.stat()
            except (FileNotFoundError, NotADirectoryError):
                continue
            yield folder / name, file, [status.st_mtime_ns, status.st_size]
            break


class _Catalogue:
    """Parsed metas of one repository, kept in a JSON file."""

    def __init__(self, folder: Path | None, scripts_root: Path) -> None:
        self._file = None
        self._old: dict[str, Any] = {}
        self._new: dict[str, Any] = {}
        self._changed = False
        if folder is None:
            return
        digest = hashlib.sha256(str(scripts_root).encode()).hexdigest()[:16]
        self._file = folder / f"catalogue-{digest}.json"
        try:
            stored = json.loads(self._file.read_text(encoding="utf-8"))
            if stored.get("format") == CATALOGUE_FORMAT:
                self._old = stored["metas"]
        except (OSError, ValueError, KeyError, AttributeError):
            self._changed = True

    def get(self, file: Path, stamp: list[int]) -> dict[str, Any]:
        key = str(file)
        row = self._old.get(key)
        if row is None or row[0] != stamp:
            meta = load_meta(file)
            row = [stamp, meta]
            self._changed = True
        self._new[key] = row
        meta_of_row: dict[str, Any] = row[1]
        return meta_of_row

    def save(self) -> None:
        """Writes the catalogue if it changed; a folder that cannot be written only costs time."""
        if self._file is None or not (self._changed or len(self._new) != len(self._old)):
            return
        try:
            text = json.dumps({"format": CATALOGUE_FORMAT, "metas": self._new})
            write_atomically(self._file, text)
        except (OSError, TypeError, ValueError):
            return


def write_atomically(file: Path, text: str) -> None:
    """Writes a text file so that readers see the old one or the new one, never a part."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(file)


def own_repositories() -> list[Repository]:
    """This project's repository, wherever this package was loaded from."""
    from cm4tiny.paths import cm_repo

    return [Repository(path=cm_repo(), alias="cm4tiny", own=True)]


def repositories_of(known: Iterable[Any], own: Iterable[Repository] = ()) -> list[Repository]:
    """This project's repositories first, then those of a cmind ``Repos`` list (objects with ``path``, ``path_prefix`` and ``meta``)."""
    found = list(own)
    seen = {repository.scripts_root.resolve() for repository in found}
    aliases = {repository.alias for repository in found}
    for repo in known:
        prefix = str(getattr(repo, "path_prefix", "") or "")
        alias = str(repo.meta.get("alias", ""))
        repository = Repository(Path(repo.path), alias, prefix, own=alias in aliases)
        place = repository.scripts_root.resolve()
        if place not in seen:
            seen.add(place)
            found.append(repository)
    return found
