# SPDX-License-Identifier: Apache-2.0
"""Where scripts come from: this project's own repository and every repository that cmind knows.

The files themselves are looked at, so a script that was added, changed or removed since cmind last wrote its index is seen as it is;
:mod:`~cm4tiny.resolver.catalogue.index` makes that cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cm4tiny.errors import MetaError
from cm4tiny.resolver.catalogue.index import SCRIPT_AUTOMATION, Catalogue, IndexRow
from cm4tiny.resolver.language.meta import Script

__all__ = ["SCRIPT_AUTOMATION", "Repository", "ScriptStore", "own_repositories", "repositories_of"]


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
        warnings: metas of other repositories that cannot be read; complete once all scripts were asked for.
    """

    repositories: list[Repository]
    catalogue_dir: Path | None = None
    warnings: list[str] = field(default_factory=list)
    _catalogues: list[tuple[Repository, Catalogue]] | None = None
    _made: dict[Path, tuple[tuple[int, int], Script]] = field(default_factory=dict)
    _answers: dict[tuple[str, ...], list[Script]] = field(default_factory=dict)

    @property
    def scripts(self) -> list[Script]:
        """All scripts, each uid once."""
        return self._asked(("all",), lambda catalogue: catalogue.all())

    def with_tags(self, tags: Iterable[str]) -> list[Script]:
        """Scripts that have all these tags; all scripts for no tags."""
        tags = tuple(tags)
        return self._asked(("tags", *tags), lambda catalogue: catalogue.with_tags(tags)) if tags else self.scripts

    def find(self, name: str) -> list[Script]:
        """Scripts with this alias or uid (``alias``, ``uid`` or ``alias,uid``)."""
        uid = name.partition(",")[2]
        found = self._asked(("name", uid or name), lambda catalogue: catalogue.named(uid or name))
        return [script for script in found if script.uid == uid] if uid else found

    def refuse_duplicates(self, script: Script) -> None:
        """Refuses a script whose uid another one of its repository has as well.

        Raises:
            MetaError: with the folders.
        """
        for repository, catalogue in self._opened():
            if repository.scripts_root == script.scripts_root and script.uid in catalogue.duplicates:
                folders = catalogue.duplicates[script.uid]
                raise MetaError(
                    f"{len(folders)} scripts of one repository have the uid {script.uid or '(none)'}",
                    why=" and ".join(folders),
                    hint="give one of them another uid: 16 hexadecimal digits between quotes",
                )

    def _opened(self) -> list[tuple[Repository, Catalogue]]:
        if self._catalogues is None:
            self._catalogues = [(repository, Catalogue(repository.scripts_root, self.catalogue_dir)) for repository in self.repositories]
            self._note_errors()
        return self._catalogues

    def _note_errors(self) -> None:
        for repository, catalogue in self._catalogues or ():
            for error in catalogue.errors:
                if repository.own:
                    raise error
                text = f"{error.what}: {error.why}"
                if text not in self.warnings:
                    self.warnings.append(text)

    def _asked(self, question: tuple[str, ...], ask: Callable[[Catalogue], list[IndexRow]]) -> list[Script]:
        if question not in self._answers:
            found: list[Script] = []
            earlier: list[Catalogue] = []
            for repository, catalogue in self._opened():
                for row in ask(catalogue):
                    script = self._script(repository, row)
                    if not script.uid or not any(other.has_uid(script.uid) for other in earlier):
                        found.append(script)
                earlier.append(catalogue)
            self._note_errors()
            self._answers[question] = found
        return self._answers[question]

    def _script(self, repository: Repository, row: IndexRow) -> Script:
        folder = row.file.parent
        stamp, script = self._made.get(folder, (None, None))
        if script is None or stamp != row.stamp:
            script = Script(folder, row.meta or {}, repository.alias, repository.path, repository.scripts_root, repository.own)
            self._made[folder] = row.stamp, script
        return script


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
