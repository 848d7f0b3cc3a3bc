# SPDX-License-Identifier: Apache-2.0
"""What the inputs of scripts mean and which values they take; a request's values are checked before anything runs.

A repository may hold ``inputs.yaml`` next to ``script/``: descriptions by environment key (``inputs.schema.json``), as many scripts share
an input. ``input_description`` of a meta says the same for one script and wins. A key without a ``type`` is not checked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cm4tiny.errors import UsageError, nearest
from cm4tiny.paths import expanded
from cm4tiny.resolver.language.meta import Script, load_meta
from cm4tiny.settings import NO, YES

FILE = "inputs.yaml"
_SIZE = re.compile(r"[0-9]+[kK]?")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
PATHS = frozenset({"file", "folder", "paths", "output folder"})


@dataclass(frozen=True)
class Input:
    """One input of a script.

    Args:
        flag: as the user types it, without dashes.
        key: of the environment.
        kind: ``type`` of the schema; empty if values are not checked.
        desc: text for --help and the reference.
        default: the value that counts without the flag.
        otherwise: what happens without the flag, where that is not a value.
        alias_of: the flag that sets the same key; empty for the first of them.
        choices: values that a ``choice`` or ``choices`` may have.
        minimum, maximum: of a ``count``.
    """

    flag: str
    key: str
    kind: str = ""
    desc: str = ""
    default: str = ""
    otherwise: str = ""
    alias_of: str = ""
    choices: tuple[str, ...] = ()
    minimum: int = 1
    maximum: int = 2**31

    @property
    def text(self) -> str:
        """Meaning, choices and default in one line."""
        if self.alias_of:
            return f"alias of --{self.alias_of}"
        parts = [self.desc or f"sets {self.key}"]
        parts += [f"({', '.join(self.choices)})"] if self.choices else []
        parts += [f"[default: {self.default or self.otherwise}]"] if self.default or self.otherwise else []
        return " ".join(parts)

    def expanded(self, value: Any) -> Any:
        """The value with ``~`` replaced by the home folder, if it is a path."""
        if self.kind not in PATHS or not isinstance(value, str):
            return value
        parts = value.split(",") if self.kind == "paths" else [value]
        return ",".join(expanded(part.strip()) if part.strip().startswith("~") else part for part in parts)

    def check(self, value: Any, here: Path) -> None:
        """Raises UsageError if the value is not possible; relative paths count from ``here``."""
        if not self.kind or value is None:
            return
        if isinstance(value, (list, Mapping)):
            raise self._error("takes one text", f"it was given {value!r}", f"write --{self.flag}=VALUE")
        if self.kind == "switch":
            if str(value).strip().lower() not in YES | NO:
                raise self._error(f"is on or off, not '{value}'", "", f"write --{self.flag}, --{self.flag}=yes or --{self.flag}=no")
            return
        if value is True or value is False:
            raise self._error("needs a value", self.desc, f"write --{self.flag}=VALUE")
        text = str(value).strip()
        if text:
            _CHECKS[self.kind](self, text, here)

    def _error(self, what: str, why: str, hint: str) -> UsageError:
        return UsageError(f"--{self.flag} {what}", why=why, hint=hint)

    def _wrong(self, text: str, what: str, hint: str, why: str = "") -> UsageError:
        return UsageError(f"--{self.flag}={text} {what}", why=why, hint=hint)

    def _count(self, text: str, here: Path) -> None:
        if not (text.isascii() and text.isdecimal()):
            raise self._wrong(text, "is not a number", f"give a whole number from {self.minimum}")
        if not self.minimum <= int(text) <= self.maximum:
            raise self._wrong(text, "is not possible", f"give a whole number from {self.minimum} to {self.maximum}")

    def _size(self, text: str, here: Path) -> None:
        if not _SIZE.fullmatch(text) or not int(text.rstrip("kK")):
            raise self._wrong(text, "is not a size of memory", "give bytes, or kilobytes as in 128K")

    def _sha256(self, text: str, here: Path) -> None:
        if not _SHA256.fullmatch(text):
            raise self._wrong(text, "is not a SHA-256 digest", "give 64 hexadecimal digits")

    def _choice(self, text: str, here: Path) -> None:
        if text not in self.choices:
            hint = nearest(text, self.choices) or f"use one of {', '.join(self.choices)}"
            raise self._wrong(text, "is not a valid choice", hint, f"the choices are {', '.join(self.choices)}")

    def _choices(self, text: str, here: Path) -> None:
        for part in filter(None, (part.strip() for part in text.split(","))):
            self._choice(part, here)

    def _file(self, text: str, here: Path) -> None:
        place = here / text
        if place.is_dir():
            raise self._wrong(text, "is a directory, not a file", f"give a file: {self.desc}")
        if not place.is_file():
            raise self._wrong(
                text, "does not exist", "check the path; relative ones count from the current directory", f"looked at {place}"
            )
        if not os.access(place, os.R_OK):
            raise self._wrong(text, "cannot be read", "change the file's permissions")

    def _folder(self, text: str, here: Path) -> None:
        place = here / text
        if not place.is_dir():
            what = "is not a directory" if place.exists() else "does not exist"
            raise self._wrong(text, what, "check the path; relative ones count from the current directory", f"looked at {place}")

    def _paths(self, text: str, here: Path) -> None:
        for part in filter(None, (part.strip() for part in text.split(","))):
            if not (here / part).exists():
                raise self._wrong(text, "does not exist", "check the path; separate several by commas", f"looked at {here / part}")

    def _output_folder(self, text: str, here: Path) -> None:
        place = here / text
        there = next(folder for folder in (place, *place.parents) if os.path.lexists(folder))
        if not there.is_dir():
            raise self._wrong(text, "cannot be created", "choose another directory", f"{there} is not a directory")
        if not os.access(there, os.W_OK | os.X_OK):
            raise self._wrong(
                text, "cannot be written", "choose another directory, or change its permissions", f"no write access to {there}"
            )


_CHECKS: dict[str, Callable[[Input, str, Path], None]] = {
    "text": lambda given, text, here: None, "count": Input._count, "size": Input._size, "sha256": Input._sha256, "choice": Input._choice,
    "choices": Input._choices, "file": Input._file, "folder": Input._folder, "paths": Input._paths, "output folder": Input._output_folder,
}  # fmt: skip


def inputs_of(script: Script) -> dict[str, Input]:
    """The inputs of a script by flag, in the order of its metas."""
    table = _table(script.scripts_root)
    described = script.meta.get("input_description")
    described = described if isinstance(described, Mapping) else {}
    mapped = [pair for block in script.blocks for pair in (block.get("input_mapping") or {}).items()]
    found: dict[str, Input] = {}
    first: dict[str, str] = {}
    for flag, key in [*mapped, *((flag, "") for flag in described)]:
        flag = str(flag)
        if flag not in found:
            about = described.get(flag, {})
            own = about if isinstance(about, Mapping) else {"desc": about}
            name = first.setdefault(str(key), flag) if key else flag
            found[flag] = _input(flag, str(key), {**table.get(str(key), {}), **own}, script.alias, "" if own or name == flag else name)
    return found


def _input(flag: str, key: str, about: Mapping[str, Any], script: str, alias_of: str) -> Input:
    kind = str(about.get("type", ""))
    default, otherwise = (
        str(text.get(script, "") if isinstance(text, Mapping) else text) for text in (about.get("default", ""), about.get("otherwise", ""))
    )
    return Input(
        flag, key, kind if kind in _CHECKS or kind == "switch" else "", str(about.get("desc", "")), default, otherwise, alias_of,
        tuple(str(choice) for choice in about.get("choices") or ()), int(about.get("minimum", 1)), int(about.get("maximum", 2**31)),
    )  # fmt: skip


@lru_cache(maxsize=64)
def _table(root: Path) -> dict[str, Any]:
    file = root / FILE
    return load_meta(file) if root.name and file.is_file() else {}


def check_request(script: Script, flags: Mapping[str, Any], here: Path, *, defaults: bool = True) -> dict[str, Any]:
    """The flags with paths expanded (``~``), after every value was checked; nothing is run or written.

    Args:
        script: what is asked for.
        flags: of the command line.
        here: the current folder.
        defaults: check that the default output folder can be written, too.

    Raises:
        UsageError: a value that the script's inputs do not take, or an output folder that cannot be written.
    """
    checked = dict(flags)
    env = dict(flags["env"]) if isinstance(flags.get("env"), Mapping) else {}
    for given in _all_inputs(script):
        for values, name in ((checked, given.flag), (env, given.key)):
            if name and name in values:
                values[name] = given.expanded(values[name])
                given.check(values[name], here)
        if defaults and given.kind == "output folder" and given.default and not (checked.get(given.flag) or env.get(given.key)):
            given.check(given.default, here)
    return {**checked, "env": env} if env else checked


def _all_inputs(script: Script) -> Iterator[Input]:
    own = inputs_of(script)
    yield from own.values()
    if "outdirname" not in own:
        yield Input("outdirname", "CM_OUTDIRNAME", "output folder", "the folder to work in")
