# SPDX-License-Identifier: Apache-2.0
"""The page ``docs/fault-ledger.md``, made from the entries."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from ledger.book import Entry

PAGE = Path(__file__).parents[2] / "docs" / "fault-ledger.md"
_HEAD = """# Fault ledger

Kinds of damage that must never become a number: a damaged serial line, a wrong image, a stale cache, a false claim. Each row is an
experiment that runs in CI (`pytest tests/ledger`); the entries are data in `tests/ledger/entries`, and this page is generated from them by
`python tools/ledger_page.py`. To add a kind, add an entry and, if none fits, a function in `tests/ledger/experiments`.

Verdicts: *correct* means that the true figure comes out in spite of the fault, *refused* an error that says what happened and what to do,
*finding* that the audit reports it, *noted* that the run continues and says so.
"""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def ledger_page(rows: Sequence[Entry]) -> str:
    """Markdown: one table an area."""
    parts = [_HEAD, f"{len(rows)} entries.\n"]
    for area, members in groupby(rows, key=lambda e: e.area):
        parts += [f"## {area.replace('_', ' ').capitalize()}\n", "| kind | expected | source |", "|---|---|---|"]
        for entry in members:
            name = f" ({entry.expected['name']})" if "name" in entry.expected else ""
            parts.append(f"| {_cell(entry.kind)} | {entry.expected['verdict']}{name} | {_cell(entry.source)} |")
        parts.append("")
    return "\n".join(parts).rstrip("\n") + "\n"
