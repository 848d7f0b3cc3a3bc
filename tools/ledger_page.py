# SPDX-License-Identifier: Apache-2.0
"""Writes docs/fault-ledger.md from the entries of tests/ledger: ``python tools/ledger_page.py``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from ledger.book import entries
from ledger.page import PAGE, ledger_page

if __name__ == "__main__":
    PAGE.write_text(ledger_page(entries()), encoding="utf-8")
