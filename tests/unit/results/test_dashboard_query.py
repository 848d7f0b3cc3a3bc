# SPDX-License-Identifier: Apache-2.0
"""Filtering and the Pareto front in Python, the oracle of the site's own."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm4tiny.errors import UsageError
from cm4tiny.results.dashboard import Constraint, Query, pareto, select
from cm4tiny.results.derived import Value

Row = dict[str, Value]
ROWS: list[Row] = [
    {"benchmark": "kws", "round": "v1.1", "submitter": "Alpha Labs", "t": 10.0, "e": 5.0},
    {"benchmark": "kws", "round": "v1.2", "submitter": "Beta", "t": 20.0, "e": 9.0},
    {"benchmark": "kws", "round": "v1.2", "submitter": "alphabet", "t": 5.0, "e": 6.0},
    {"benchmark": "ic", "round": "v1.2", "submitter": "Beta", "t": 1.0, "e": 99.0},
    {"benchmark": "kws", "round": "", "t": 30.0},
]


def places(rows: list[Row]) -> list[int]:
    return [next(i for i, other in enumerate(ROWS) if other is row) for row in rows]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), [0, 1, 2, 3, 4]),
        (Query({"round": frozenset({"v1.2"})}), [1, 2, 3]),
        (Query({"round": frozenset({"v1.2", ""}), "benchmark": frozenset({"kws"})}), [1, 2, 4]),
        (Query({"round": frozenset()}), [0, 1, 2, 3, 4]),
        (Query(search="ALPHA"), [0, 2]),
        (Query(search=" alpha labs "), [0]),
        (Query(constraints=(Constraint("t", ">=", 10.0),)), [0, 1, 4]),
        (Query(constraints=(Constraint("t", ">=", 10.0), Constraint("e", "<=", 5.0))), [0]),
        (Query(constraints=(Constraint("absent", "<=", 5.0),)), []),
    ],
)
def test_selecting(query: Query, expected: list[int]) -> None:
    assert places(select(ROWS, query)) == expected  # type: ignore[arg-type]


def test_the_front_is_taken_within_each_benchmark() -> None:
    assert places(pareto(ROWS, [("t", "more"), ("e", "less")])) == [0, 1, 3]  # type: ignore[arg-type]
    assert places(pareto(ROWS, [("t", "more")])) == [3, 4]  # type: ignore[arg-type]


def test_equal_results_stay_together() -> None:
    equals: list[Row] = [{"benchmark": "kws", "t": 1.0}, {"benchmark": "kws", "t": 1.0}]
    assert len(pareto(equals, [("t", "less")])) == 2


def test_an_objective_needs_a_better_side() -> None:
    with pytest.raises(UsageError, match="'clock' cannot be an objective"):
        pareto(ROWS, [("clock", "")])


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), max_size=40))
def test_the_front_is_exactly_what_nothing_beats(points: list[tuple[int, int, int]]) -> None:
    rows: list[Row] = [{"benchmark": "kws", "a": float(a), "b": float(b), "c": float(c)} for a, b, c in points]

    def beats(p: Row, q: Row) -> bool:
        costs = [(p["a"], q["a"]), (p["b"], q["b"]), (q["c"], p["c"])]
        return all(x <= y for x, y in costs) and any(x < y for x, y in costs)  # type: ignore[operator]

    expected = [row for row in rows if not any(beats(other, row) for other in rows)]
    assert pareto(rows, [("a", "less"), ("b", "less"), ("c", "more")]) == expected


def test_a_front_of_many_results_is_found_in_reasonable_time() -> None:
    chance = random.Random(1)
    rows: list[Row] = [{"benchmark": "kws", "a": chance.random(), "b": chance.random(), "c": chance.random()} for _ in range(10_000)]
    assert 10 < len(pareto(rows, [("a", "less"), ("b", "less"), ("c", "less")])) < 500
