# SPDX-License-Identifier: Apache-2.0
"""Files of slow tests begin first, and tests that take long are named."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from support.durations import SLOWEST_FIRST, TESTS, slowest_first, unmarked


def report(name: str, duration: float, *keywords: str, when: str = "call") -> Any:
    return SimpleNamespace(nodeid=name, duration=duration, keywords=dict.fromkeys(keywords, 1), when=when)


def test_the_files_that_begin_first_are_there() -> None:
    assert [name for name in SLOWEST_FIRST if not (TESTS / name).is_file()] == []
    assert len(set(SLOWEST_FIRST)) == len(SLOWEST_FIRST)


def test_they_begin_first_and_the_order_is_kept() -> None:
    names = ["unit/test_a.py", SLOWEST_FIRST[1], "unit/test_b.py", SLOWEST_FIRST[0], SLOWEST_FIRST[1]]
    items: list[Any] = [SimpleNamespace(path=TESTS / name, number=i) for i, name in enumerate(names)]
    slowest_first(items)
    assert [item.number for item in items] == [3, 1, 4, 0, 2]


def test_what_takes_long_is_named_unless_it_is_marked() -> None:
    reports = [
        report("quick", 9.9),
        report("slow", 10.1),
        report("marked", 99, "long"),
        report("slower", 20),
        report("build", 30, when="setup"),
    ]
    assert unmarked(reports) == ["   20.0 s slower", "   10.1 s slow"]
