# SPDX-License-Identifier: Apache-2.0
"""Values do not change: a dataclass is frozen, so that it can be shared, compared and be a key; those that hold state are named here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "cm4tiny"
WITH_STATE = {
    "Acquisition",
    "Cache",
    "DutStatistics",
    "EembcLog",
    "Fetcher",
    "FinishedRun",
    "Forecast",
    "Frame",
    "LineFile",
    "Locking",
    "LogRecord",
    "MlcJson",
    "MlcLog",
    "Part",
    "PlanCache",
    "Planner",
    "QueuedJob",
    "Request",
    "Resolved",
    "RunProgress",
    "RunResult",
    "ScriptStore",
    "Session",
    "Stored",
    "Unknown",
    "Variable",
    "VariationGroup",
    "VerbResult",
    "_Entry",
    "_Folder",
    "_Frame",
    "_Parts",
    "_Scan",
    "_Walk",
}


def dataclasses_of(text: str) -> Iterator[tuple[str, bool]]:
    """Name of each dataclass, and whether it is frozen."""
    for node in ast.walk(ast.parse(text)):
        for decorator in node.decorator_list if isinstance(node, ast.ClassDef) else ():
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if ast.unparse(called).split(".")[-1] == "dataclass":
                words = decorator.keywords if isinstance(decorator, ast.Call) else []
                yield node.name, any(word.arg == "frozen" and ast.unparse(word.value) == "True" for word in words)


def test_dataclasses_are_frozen_but_those_that_hold_state() -> None:
    texts = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    found = [pair for text in texts if "@dataclass" in text for pair in dataclasses_of(text)]
    assert len(found) > 300
    assert {name for name, frozen in found if not frozen} - WITH_STATE == set(), "freeze it, or name it above if it holds state"


@pytest.mark.parametrize(
    ("head", "frozen"),
    [
        ("@dataclass", False),
        ("@dataclass(frozen=True)", True),
        ("@dataclass(frozen=False)", False),
        ("@dataclasses.dataclass(slots=True)", False),
    ],
)
def test_every_spelling_is_seen(head: str, frozen: bool) -> None:
    assert list(dataclasses_of(f"{head}\nclass A:\n    x: int\n")) == [("A", frozen)]
