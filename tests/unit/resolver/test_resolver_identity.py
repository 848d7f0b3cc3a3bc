# SPDX-License-Identifier: Apache-2.0
"""Identity of this project's cached steps lies in their metas: everything that decides a result is a tag of its cache entry, with a value.

Upstream's engine and MLCFlow look a result up by tags: those of the script, those that were typed, and ``extra_cache_tags_from_env``. A
key that is empty when they look adds no tag, so it would match the result for any value. The deciding inputs are read from the steps
themselves, so a new one without a tag fails here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

import cm4tiny
from cm4tiny.resolver.catalogue.repository import ScriptStore, own_repositories
from cm4tiny.resolver.language.environment import key_set
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.plan.fingerprint import content_of
from cm4tiny.resolver.plan.resolve import Request, pick
from cm4tiny.resolver.run import hooks

STORE = ScriptStore(own_repositories())
CACHED = [script for script in STORE.scripts if script.meta.get("cache")]
KEY = re.compile(r"\bCM_[A-Z0-9_]+\b")

NOT_DECIDING = {
    "CM_TINY_MIRROR": "where bytes come from that are pinned by digest or commit",
    "CM_TINY_JOBS": "how many at a time",
    "CM_TINY_MODEL_FILE": "its content decides: CM_TINY_MODEL_SHA256",
    "CM_TINY_COSTS_FILE": "its content decides: CM_TINY_COSTS_SHA256; made by the step tune if CM_TINY_TUNING says so",
    "CM_TINY_TUNE": "CM_TINY_TUNING says it in a word",
}
"""Keys that a cached step reads and that decide nothing, and why."""


def blocks(script: Script) -> Iterator[dict[str, Any]]:
    yield script.meta
    yield from script.variations.values()


def produced(script: Script) -> list[str]:
    """Keys that the step or its dependencies set: outputs, decided by what is tagged."""
    keys = list(script.meta.get("new_env_keys") or ())
    for dep in script.meta.get("deps") or ():
        below, _ = pick(STORE, Request(tags=dep["tags"]), quiet=True)
        keys += below.meta.get("new_env_keys") or ()
    return keys


def deciding(script: Script) -> set[str]:
    """Keys that the step's meta or code reads and that neither the step nor its dependencies set."""
    found: set[str] = set()
    for block in blocks(script):
        for name in ("default_env", "env", "const"):
            found |= set(block.get(name) or ())
        found |= set((block.get("input_mapping") or {}).values())
        for dep in block.get("deps") or ():
            found |= set(KEY.findall(str({key: value for key, value in dep.items() if key not in ("tags", "names")})))
    options = hooks.load(script, hooks.Place(script)).preprocess.options
    found |= {field.metadata["key"] for field in fields(options) if not field.metadata["key"].endswith("*")}
    outputs = key_set(tuple(produced(script)))
    declared = {key for block in blocks(script) for name in ("default_env", "env") for key in block.get(name) or ()}
    return {key for key in found if key in declared or key not in outputs} - set(NOT_DECIDING)


def tagged(script: Script) -> set[str]:
    return {row["env"] for row in script.meta.get("extra_cache_tags_from_env") or ()}


def test_there_are_cached_steps() -> None:
    assert {script.alias for script in CACHED} >= {"compile-mlperf-tiny-firmware", "get-tiny-toolchain", "get-mlperf-tiny-results"}


@pytest.mark.parametrize("script", CACHED, ids=lambda script: script.alias)
def test_every_deciding_input_of_a_cached_step_is_a_tag(script: Script) -> None:
    missing = deciding(script) - tagged(script)
    assert not missing, "add them to extra_cache_tags_from_env, or say in NOT_DECIDING why they decide nothing"


@pytest.mark.parametrize("script", CACHED, ids=lambda script: script.alias)
def test_every_tag_has_a_value_before_anything_runs(script: Script) -> None:
    """From the meta, or from the default variation of a group all members of which set it."""
    always = {key for name in ("default_env", "env") for key, value in (script.meta.get(name) or {}).items() if str(value).strip()}
    groups: dict[str, list[dict[str, Any]]] = {}
    for block in script.variations.values():
        groups.setdefault(str(block.get("group", "")), []).append(block)
    for name, members in groups.items():
        if name and any(block.get("default") for block in members):
            sets = [{*(block.get("env") or {}), *(block.get("default_env") or {})} for block in members if "alias" not in block]
            always |= set.intersection(*sets)
    assert tagged(script) <= always
    assert script.meta["env"]["CM_TINY_VERSION"] == cm4tiny.__version__


@pytest.mark.parametrize("script", CACHED, ids=lambda script: script.alias)
def test_no_tag_changes_while_the_step_runs(script: Script) -> None:
    """Upstream adds the tags again after the run: a key that a dependency changes would give the entry the tags of two results."""
    outputs = key_set(tuple(produced(script)))
    same = {"CM_TINY_MODEL"}  # the step get,mlperf,tiny,model hands back what it was asked for
    assert {key for key in tagged(script) if key in outputs} <= same


@pytest.mark.parametrize("script", CACHED, ids=lambda script: script.alias)
def test_prefixes_tell_the_tags_apart(script: Script) -> None:
    prefixes = [row["prefix"] for row in script.meta["extra_cache_tags_from_env"]]
    assert all(prefix.endswith("-") for prefix in prefixes)
    assert not [(a, b) for a in prefixes for b in prefixes if a != b and a.startswith(b)]


def test_what_decides_nothing_is_read_somewhere() -> None:
    assert set(NOT_DECIDING) <= {word for script in STORE.scripts for word in content_of(script.path).words}


@pytest.mark.parametrize("script", CACHED, ids=lambda script: script.alias)
def test_the_keys_of_the_options_count_as_words_of_the_script(script: Script) -> None:
    """They stand in the module that customize.py binds; the key of a result and what may run ahead are decided by words."""
    options = hooks.load(script, hooks.Place(script)).preprocess.options
    assert {field.metadata["key"].rstrip("*") for field in fields(options)} <= content_of(script.path).code_words
