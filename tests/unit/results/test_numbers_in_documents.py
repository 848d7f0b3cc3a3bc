"""Counts that README and documents print are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.mutations import MUTATIONS

from cm4tiny.results.audit import RULES

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("page", "pattern", "count"),
    [
        ("README.md", r"checks (\d+)\s+rules", len(RULES)),
        ("docs/audit-rules.md", r"^(\d+) rules\.", len(RULES)),
        ("docs/audit.md", r"broken submissions: (\d+) ways", len(MUTATIONS)),
        ("docs/audit.md", r"over all (\d+) ways", len(MUTATIONS)),
    ],
)
def test_a_count_is_the_codes(page: str, pattern: str, count: int) -> None:
    found = re.findall(pattern, (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert found == [str(count)], f"{page}: {pattern}"
