# SPDX-License-Identifier: Apache-2.0
"""Loads ``results.json`` as JSON is defined: no ``NaN``, no key twice, nothing after the end; what it breaks is recorded."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.fetch.lfs import pointer_note

MAX_BYTES = 32 << 20
MAX_CONTAINERS = 400_000


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
            keys = [key for key, _ in pairs]
            for key in dict.fromkeys(keys):
                if keys.count(key) > 1:
                    self.faults[f"the key {key!r} occurs {keys.count(key)} times in one object"] = None
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
    data = path.read_bytes()
    if note := pointer_note(data):
        return LoadedJson([], f"results.json: {note}")
    if data.count(b"[") + data.count(b"{") > MAX_CONTAINERS:
        return LoadedJson([], f"results.json with more than {MAX_CONTAINERS} lists and objects")
    hooks = _Hooks()
    try:
        entries = json.loads(data.decode("utf-8"), object_pairs_hook=hooks.pairs, parse_constant=hooks.constant)
    except UnicodeDecodeError:
        return LoadedJson([], "results.json is not encoded in UTF-8")
    except (ValueError, RecursionError):
        return LoadedJson([], "results.json is not JSON")
    if not isinstance(entries, list):
        return LoadedJson([], "results.json is not a list")
    return LoadedJson(entries, faults=tuple(hooks.faults))
