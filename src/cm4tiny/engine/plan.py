"""The key of a cached result: a digest of everything that decides it, known before anything runs.

It covers the script's files, the code behind it, the resolved variations, the version, the environment that the script reads, and the
same for every dependency that may run, down the tree. A dependency whose condition looks at what an earlier dependency produces counts
as one that may run: that can cost a needless rebuild, never a wrong hit.

Which environment counts: keys that the metas declare as input (``default_env``, ``env``, ``const``, ``input_mapping``, a dependency's
``env``), keys that the user set with ``--env`` or ``--const``, and keys that occur as words in the script's code; of the last kind not
those that the script or its dependencies produce themselves. A value that is the path of a file stands for the file's content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from cm4tiny.engine import conditions
from cm4tiny.engine.environment import FROM_OS, LOCAL_KEYS, Env, expand_text, is_pattern
from cm4tiny.engine.fingerprint import code_version, content_of, file_identity
from cm4tiny.engine.repository import ScriptStore
from cm4tiny.engine.resolve import Request, Resolved, dep_request, pick, resolve
from cm4tiny.errors import ScriptError, UsageError

KEY_FORMAT = "1"

#: Keys that say how to run, not what to make.
_HOW = (
    *FROM_OS, "CM_QUIET", "CM_VERBOSE", "CM_TMP_*", "CM_RENEW_CACHE_ENTRY", "CM_EXTRA_CACHE_TAGS", "CM_NAME", "CM_GH_TOKEN", "CM_HF_TOKEN",
)  # fmt: skip


@dataclass
class Planner:
    """Works out keys.

    Args:
        store: the scripts.
        user_env: what the user set with ``--env`` and ``--const``.
    """

    store: ScriptStore
    user_env: Env = field(default_factory=dict)

    def key(self, resolved: Resolved, above: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> str:
        """The key of a run, 64 hexadecimal digits. ``above`` are the runs that it is planned for, so that a recursion ends."""
        above = (*above, identity(resolved))
        content = content_of(resolved.script.path)
        produced: list[tuple[list[str], frozenset[str]]] = [(resolved.new_env_keys, frozenset())]
        below = []
        uncertain: list[str] = []
        for kind, deps in resolved.lists.items():
            for dep in deps:
                if not dep.get("tags"):
                    continue
                open_question = any(_matches(key, uncertain) for key in conditions.keys_of(dep))
                if not (open_question or conditions.is_enabled(dep, resolved.env)):
                    continue
                child = self._child(resolved, dep, above)
                below.append([kind, open_question, dep, child.key])
                uncertain += child.exports
                if not open_question:
                    produced.append((child.exports, child.words))
        parts = [
            KEY_FORMAT,
            resolved.script.uid,
            content.digest,
            code_version(content.imported) if resolved.script.own or content.imported else "",
            list(resolved.chosen.names),
            list(resolved.chosen.excluded),
            resolved.wanted.as_env(),
            resolved.extra_cache_tags,
            self._inputs(resolved, content.code_words, produced),
            [expand_text(key, resolved.env) for key in resolved.new_env_keys],
            resolved.new_state_keys,
            resolved.script_name,
            below,
        ]
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def _child(self, resolved: Resolved, dep: dict[str, Any], above: tuple[tuple[str, tuple[str, ...]], ...]) -> _Child:
        hidden = [*LOCAL_KEYS, *(resolved.script.meta.get("local_env_keys") or ())]
        try:
            request = dep_request(resolved, dep, resolved.env, resolved.state, hidden, len(above))
            if "<<<" in request.tags:
                return _Child(f"open:{request.tags}")
            script, query = pick(self.store, request, quiet=True)
            child = resolve(script, query, request)
        except (ScriptError, UsageError) as error:
            return _Child(f"open:{error.what}")
        content = content_of(script.path)
        key = f"again:{child.command}" if identity(child) in above else self.key(child, above)
        return _Child(key, child.new_env_keys, content.words)

    def _inputs(self, resolved: Resolved, code_words: frozenset[str], produced: list[tuple[list[str], frozenset[str]]]) -> Env:
        inputs: Env = {}
        for key, value in resolved.env.items():
            word = key.lstrip("+:;")
            if _matches(key, _HOW):
                continue
            if key in resolved.declared:
                inputs[key] = _identity(value)
            elif word in code_words:
                if key in self.user_env:
                    inputs[key] = _identity(self.user_env[key])
                elif not any(_produces(key, exports, words) for exports, words in produced):
                    inputs[key] = _identity(value)
        return inputs


def identity(resolved: Resolved) -> tuple[str, tuple[str, ...]]:
    """What makes two runs the same as far as a recursion is concerned: the script and its variations."""
    return resolved.script.uid, resolved.chosen.names


@dataclass(frozen=True)
class _Child:
    key: str
    exports: list[str] = field(default_factory=list)
    words: frozenset[str] = frozenset()


def _matches(key: str, patterns: Any) -> bool:
    return any(fnmatchcase(key, pattern) if is_pattern(pattern) else key == pattern for pattern in patterns)


def _produces(key: str, exports: list[str], words: frozenset[str]) -> bool:
    """True if a script that exports these keys, and in whose files these words occur, sets the key itself.

    An empty set of words stands for the script that is asked about: its own exports are never its inputs.
    """
    for pattern in exports:
        if is_pattern(pattern):
            if fnmatchcase(key, pattern) and (not words or key.lstrip("+:;") in words):
                return True
        elif key == pattern:
            return True
    return False


def _identity(value: Any) -> Any:
    if isinstance(value, str):
        content = file_identity(value)
        return [value, content] if content else value
    return value


def new_request(flags: Mapping[str, Any]) -> Request:
    """A request from the flags of a command line: ``tags``, ``env``, ``const``, ``state`` and ``adr`` are taken out of them."""
    adr_free = {key: value for key, value in flags.items() if key not in ("tags", "env", "const", "state", "const_state")}
    return Request(
        tags=str(flags.get("tags") or ""),
        flags=adr_free,
        env=dict(flags.get("env") or {}),
        const=dict(flags.get("const") or {}),
        state=dict(flags.get("state") or {}),
        const_state=dict(flags.get("const_state") or {}),
    )
