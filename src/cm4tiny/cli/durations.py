# SPDX-License-Identifier: Apache-2.0
"""What parts of runs took on this machine, so that the next run can say from its start how long it takes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from cm4tiny.cli.forecast import DONE, Part
from cm4tiny.errors import Cm4TinyError
from cm4tiny.files import write_atomically
from cm4tiny.paths import user_cache

FILE = "durations.json"
_KEPT = 500
_LONGEST_S = 86400.0


def _file() -> Path:
    return user_cache() / FILE


def _read() -> dict[str, float]:
    try:
        raw = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, Cm4TinyError):
        return {}
    if not isinstance(raw, dict):
        return {}
    return {str(key): float(value) for key, value in raw.items() if isinstance(value, (int, float)) and 0 < value < _LONGEST_S}


def learned(context: str) -> dict[str, float]:
    """Seconds by the key of a part, from earlier runs of the same kind; ``context`` names the kind: engine, board, memory."""
    prefix = f"{context}|"
    return {key.removeprefix(prefix): seconds for key, seconds in _read().items() if key.startswith(prefix)}


def learn(context: str, parts: Iterable[Part]) -> None:
    """Keeps what the parts took: the mean of the last time and those before. A file that cannot be written is not an error."""
    known: Mapping[str, float] = _read()
    new = dict(known)
    for part in parts:
        if part.state == DONE and part.took_s > 0.2:
            key = f"{context}|{part.key}"
            new.pop(key, None)
            new[key] = round((part.took_s + known.get(key, part.took_s)) / 2, 2)
    with contextlib.suppress(OSError, Cm4TinyError):
        _file().parent.mkdir(parents=True, exist_ok=True)
        write_atomically(_file(), json.dumps(dict(list(new.items())[-_KEPT:]), indent=1) + "\n")
