# SPDX-License-Identifier: Apache-2.0
"""Writes ``src/cm4tiny/results/published_digests.json``; run it after a change of a table of published results on purpose."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from cm4tiny.results.published_digests import DIGESTS, TABLES, round_digests

FOLDER = Path(__file__).resolve().parents[1] / "src" / "cm4tiny" / "results"


def text() -> str:
    """The file's content."""
    found = {}
    for name in TABLES:
        with (FOLDER / name).open(newline="", encoding="utf-8") as file:
            found[name] = round_digests(list(csv.DictReader(file)))
    return json.dumps(found, indent=1) + "\n"


if __name__ == "__main__":
    (FOLDER / DIGESTS).write_text(text(), encoding="utf-8")
