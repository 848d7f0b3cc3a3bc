# SPDX-License-Identifier: Apache-2.0
"""This project's own steps: each name under which the documentation and the hints of errors speak of one means exactly that one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cm4tiny.resolver.catalogue.repository import ScriptStore, own_repositories
from cm4tiny.resolver.catalogue.selection import select
from cm4tiny.resolver.language.query import ScriptQuery

ROOT = Path(__file__).parents[3]
VERBS = "get|build|run|collect|tune|profile|flash|view|replay|import|generate|check|reproduce"
TYPED = re.compile(r"--tags=([A-Za-z0-9_.,-]+)")
NAMED = re.compile(rf"(?:\bstep |`)((?:{VERBS})(?:,[A-Za-z0-9_.-]+)+)")


@pytest.fixture(scope="module")
def store() -> ScriptStore:
    return ScriptStore(own_repositories())


def names() -> list[str]:
    """Tags of own steps as the documentation and the code write them."""
    files = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "cm-repo").rglob("*.md"), *(ROOT / "src").rglob("*.py")]
    found: set[str] = set()
    for file in files:
        text = file.read_text(encoding="utf-8")
        found.update(name for pattern in (TYPED, NAMED) for name in pattern.findall(text))
    return sorted(name.rstrip("_").strip(".,") for name in found)


def test_every_name_of_an_own_step_means_one_step(store: ScriptStore) -> None:
    tags = {tag for script in store.scripts for tag in script.tags}
    meant = {}
    for name in names():
        words = [word for word in name.split(",") if word[:1] not in "_-"]
        if {"tiny", "cm4tiny"} & set(words) and set(words) <= tags:
            meant[name] = select(store, ScriptQuery.parse(name)).alias
    assert len(meant) > 40
    assert meant["run,mlperf,tiny"] == "run-mlperf-tiny"
    assert meant["reproduce,mlperf,tiny"] == "reproduce-mlperf-tiny"


def test_the_words_of_an_alias_mean_that_step(store: ScriptStore) -> None:
    """``run-mlperf-tiny`` is ``run,mlperf,tiny``, whatever other steps have these tags."""
    wrong = {}
    for script in store.scripts:
        words = script.alias.split("-")
        if set(words) <= script.tags:
            found = select(store, ScriptQuery.parse(",".join(words))).alias
            if found != script.alias:
                wrong[script.alias] = found
    assert wrong == {}
