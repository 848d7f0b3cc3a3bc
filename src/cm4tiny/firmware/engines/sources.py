# SPDX-License-Identifier: Apache-2.0
"""The third-party sources of the engines, by name, at their pinned commits (``sources.yaml``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.errors import UsageError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.fetch import GitSource, Mirror, checkout
from cm4tiny.firmware.engines.catalogue import repositories

PREFIX = "CM_TINY_ENGINE_SRC_"
_HERE = Path(__file__).resolve().parent


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = load_table(_HERE / "sources.yaml", _HERE / "sources.schema.json")["repositories"]
    return rows


def source(name: str) -> GitSource:
    """A repository of the table by its short name; raises KeyError."""
    row = _table()[name]
    url = f"https://github.com/{row['repository']}.git"
    return GitSource(row["repository"], row["commit"], (url,), row["licence"], tuple(row["paths"]))


def engine_sources(engine: str, mirror: Mirror | None = None, events: EventStream = SILENT) -> dict[str, str]:
    """Checks out what an engine is built from.

    Returns:
        Environment: ``CM_TINY_ENGINE_SRC_<NAME>`` = folder, ``..._<NAME>_COMMIT`` = commit.

    Raises:
        UsageError: no such engine. AssetError: a repository is not available at its commit.
    """
    env = {}
    for name in repositories(engine):
        pinned = source(name)
        env[key_of(name)] = str(checkout(pinned, mirror=mirror, events=events))
        env[f"{key_of(name)}_COMMIT"] = pinned.commit
    return env


def key_of(name: str) -> str:
    """``CM_TINY_ENGINE_SRC_TFLITE_MICRO`` for ``tflite-micro``."""
    return PREFIX + re.sub(r"\W", "_", name).upper()


def read_sources(engine: str, env: Mapping[str, str]) -> tuple[dict[str, Path], dict[str, str]]:
    """Folders and commits of an engine's repositories, from what :func:`engine_sources` returned.

    Raises:
        UsageError: one is not set.
    """
    roots, commits = {}, {}
    for name in repositories(engine):
        folder = str(env.get(key_of(name), "")).strip()
        if not folder:
            raise UsageError(f"{key_of(name)} is not set", hint="run the step get,tiny,engine,src first")
        roots[name] = Path(folder)
        commits[name] = str(env.get(f"{key_of(name)}_COMMIT", "")).strip()
    return roots, commits
