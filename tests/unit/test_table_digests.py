# SPDX-License-Identifier: Apache-2.0
"""No value of a table changes unseen.

Most values come from outside (rounds, manuals, other repositories' commits and digests) or were measured; in a plain checkout nothing else
says them a second time. Who changes one compares it with its source or measures again; the digest then changes in the same commit.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "table_digests.py"))
FOUND: dict[str, str] = TOOL["digests"]()
WRITTEN: dict[str, str] = json.loads(TOOL["FILE"].read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted({*FOUND, *WRITTEN}))
def test_a_table_changes_only_on_purpose(name: str) -> None:
    assert FOUND.get(name) == WRITTEN.get(name), f"compare {name} with its source, or measure it again; then: python tools/table_digests.py"


def test_most_tables_are_seen() -> None:
    assert len(WRITTEN) > 40 and {
        "runner/rules.yaml",
        "boards/virtual/silicon.yaml",
        "results/published.csv",
        "pages/energies.yaml",
    } <= set(WRITTEN)
