# SPDX-License-Identifier: Apache-2.0
"""The environment of a script run: merging, ``<<<KEY>>>`` expansion, and which keys may leave or enter a run.

CM's ``env`` is a dictionary of its own, not ``os.environ``. Values are scalars, or lists for keys that start with ``+`` (a list that is
put in front of the variable of the operating system, as in ``+PATH``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import Any

from cm4tiny.errors import MetaError

Env = dict[str, Any]

PLACEHOLDER = re.compile(r"<<<(.*?)>>>")

#: Keys that belong to one run and are hidden from its dependencies (upstream's list).
LOCAL_KEYS = (
    "CM_VERSION", "CM_VERSION_MIN", "CM_VERSION_MAX", "CM_VERSION_MAX_USABLE", "CM_DETECTED_VERSION",
    "CM_INPUT", "CM_OUTPUT", "CM_OUTBASENAME", "CM_OUTDIRNAME", "CM_NAME", "CM_EXTRA_CACHE_TAGS",
    "CM_TMP_*", "CM_GIT_*", "CM_RENEW_CACHE_ENTRY",
)  # fmt: skip

#: Variables of the operating system that are copied into ``env`` where it lacks them.
FROM_OS = (
    "GH_TOKEN", "ftp_proxy", "FTP_PROXY", "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
    "no_proxy", "NO_PROXY", "socks_proxy", "SOCKS_PROXY",
)  # fmt: skip


def merge(target: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Merges ``extra`` into ``target`` and returns it: dictionaries key by key, lists by appending what is new, scalars by overwriting.

    Containers of ``extra`` are never shared with ``target`` and containers already in ``target`` are replaced, not changed, so a meta that
    was merged once can be merged again.
    """
    for key, value in extra.items():
        if isinstance(value, Mapping):
            old = target.get(key)
            target[key] = merge(dict(old) if isinstance(old, Mapping) else {}, value)
        elif isinstance(value, list):
            old = target.get(key)
            kept = list(old) if isinstance(old, list) else []
            target[key] = kept + [item for item in value if item not in kept]
        else:
            target[key] = value
    return target


def expand_text(text: str, *sources: Mapping[str, Any]) -> str:
    """Replaces each ``<<<KEY>>>`` by the value of the first source that has it; unknown keys stay as they are."""
    if "<<<" not in text:
        return text

    def value_of(match: re.Match[str]) -> str:
        for source in sources:
            if match[1] in source:
                return str(source[match[1]])
        return match[0]

    return PLACEHOLDER.sub(value_of, text)


def expand_value(value: Any, *sources: Mapping[str, Any]) -> Any:
    """:func:`expand_text` for strings, and for the strings in lists and dictionaries; anything else is returned as it is."""
    if isinstance(value, str):
        return expand_text(value, *sources)
    if isinstance(value, list):
        return [expand_value(item, *sources) for item in value]
    if isinstance(value, Mapping):
        return {key: expand_value(item, *sources) for key, item in value.items()}
    return value


def _has_placeholder(value: Any) -> bool:
    if isinstance(value, str):
        return "<<<" in value
    return isinstance(value, list) and any(isinstance(item, str) and "<<<" in item for item in value)


def expand(env: Env, extra: Mapping[str, Any] | None = None) -> None:
    """Expands ``<<<KEY>>>`` in all values of ``env`` in place, from ``env`` itself and then from ``extra``.

    Raises:
        MetaError: a ``+KEY`` whose value is not a list.
    """
    for key, value in env.items():
        if isinstance(value, str):
            if key[:1] != "+":
                if "<<<" in value:
                    env[key] = expand_text(value, env, extra or {})
                continue
        elif not isinstance(value, list):
            if key[:1] != "+":
                continue
        elif not _has_placeholder(value):
            continue
        if key.startswith("+") and not isinstance(value, list):
            raise MetaError(
                f"the value of env key '{key}' is not a list",
                why=f"it is {value!r}; a key with '+' names a list that is put in front of the variable",
                hint=f"write it as a list: '{key}': [{value!r}]",
            )
        env[key] = expand_value(value, env, extra or {})


def unresolved_keys(env: Mapping[str, Any]) -> list[str]:
    """The keys whose value still holds a ``<<<KEY>>>``."""
    return [key for key, value in env.items() if _has_placeholder(value)]


def is_pattern(key: str) -> bool:
    """True if a key of a meta is a wildcard pattern."""
    return "*" in key or "?" in key


@dataclass(frozen=True, eq=False)
class KeySet:
    """Names and wildcard patterns of keys, made for many look-ups; get one from :func:`key_set`."""

    names: frozenset[str]
    patterns: re.Pattern[str] | None

    def by_name(self, key: str) -> bool:
        """True if the key is one of the names."""
        return key in self.names

    def by_pattern(self, key: str) -> bool:
        """True if the key fits one of the patterns."""
        return self.patterns is not None and self.patterns.match(key) is not None

    def __contains__(self, key: str) -> bool:
        return key in self.names or self.by_pattern(key)


@lru_cache(maxsize=4096)
def key_set(keys: tuple[str, ...]) -> KeySet:
    """The :class:`KeySet` of these names and patterns."""
    patterns = [translate(key) for key in keys if is_pattern(key)]
    compiled = re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None
    return KeySet(frozenset(key for key in keys if not is_pattern(key)), compiled)


def matching_keys(env: Mapping[str, Any], patterns: Iterable[str]) -> list[str]:
    """The keys of ``env`` that one of the names or wildcard patterns names, in the order of the patterns."""
    found: dict[str, None] = {}
    for pattern in patterns:
        if is_pattern(pattern):
            matches = key_set((pattern,)).by_pattern
            found.update((key, None) for key in env if matches(key))
        elif pattern in env:
            found[pattern] = None
    return list(found)


def take(env: Env, patterns: Iterable[str]) -> Env:
    """Removes the matching keys from ``env`` and returns them."""
    return {key: env.pop(key) for key in matching_keys(env, patterns)}


def exported(env: Mapping[str, Any], patterns: Iterable[str]) -> Env:
    """The part of ``env`` that leaves a run: keys named by ``new_env_keys``.

    ``<<<KEY>>>`` in a pattern names the key that the value of ``KEY`` spells.
    """
    names: list[str] = []
    for pattern in patterns:
        if "<<<" in pattern and pattern not in env:
            names += [str(env[key]) for key in PLACEHOLDER.findall(pattern) if key in env]
        else:
            names.append(pattern)
    return {key: env[key] for key in matching_keys(env, names)}
