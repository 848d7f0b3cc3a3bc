# SPDX-License-Identifier: Apache-2.0
"""``cm check cache``: compares the digest of every stored file with what is there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cm4tiny.errors import CacheError
from cm4tiny.resolver.adapter.cache_actions import search_cache
from cm4tiny.resolver.store.cache import ENGINE_TAG, STATE, Cache


def check_cache(automation: Any, i: dict[str, Any]) -> dict[str, Any]:
    """Checks the entries with these tags; entries of upstream's engine have no digests and are skipped.

    Returns:
        ``{'return': 0, 'checked': n}``, or an error that names each damaged entry.
    """
    answer = search_cache(automation, {**i, "out": None})
    if answer["return"] > 0:
        return answer
    console = i.get("out") == "con"
    damaged, checked = [], 0
    for artifact in answer["list"]:
        folder = Path(artifact.path)
        if ENGINE_TAG not in (artifact.meta.get("tags") or ()):
            continue
        checked += 1
        problem = Cache(folder.parent, folder.parent).check(folder) or _unreadable(folder / STATE)
        if problem:
            damaged.append(f"{folder.name}: {problem}")
        if console:
            sys.stdout.write(f"{'damaged' if problem else 'good   '}  {folder}\n")
    if damaged:
        error = CacheError(
            f"{len(damaged)} of {checked} cache entries are damaged",
            why="\n       ".join(damaged),
            hint="run their scripts with --new, or remove the entries:\ncm rm cache --tags=TAGS",
        )
        return {**error.as_cm(), "checked": checked, "damaged": damaged}
    return {"return": 0, "checked": checked, "damaged": []}


def _unreadable(file: Path) -> str:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"{file.name} cannot be read: {error}"
    return ""
