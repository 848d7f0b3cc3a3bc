# SPDX-License-Identifier: Apache-2.0
"""What a run used: one record per script, with the digest of its files, its inputs, and where its results came from.

Records are data. Those of a cached result lie in its entry, so a run that takes everything from the cache reports the same as the run that
made it. They hold no time and no path of this machine: the CM home, repositories and the user's folders are written as ``$CM_HOME``,
``$REPO:alias``, ``$PWD`` and ``$HOME``.

Sources are found in three ways: a hook returns them (``{'return': 0, 'sources': [{'url': ..., 'sha256': ...}]}``, which upstream's engine
ignores), a folder of the result is a git checkout, or the script downloaded a file in upstream's way (``CM_DOWNLOAD_URL``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cm4tiny.digests import file_sha256
from cm4tiny.errors import ScriptFailedError
from cm4tiny.resolver.catalogue.repository import Repository
from cm4tiny.resolver.language.environment import Env
from cm4tiny.resolver.plan.fingerprint import code_version, content_of
from cm4tiny.resolver.plan.planner import HOW
from cm4tiny.resolver.plan.resolve import Resolved
from cm4tiny.resolver.store.git_source import git_source, public_url
from cm4tiny.resolver.store.stored_files import Inventory

Record = dict[str, Any]

#: Flags that change where or how fast something is done, not what: the env keys that they set are not inputs.
_NOT_WHAT = ("jobs", "outdirname")
_SECRET_NAMES = ("*TOKEN*", "*PASSWORD*", "*SECRET*")
SECRET = "(secret)"
"""Stands for the value of a key whose name says that it is one."""

_TOOL = ("*_VERSION", "*_FINGERPRINT", "*_REVISION")
_SHA256 = re.compile("[0-9a-f]{64}")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Places:
    """Folders of this machine and how records write them, the deepest first."""

    names: tuple[tuple[str, str], ...]
    cache: str

    @classmethod
    def of(cls, home: Path, cache: Path, repositories: Iterable[Repository]) -> Places:
        """The places of a session; the current folder is the user's."""
        found = [(str(home), "$CM_HOME"), (str(Path.cwd()), "$PWD"), (str(Path.home()), "$HOME")]
        found += [(str(repository.path), f"$REPO:{repository.alias}") for repository in repositories]
        found = [row for row in found if len(row[0]) > 1]
        return cls(tuple(sorted(found, key=lambda row: -len(row[0]))), str(cache))

    def portable(self, value: Any) -> Any:
        """A value without paths of this machine."""
        if isinstance(value, str):
            if "/" not in value:
                return value
            text = re.sub(re.escape(self.cache) + r"/([A-Za-z0-9.-]+)_[0-9a-f]{16}(?=/|$)", r"$CM_HOME/cache/\1", value)
            for path, name in self.names:
                text = re.sub(re.escape(path) + r"(?=/|$)", lambda _, name=name: name, text)  # type: ignore[misc]
            return text
        if isinstance(value, Mapping):
            return {str(key): self.portable(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.portable(item) for item in value]
        return value if isinstance(value, (int, float, bool)) or value is None else str(value)

    def local(self, value: Any) -> Any:
        """The reverse of :meth:`portable`, for the folders of this machine."""
        if isinstance(value, str):
            for path, name in self.names:
                value = re.sub(re.escape(name) + r"(?=/|$)", lambda _, path=path: path, value)  # type: ignore[misc]
            return value
        if isinstance(value, Mapping):
            return {key: self.local(item) for key, item in value.items()}
        return [self.local(item) for item in value] if isinstance(value, list) else value


def begin(resolved: Resolved, places: Places, user_env: Env) -> Record:
    """The part of a record that is known before a script runs."""
    script, content = resolved.script, content_of(resolved.script.path)
    wanted = {key.removeprefix("CM_").lower(): value for key, value in resolved.wanted.as_env().items()}
    return {
        "script": script.alias,
        "uid": script.uid,
        "repository": script.repo_alias,
        "content": content.digest,
        "code": code_version(content.imported) if script.own or content.imported else "",
        "variations": list(resolved.chosen.names),
        "excluded": list(resolved.chosen.excluded),
        "asked": wanted,
        "inputs": _inputs(resolved, places, user_env),
        "cached": resolved.cache,
    }


def _inputs(resolved: Resolved, places: Places, user_env: Env) -> dict[str, Any]:
    blocks = [resolved.script.meta, *resolved.script.variations.values()]
    passed = {str((block.get("input_mapping") or {}).get(flag, "")) for block in blocks for flag in _NOT_WHAT}
    given = {*user_env, *resolved.const}
    found: dict[str, Any] = {}
    for key in sorted(resolved.declared | set(user_env)):
        if key not in resolved.env or key in passed or key in HOW:
            continue
        value = resolved.env[key]
        if is_secret(key):
            found[key] = SECRET
        elif isinstance(value, str) and value.startswith("/") and not value.startswith(places.cache) and Path(value).is_file():
            if key in given:  # else another step of the run made it, whose record says from what
                found[key] = f"sha256:{file_sha256(Path(value))}"
        else:
            found[key] = places.portable(value)
    return found


def is_secret(key: str) -> bool:
    """True if a key's or flag's name says that nobody else should see its value."""
    return any(fnmatchcase(key.upper(), pattern) for pattern in _SECRET_NAMES)


def finish(
    record: Record, env: Env, new_env: Env, version: str, reported: Iterable[Any], places: Places, digests: Mapping[str, Any] | None = None
) -> Record:
    """The whole record of a script that ended well.

    Args:
        record: from :func:`begin`.
        env: the script's at its end.
        new_env: what it hands to its caller.
        version: that was made or found.
        reported: the sources that its hooks returned.
        places: for paths.
        digests: sha256 by name of files that its hooks used.

    Raises:
        ScriptFailedError: a hook returned sources or digests that are none.
    """
    tools = {key: str(value) for key, value in sorted(new_env.items()) if any(fnmatchcase(key, pattern) for pattern in _TOOL)}
    sources = [_stated(source, record["script"]) for source in reported]
    sources += _downloaded(env, new_env)
    for value in new_env.values():
        found = git_source(Path(value)) if isinstance(value, str) and value.startswith("/") else None
        if found is not None:
            sources.append(found)
    unique = [source for number, source in enumerate(sources) if source not in sources[:number]]
    return {
        **record,
        "version": version,
        "tools": places.portable(tools),
        "sources": unique,
        "files": _digests(digests or {}, record["script"]),
    }


def _digests(digests: Mapping[str, Any], script: str) -> dict[str, str]:
    wrong = [name for name, value in digests.items() if not _SHA256.fullmatch(str(value))]
    if wrong:
        hint = "return {'return': 0, 'digests': {'name': '64 hexadecimal digits'}}"
        raise ScriptFailedError(f"script '{script}' returned a digest that is none", why=f"{wrong[0]} is {digests[wrong[0]]!r}", hint=hint)
    return {str(name): str(value) for name, value in digests.items()}


def _stated(source: Any, script: str) -> dict[str, str]:
    if not isinstance(source, Mapping) or not source.get("url"):
        raise ScriptFailedError(
            f"script '{script}' returned a source that is none",
            why=f"it is {source!r}",
            hint="return {'return': 0, 'sources': [{'url': ..., 'sha256': ...}]}, or 'commit' instead of 'sha256'",
        )
    return {str(key): public_url(str(value)) if key == "url" else str(value) for key, value in source.items()}


def _downloaded(env: Env, new_env: Env) -> list[dict[str, str]]:
    url, file = str(env.get("CM_DOWNLOAD_URL") or ""), str(new_env.get("CM_DOWNLOAD_DOWNLOADED_PATH") or "")
    if not url or not Path(file).is_file():
        return []
    return [{"url": public_url(url), "sha256": file_sha256(Path(file))}]


def files_of(new_env: Env, folder: Path, inventory: Inventory) -> dict[str, str]:
    """Digests of the files of an entry that its result names, by the key that names them."""
    found = {}
    for key, value in sorted(new_env.items()):
        if isinstance(value, str) and value.startswith(f"{folder}/"):
            record = inventory.files.get(os.path.relpath(value, folder))
            if record is not None and record.sha256:
                found[key] = record.sha256
    return found
