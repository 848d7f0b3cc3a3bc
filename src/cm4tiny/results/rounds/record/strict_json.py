# SPDX-License-Identifier: Apache-2.0
"""Loads JSON as it is defined, ``results.json`` above all: no ``NaN``, no key twice, nothing after the end; what it breaks is recorded."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.fetch.lfs import pointer_note

MAX_BYTES = 32 << 20
MAX_CONTAINERS = 400_000
_MAX_NAMED = 8
"""Keys of one object that are named because they occur more than once."""


@dataclass(frozen=True)
class LoadedJson:
    """A ``results.json``.

    Attributes:
        entries: the list in the file; empty if it cannot be read as one.
        problem: why it cannot be read, else empty.
        faults: what is wrong although it can be read: keys that occur twice, numbers that are none.
    """

    entries: list[Any]
    problem: str = ""
    faults: tuple[str, ...] = ()


class _Hooks:
    def __init__(self) -> None:
        self.faults: dict[str, None] = {}

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            for key, count in Counter(key for key, _ in pairs).most_common(_MAX_NAMED):
                if count > 1:
                    self.faults[f"the key {key[:80]!r} occurs {count} times in one object"] = None
        return found

    def constant(self, text: str) -> float:
        self.faults[f"{text} is not a JSON number"] = None
        return math.nan


def load_json(path: Path) -> LoadedJson:
    """Loads the list of a ``results.json``. No content makes it fail.

    Raises:
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        return LoadedJson([], f"results.json of {size} bytes, at most {MAX_BYTES} are read")
    value, problem, faults = loads_strictly(path.read_bytes(), "results.json")
    if problem:
        return LoadedJson([], problem)
    if not isinstance(value, list):
        return LoadedJson([], "results.json is not a list")
    return LoadedJson(value, faults=faults)


def loads_strictly(data: bytes, name: str) -> tuple[Any, str, tuple[str, ...]]:
    """The JSON value in ``data``, why it cannot be read (else empty), and what is wrong although it can be read. No content makes it fail.

    Args:
        name: of the file, for the texts.
    """
    if note := pointer_note(data):
        return None, f"{name}: {note}", ()
    if data.count(b"[") + data.count(b"{") > MAX_CONTAINERS:
        return None, f"{name} with more than {MAX_CONTAINERS} lists and objects", ()
    hooks = _Hooks()
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=hooks.pairs, parse_constant=hooks.constant)
    except UnicodeDecodeError:
        return None, f"{name} is not encoded in UTF-8", ()
    except (ValueError, RecursionError):
        return None, f"{name} is not JSON", ()
    return value, "", tuple(hooks.faults)
