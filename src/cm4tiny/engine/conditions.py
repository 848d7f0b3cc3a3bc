"""When is a dependency enabled?

The four conditions of CM's script language, as upstream evaluates them: ``enable_if_env`` and ``skip_if_env`` join their keys by AND and
the values of one key by OR; ``*_any_env`` joins the keys by OR. A yes-word matches every truthy value. A false-word matches a falsy
value and, in the AND forms, a missing key as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

YES = frozenset({"yes", "on", "true", "1"})
NO = frozenset({"no", "off", "false", "0"})
FALSY = NO | {""}

CONDITION_KEYS = ("enable_if_env", "enable_if_any_env", "skip_if_env", "skip_if_any_env")


def as_values(raw: Any) -> list[str]:
    """The values of one condition key as lower-case words; a scalar counts as a list of one."""
    items = raw if isinstance(raw, (list, tuple)) else [raw]
    return [str(item).lower() for item in items]


def _value_matches(value: str, words: list[str], falsy_words: frozenset[str]) -> bool:
    if YES.intersection(words):
        return value not in FALSY
    if falsy_words.intersection(words):
        return value in FALSY
    return value in words


def all_match(condition: Mapping[str, Any], env: Mapping[str, Any]) -> bool:
    """True if every key of the condition matches (AND)."""
    for key, raw in condition.items():
        words = as_values(raw)
        if key in env:
            if not _value_matches(str(env[key]).lower().strip(), words, NO):
                return False
        elif not FALSY.intersection(words):
            return False
    return True


def any_match(condition: Mapping[str, Any], env: Mapping[str, Any]) -> bool:
    """True if at least one key of the condition is set and matches (OR)."""
    return any(key in env and _value_matches(str(env[key]).lower().strip(), as_values(raw), FALSY) for key, raw in condition.items())


def is_enabled(entry: Mapping[str, Any], env: Mapping[str, Any]) -> bool:
    """True if a dependency (or a conditional ``adr`` entry) takes part in a run with this environment."""
    if "enable_if_env" in entry and not all_match(entry["enable_if_env"] or {}, env):
        return False
    if "enable_if_any_env" in entry and not any_match(entry["enable_if_any_env"] or {}, env):
        return False
    if "skip_if_env" in entry and all_match(entry["skip_if_env"] or {}, env):
        return False
    return not ("skip_if_any_env" in entry and any_match(entry["skip_if_any_env"] or {}, env))


def keys_of(entry: Mapping[str, Any]) -> set[str]:
    """The environment keys that an entry's conditions look at."""
    return {key for name in CONDITION_KEYS for key in (entry.get(name) or {})}
