"""One script: its folder and its ``_cm.yaml`` or ``_cm.json``.

A parsed meta is shared by all runs of a process and never changed; whoever needs a changed one makes a copy of the part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cm4tiny.engine import vocabulary
from cm4tiny.errors import MetaError

META_FILES = ("_cm.yaml", "_cm.json")


@dataclass(frozen=True)
class Script:
    """A script of a CM repository.

    Args:
        path: its folder.
        meta: the parsed meta, read-only by convention.
        repo_alias: alias of the repository it belongs to.
        repo_path: root of that repository.
        scripts_root: the folder that holds ``script/``.
        own: True if it belongs to this project, whose metas are checked strictly.
    """

    path: Path
    meta: Mapping[str, Any]
    repo_alias: str = ""
    repo_path: Path = Path()
    scripts_root: Path = Path()
    own: bool = False

    @property
    def alias(self) -> str:
        """The readable name."""
        return str(self.meta.get("alias", "")) or self.path.name

    @property
    def uid(self) -> str:
        """16 hexadecimal digits."""
        return str(self.meta.get("uid", ""))

    @cached_property
    def tags(self) -> frozenset[str]:
        """The tags without order."""
        return frozenset(self.tag_list)

    @cached_property
    def tag_list(self) -> tuple[str, ...]:
        """The tags as the meta orders them, always strings."""
        return tuple(str(tag) for tag in self.meta.get("tags") or ())

    @cached_property
    def variations(self) -> Mapping[str, Mapping[str, Any]]:
        """The variations by name; an empty one is an empty mapping."""
        return {str(name): block or {} for name, block in (self.meta.get("variations") or {}).items()}

    def check(self) -> list[str]:
        """Checks the meta: returns warnings for a script of another repository.

        Raises:
            MetaError: a script of this project has a problem, or any script has one with which it cannot run.
        """
        broken = vocabulary.broken(self.meta)
        found = vocabulary.problems(self.meta) if self.own or not broken else broken
        if found and (self.own or broken):
            raise MetaError(
                f"the meta of script '{self.alias}' breaks the language",
                why="; ".join(found),
                cure=f"correct {self.path}/_cm.yaml",
            )
        return found


def load_meta(file: Path) -> dict[str, Any]:
    """Reads a meta file.

    Raises:
        MetaError: not readable, or not a mapping.
    """
    try:
        text = file.read_text(encoding="utf-8")
        meta = json.loads(text) if file.suffix == ".json" else _load_yaml(text)
    except OSError as error:
        raise MetaError(f"cannot read {file}", why=str(error), cure="check the file's permissions") from error
    except Exception as error:
        raise MetaError(f"cannot parse {file}", why=str(error), cure="correct the file at the place named above") from error
    if not isinstance(meta, dict):
        raise MetaError(f"{file} does not hold a mapping", why=f"it holds {type(meta).__name__}", cure="write 'key: value' lines")
    return meta


def _load_yaml(text: str) -> Any:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text, Loader=loader)
