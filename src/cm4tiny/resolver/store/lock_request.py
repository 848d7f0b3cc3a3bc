# SPDX-License-Identifier: Apache-2.0
"""What a lock file alone may ask for: ``cm run script --locked=FILE`` repeats a run that somebody else may have written down.

The scripts that run are the user's own, compared by digest. What would bring something along is refused: state (``script_prefix`` in it is
a list of shell commands), environment that no script of the run declares (``PATH``, ``LD_PRELOAD``, ``BASH_ENV``), and values that may name
a program or a folder. This project's steps take plain words and existing files; other repositories' scripts, which may run what a key
holds, take numbers, versions and yes or no. A run that needs more is repeated by its own command, typed by the user, with
``--locked=FILE``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cm4tiny.errors import LockError
from cm4tiny.resolver.language.meta import Script

_TAGS = re.compile(r"[A-Za-z0-9_.,+-]{0,2000}")
_NAME = re.compile(r"[A-Za-z0-9_.,-]{0,200}")
_KEY = re.compile(r"[A-Z][A-Z0-9_]*")
_NUMBER = re.compile(r"[0-9][A-Za-z0-9.+-]{0,60}|yes|no|on|off|true|false|", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,+-]{0,200}|")
_MEANT_FOR_THE_SYSTEM = re.compile(r"PATH|HOME|SHELL|ENV|IFS|PS4|CC|CXX|(LD|DYLD|PYTHON|BASH|GIT|PIP|GCC|PERL|JAVA)_?.*")
#: Flags of the engine that say what to run and are no more than words.
_VERSIONS = frozenset({"version", "version_min", "version_max", "version_max_usable"})
_FLAGS = _VERSIONS | {"extra_cache_tags", "skip_cache", "no_cache", "force_cache"}
_CHANGES = ("adr", "add_deps_recursive", "ad", "add_deps")
_CHANGED = _VERSIONS | {"tags"}


def check_request(request: Mapping[str, Any], scripts: Iterable[Script], file: Path) -> None:
    """Refuses a request that would bring along more than values for what the scripts declare.

    Args:
        request: of the lock file, with the paths of this machine.
        scripts: those of the lock file's records that are here.
        file: the lock file, for the message.

    Raises:
        LockError: with each key and why.
    """
    problems = list(_problems(request, _Declared(scripts)))
    if problems:
        raise LockError(
            f"the lock file {file} asks for more than a lock file alone may",
            why="\n       ".join(problems),
            hint="read it; if you want that run, type its tags and flags yourself and add --locked=FILE",
        )


class _Declared:
    """Flags and keys that the scripts declare, and whether all that declare one are this project's."""

    def __init__(self, scripts: Iterable[Script]) -> None:
        self.flags: dict[str, bool] = {}
        self.keys: dict[str, bool] = {}
        self.own = True
        for script in scripts:
            self.own = self.own and script.own
            versions = script.meta.get("versions") or {}
            for block in (script.meta, *script.variations.values(), *(block or {} for block in versions.values())):
                mapping = block.get("input_mapping") or {}
                self._add(self.flags, (str(flag) for flag in mapping), script)
                names = (*mapping.values(), *(block.get("default_env") or ()), *(block.get("env") or ()))
                self._add(self.keys, (str(name) for name in names), script)

    @staticmethod
    def _add(known: dict[str, bool], names: Iterable[str], script: Script) -> None:
        for name in names:
            known[name] = known.get(name, True) and script.own


def _problems(request: Mapping[str, Any], declared: _Declared) -> Iterator[str]:
    for part in ("state", "const_state"):
        yield from (f"{part}, {key}: a lock file brings no state along" for key in sorted(request.get(part) or ()))
    if not _TAGS.fullmatch(str(request.get("tags", ""))) or not _NAME.fullmatch(str(request.get("name", ""))):
        yield "tags: they hold more than letters, digits and _ . , + -"
    for part in ("env", "const"):
        for key, value in sorted((request.get(part) or {}).items()):
            if key not in declared.keys or not _KEY.fullmatch(key) or _MEANT_FOR_THE_SYSTEM.fullmatch(key):
                yield f"{part}, {key}: no script of the run declares it as its input"
            else:
                yield from _value(f"{part}, {key}", value, declared.keys[key])
    for flag, value in sorted((request.get("flags") or {}).items()):
        if flag in _CHANGES:
            yield from _changes(flag, value)
        elif flag not in declared.flags and flag not in _FLAGS:
            yield f"--{flag}: no script of the run declares it"
        else:
            yield from _value(f"--{flag}", value, declared.flags.get(flag, True))


def _changes(flag: str, value: Any) -> Iterator[str]:
    for name, entry in sorted(value.items()) if isinstance(value, dict) else ():
        for key, text in sorted(entry.items()) if isinstance(entry, dict) else ():
            if key not in _CHANGED or not isinstance(text, str) or not _TAGS.fullmatch(text):
                yield f"--{flag}.{name}.{key}: only tags and versions of dependencies may be changed"
        if not isinstance(entry, dict):
            yield f"--{flag}.{name}: it is not a group of keys"
    if not isinstance(value, dict):
        yield f"--{flag}: it is not a group of keys"


def _value(what: str, value: Any, own: bool) -> Iterator[str]:
    if isinstance(value, (bool, int, float)):
        return
    if not isinstance(value, str):
        yield f"{what}: it is not a plain value"
    elif own:
        if not _WORD.fullmatch(value) and not ("/" in value and Path(value).is_file()):
            yield f"{what}: {value[:80]!r} is neither a plain word nor an existing file"
    elif not _NUMBER.fullmatch(value):
        yield f"{what}: {value[:80]!r} is not a number, a version, yes or no, and another repository's script may run it"
