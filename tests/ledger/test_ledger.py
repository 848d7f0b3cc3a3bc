# SPDX-License-Identifier: Apache-2.0
"""Runs every entry of the fault ledger."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ledger.book import Entry, entries
from ledger.page import PAGE, ledger_page


@pytest.mark.parametrize("entry", entries(), ids=lambda e: f"{e.area}-{e.id}")
def test_a_known_kind_of_fault_never_becomes_a_number(entry: Entry, tmp_path: Path) -> None:
    outcome = entry.run()(entry.inputs, tmp_path)
    assert outcome.verdict == entry.expected["verdict"], f"{outcome.name}: {outcome.text}"
    assert outcome.name == entry.expected.get("name", outcome.name), outcome.text
    missing = [text for text in entry.expected.get("says", []) if text not in outcome.text]
    assert not missing, f"not said: {missing} in {outcome.text}"


def test_every_id_is_used_once() -> None:
    assert [name for name, n in Counter(e.id for e in entries()).items() if n > 1] == []


def test_the_page_is_that_of_the_entries() -> None:
    assert PAGE.read_text(encoding="utf-8") == ledger_page(entries()), "run: python tools/ledger_page.py"
