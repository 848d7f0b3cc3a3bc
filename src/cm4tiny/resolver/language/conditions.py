# SPDX-License-Identifier: Apache-2.0
"""When is a dependency enabled?

The four conditions of CM's script language, as upstream evaluates them: ``enable_if_env`` and ``skip_if_env`` join their keys by AND and
the values of one key by OR; ``*_any_env`` joins the keys by OR. A yes-word matches every truthy value. A false-word matches a falsy
value and, in the AND forms, a missing key as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cm4tiny.settings import NO as FALSY
from cm4tiny.settings import YES

NO = FALSY - {""}

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


def _all_form(key: str, raw: Any, env: Mapping[str, Any]) -> bool:
    words = as_values(raw)
    if key in env:
        return _value_matches(str(env[key]).lower().strip(), words, NO)
    return not FALSY.isdisjoint(words)


def _any_form(key: str, raw: Any, env: Mapping[str, Any]) -> bool:
    return key in env and _value_matches(str(env[key]).lower().strip(), as_values(raw), FALSY)


def all_match(condition: Mapping[str, Any], env: Mapping[str, Any]) -> bool:
    """True if every key of the condition matches (AND)."""
    return all(_all_form(key, raw, env) for key, raw in condition.items())


def any_match(condition: Mapping[str, Any], env: Mapping[str, Any]) -> bool:
    """True if at least one key of the condition is set and matches (OR)."""
    return any(_any_form(key, raw, env) for key, raw in condition.items())


def is_enabled(entry: Mapping[str, Any], env: Mapping[str, Any]) -> bool:
    """True if a dependency (or a conditional ``adr`` entry) takes part in a run with this environment."""
    if entry.get("skip_if_fake_run") and env.get("CM_TMP_FAKE_RUN", "") == "yes":
        return False
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


Unknown = Callable[[str], "Sequence[Mapping[str, Any]] | None"]
"""For a key: the environments that may come to hold instead (an empty sequence if nothing is known about them), None if the key stays."""


def outcomes(entry: Mapping[str, Any], env: Mapping[str, Any], unknown: Unknown) -> set[bool]:
    """What :func:`is_enabled` may say once the unknown keys are known; one element if that is certain."""
    if entry.get("skip_if_fake_run") and env.get("CM_TMP_FAKE_RUN", "") == "yes":
        return {False}
    can_be = {True}
    for name, form, joined_by_and, wanted in _FORMS:
        if name not in entry:
            continue
        answers = [_answers(form, key, raw, env, unknown(key)) for key, raw in (entry[name] or {}).items()]
        if joined_by_and:
            found = {True} if all(True in answer for answer in answers) else set()
            found |= {False} if any(False in answer for answer in answers) else set()
        else:
            found = {True} if any(True in answer for answer in answers) else set()
            found |= {False} if all(False in answer for answer in answers) else set()
        can_be = {before and (answer is wanted) for before in can_be for answer in found}
    return can_be


_FORMS = (
    ("enable_if_env", _all_form, True, True),
    ("enable_if_any_env", _any_form, False, True),
    ("skip_if_env", _all_form, True, False),
    ("skip_if_any_env", _any_form, False, False),
)


def _answers(form: Any, key: str, raw: Any, env: Mapping[str, Any], others: Sequence[Mapping[str, Any]] | None) -> set[bool]:
    now = form(key, raw, env)
    if others is None:
        return {now}
    return {now, *(form(key, raw, other) for other in others)} if others else {True, False}
