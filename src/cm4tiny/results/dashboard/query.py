# SPDX-License-Identifier: Apache-2.0
"""Selecting results and finding the Pareto front: the rules that the site's ``query.js`` follows too.

The site computes in the browser; tests compare its numbers with these functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cm4tiny.errors import UsageError
from cm4tiny.results.derived import Value

Row = Mapping[str, Value]
SEARCHED = ("submitter", "system", "variant", "board", "soc", "core", "processor", "accelerator", "framework_family", "framework")


@dataclass(frozen=True)
class Constraint:
    """``column`` must be at least (``>=``) or at most (``<=``) ``value``; a result without that figure does not meet it."""

    column: str
    sense: str
    value: float

    def met_by(self, row: Row) -> bool:
        """Whether a row meets it."""
        figure = row.get(self.column)
        if not isinstance(figure, float):
            return False
        return figure >= self.value if self.sense == ">=" else figure <= self.value


@dataclass(frozen=True)
class Query:
    """What is asked for.

    Attributes:
        choices: column -> the texts of which a row must have one; a column that is absent or empty chooses nothing out.
        search: words that must all occur in the texts of ``SEARCHED``, whatever their case.
        constraints: all must be met.
    """

    choices: Mapping[str, frozenset[str]] = field(default_factory=dict)
    search: str = ""
    constraints: tuple[Constraint, ...] = ()


def select(rows: Iterable[Row], query: Query) -> list[Row]:
    """The rows that the query asks for, in their order."""
    words = query.search.lower().split()
    return [
        row
        for row in rows
        if all(not chosen or (row.get(column) or "") in chosen for column, chosen in query.choices.items())
        and (not words or _holds(row, words))
        and all(constraint.met_by(row) for constraint in query.constraints)
    ]


def _holds(row: Row, words: list[str]) -> bool:
    text = " ".join(str(row.get(column) or "") for column in SEARCHED).lower()
    return all(word in text for word in words)


def judged(rows: Iterable[Row]) -> list[Row]:
    """The rows that do not miss the quality target: those that may be on the front unless the page is set otherwise."""
    return [row for row in rows if row.get("quality_target_met") != "no"]


def pareto(rows: Iterable[Row], objectives: Sequence[tuple[str, str]]) -> list[Row]:
    """The rows that no row of the same benchmark beats: none is as good in every objective and better in one.

    Args:
        objectives: column and ``more`` or ``less``. Rows that lack one of the figures are left out; equal rows stay together.

    Raises:
        UsageError: an objective has no better side.
    """
    for column, better in objectives:
        if better not in ("more", "less"):
            raise UsageError(f"'{column}' cannot be an objective", why="it has no better side", hint="choose a figure that has one")
    groups: dict[str, list[tuple[tuple[float, ...], int]]] = {}
    listed = list(rows)
    for index, row in enumerate(listed):
        costs = tuple(_cost(row.get(column), better) for column, better in objectives)
        if None not in costs:
            groups.setdefault(str(row.get("benchmark")), []).append((costs, index))  # type: ignore[arg-type]
    kept = {index for group in groups.values() for index in _front(group)}
    return [row for index, row in enumerate(listed) if index in kept]


def _cost(value: Value, better: str) -> float | None:
    if not isinstance(value, float):
        return None
    return value if better == "less" else -value


def _front(points: list[tuple[tuple[float, ...], int]]) -> list[int]:
    """Indices of the points that are not dominated. In order of cost a point can only be beaten by one before it."""
    front: list[tuple[tuple[float, ...], int]] = []
    for costs, index in sorted(points):
        if not any(other != costs and all(a <= b for a, b in zip(other, costs, strict=True)) for other, _ in front):
            front.append((costs, index))
    return [index for _, index in front]
