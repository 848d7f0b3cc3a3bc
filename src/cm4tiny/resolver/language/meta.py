# SPDX-License-Identifier: Apache-2.0
"""One script: its folder and its ``_cm.yaml`` or ``_cm.json``.

A parsed meta is shared by all runs of a process and never changed; whoever needs a changed one makes a copy of the part.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cm4tiny.errors import MetaError
from cm4tiny.resolver.language import vocabulary
from cm4tiny.settings import is_on

META_FILES = ("_cm.yaml", "_cm.json")
LIMITS = {"bytes": 1_000_000, "values": 50_000, "depth": 50, "digits": 1000}
"""What a meta may have: the largest of upstream's 300 has 50 kB, some thousand values and a depth below ten."""


@dataclass(frozen=True, eq=False)
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

    @property
    def cached(self) -> bool:
        """The results are kept, unless a variation or a version says otherwise."""
        return says_yes(self.meta, "cache")

    @cached_property
    def variations(self) -> Mapping[str, Mapping[str, Any]]:
        """The variations by name; one that is empty or no mapping is an empty mapping (see :meth:`require`)."""
        blocks = self.meta.get("variations") or {}
        return {str(name): block if isinstance(block, Mapping) else {} for name, block in blocks.items()}

    @cached_property
    def blocks(self) -> tuple[Mapping[str, Any], ...]:
        """The top level, all variations and all versions."""
        versions = self.meta.get("versions") or {}
        return (self.meta, *self.variations.values(), *(block for block in versions.values() if isinstance(block, Mapping)))

    @cached_property
    def dep_names(self) -> frozenset[str]:
        """The names of all dependencies that the script may have, by which ``adr`` finds them."""
        lists = (block.get(kind) or () for block in self.blocks for kind in vocabulary.DEP_LISTS)
        named = (dep.get("names") or () for deps in lists for dep in deps if isinstance(dep, Mapping))
        return frozenset(str(name) for names in named for name in (names.replace(",", " ").split() if isinstance(names, str) else names))

    @cached_property
    def _broken(self) -> dict[str, list[str]]:
        return vocabulary.broken(self.meta)

    @cached_property
    def problems(self) -> list[str]:
        """Everything that is wrong with the meta, one sentence each."""
        return vocabulary.problems(self.meta)

    def check(self) -> list[str]:
        """Checks the meta: returns warnings for a script of another repository.

        Raises:
            MetaError: a script of this project has a problem, or the top level of any script has one with which it cannot run.
        """
        if self.own and self.problems:
            raise self._error(self.problems)
        self.require(vocabulary.TOP_LEVEL)
        return self.problems

    def require(self, block: str) -> None:
        """Checks the shape of a block that a run is about to apply: ``top level``, ``variation 'x'`` or ``version '1'``.

        Raises:
            MetaError: a value has the wrong shape.
        """
        if block in self._broken:
            raise self._error(self._broken[block])

    def _error(self, problems: list[str]) -> MetaError:
        file = next((self.path / name for name in META_FILES if (self.path / name).is_file()), self.path)
        return MetaError(f"the meta of script '{self.alias}' breaks the language", why="; ".join(problems), hint=f"correct {file}")


def says_yes(block: Mapping[str, Any], key: str) -> bool:
    """Whether a block or an entry of a meta switches something on; a key that is missing does not."""
    return is_on(block.get(key))


def load_meta(file: Path) -> dict[str, Any]:
    """Reads a meta file. Keys are texts, and so are dates: ``versions: {3.8: ...}`` has the key ``"3.8"``.

    Raises:
        MetaError: not readable, or not a mapping; with file, line and column if it cannot be parsed.
    """
    try:
        text = _text_of(file)
        meta = json.loads(text) if file.suffix == ".json" else load_yaml(text)
        if isinstance(meta, dict):
            _check_built(meta)
            return dict(json.loads(json.dumps(meta, default=str)))
    except OSError as error:
        raise MetaError(f"cannot read {file}", why=str(error), hint="check the file's permissions") from error
    except MetaError as error:
        raise MetaError(f"cannot use {file}", why=error.what, hint="make it smaller, or remove its repository:\ncm rm repo") from error
    except Exception as error:
        place, why = _place_of(error)
        raise MetaError(f"cannot parse {file}{place}", why=why, hint="correct the file there") from error
    raise MetaError(f"{file} does not hold a mapping", why=f"it holds {type(meta).__name__}", hint="write 'key: value' lines")


def _place_of(error: Exception) -> tuple[str, str]:
    """Line and column of a syntax error, and what it is."""
    if isinstance(error, json.JSONDecodeError):
        return f", line {error.lineno}, column {error.colno}", error.msg
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return "", str(error)
    parts = [getattr(error, "context", None), getattr(error, "problem", None)]
    return f", line {mark.line + 1}, column {mark.column + 1}", ", ".join(str(part) for part in parts if part)


def _text_of(file: Path) -> str:
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise MetaError("it is not a regular file")
    if status.st_size > LIMITS["bytes"]:
        raise MetaError(f"it has {status.st_size} bytes, more than {LIMITS['bytes']}")
    return file.read_text(encoding="utf-8")


def load_yaml(text: str) -> Any:
    """A YAML text as Python's values.

    Raises:
        MetaError: it would grow beyond :data:`LIMITS`; nothing was built yet.
        yaml.YAMLError: it is not YAML.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    _check_size(yaml.parse(text, Loader=loader))
    return yaml.load(text, Loader=loader)


def _check_size(events: Iterable[Any]) -> None:
    """Counts the values of a YAML text, those that references and merge keys repeat included, before any is made."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    values = 0
    for event in events:
        kind = type(event).__name__
        if kind == "AliasEvent":
            values += sizes.get(event.anchor, 1)
        elif kind in ("ScalarEvent", "SequenceStartEvent", "MappingStartEvent"):
            values += 1
            if kind == "ScalarEvent":
                _check_number(event)
                sizes[event.anchor or ""] = 1
            else:
                open_nodes.append((event.anchor, values))
        elif kind in ("SequenceEndEvent", "MappingEndEvent"):
            anchor, before = open_nodes.pop()
            sizes[anchor or ""] = values - before + 1
        if values > LIMITS["values"]:
            raise MetaError(f"it stands for more than {LIMITS['values']} values, repeated references included")
        if len(open_nodes) > LIMITS["depth"]:
            raise MetaError(f"its values are nested more than {LIMITS['depth']} deep")


def _check_built(meta: Any) -> None:
    """As :func:`_check_size`, for what a JSON text holds; its values are no more than its bytes."""
    level, values = [meta], 1
    for _ in range(LIMITS["depth"]):
        parts = [part for value in level for part in (value.values() if isinstance(value, dict) else value)]
        values += len(parts)
        level = [part for part in parts if isinstance(part, (dict, list))]
        if values > LIMITS["values"]:
            raise MetaError(f"it holds more than {LIMITS['values']} values")
        if not level:
            return
    raise MetaError(f"its values are nested more than {LIMITS['depth']} deep")


def _check_number(event: Any) -> None:
    """A number without quotes costs the square of its digits."""
    if event.implicit[0] and len(event.value) > LIMITS["digits"] and event.value[0] in "+-.0123456789":
        raise MetaError(f"a number has more than {LIMITS['digits']} digits")
