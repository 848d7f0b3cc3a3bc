# SPDX-License-Identifier: Apache-2.0
"""Guards the tables of published results: each round's rows have a digest in ``published_digests.json``, checked when a table is loaded.

A table that was changed on purpose (a new round, a correction) gets new digests by ``python tools/published_digests.py``; the change of the
digest then stands next to that of the table in the same commit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cm4tiny.errors import ResultsError

DIGESTS = "published_digests.json"
TABLES = ("published.csv", "published_systems.csv")
_ROUND = re.compile(r"tiny_results_(v[0-9.]+)/")
_CELL, _ROW = "\x1f", "\x1e"
_HINT = "restore the table from the repository; after a change on purpose run, in the repository:\npython tools/published_digests.py"

Digests = dict[str, dict[str, Any]]


def round_digests(rows: Sequence[Mapping[str, str]]) -> Digests:
    """Round -> number of its rows and sha256 over the columns' names and the rows' cells, in the table's order."""
    texts: dict[str, list[str]] = {}
    for row in rows:
        found = _ROUND.match(row.get("source") or "")
        cells = _CELL.join(f"{name}={cell}" for name, cell in row.items())
        texts.setdefault(found[1] if found else "", []).append(cells)
    return {name: {"rows": len(lines), "sha256": hashlib.sha256(_ROW.join(lines).encode()).hexdigest()} for name, lines in texts.items()}


def check_digests(table: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Compares the rows of a packaged table with the digests next to it; a table elsewhere has none and is not checked.

    Raises:
        ResultsError: a round's rows differ, a round is missing or one too many, or the digests cannot be read.
    """
    path = table.parent / DIGESTS
    if table.name not in TABLES or not path.is_file():
        return
    try:
        expected: Any = json.loads(path.read_text(encoding="utf-8"))[table.name]
        wanted = {str(name): (int(entry["rows"]), str(entry["sha256"])) for name, entry in expected.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultsError(f"{path} holds no digests of {table.name}", why=f"{type(error).__name__}: {error}", hint=_HINT) from error
    found = {name: (entry["rows"], entry["sha256"]) for name, entry in round_digests(rows).items()}
    different = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    if different:
        counts = [f"{name or 'no round'}: {found.get(name, (0,))[0]} rows, expected {wanted.get(name, (0,))[0]}" for name in different]
        raise ResultsError(
            f"{table.name} is not the table of published results that belongs to this version",
            why=f"the digest of these rounds differs ({'; '.join(counts)})",
            hint=_HINT,
        )
