# SPDX-License-Identifier: Apache-2.0
"""The rounds and the layouts as tables: ``rounds.yaml`` and ``layouts.yaml``, checked against their schemas at load."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cm4tiny.benchmarks import ALL_BENCHMARKS, Benchmark
from cm4tiny.benchmarks.tables import load_table
from cm4tiny.errors import UsageError, nearest
from cm4tiny.results.rounds.model import Round

_HERE = Path(__file__).resolve().parent


def load_rounds(path: Path = _HERE / "rounds.yaml") -> Mapping[str, Round]:
    """The rounds by id, oldest first.

    Raises:
        AssetError: the table is missing or breaks its schema.
    """
    table = load_table(path, _HERE / "rounds.schema.json")
    return MappingProxyType({key: _round(key, row) for key, row in table["rounds"].items()})


def _round(key: str, row: dict[str, Any]) -> Round:
    return Round(
        id=key,
        repository=row["repository"],
        commit=row["commit"],
        benchmarks=tuple(row["label_lists"]),
        label_lists={benchmark: tuple(lists) for benchmark, lists in row["label_lists"].items()},
        runners=tuple(row["runners"]),
        large_files=frozenset(row["large_files"]),
    )


@cache
def layouts() -> Mapping[str, Any]:
    """``layouts.yaml``.

    Raises:
        AssetError: the table is missing or breaks its schema.
    """
    return MappingProxyType(load_table(_HERE / "layouts.yaml", _HERE / "layouts.schema.json"))


ROUNDS: Mapping[str, Round] = load_rounds()


def get_round(round_id: str) -> Round:
    """The round of that id (``v1.3``; ``1.3`` is understood).

    Raises:
        UsageError: there is none.
    """
    known = round_id if round_id.startswith("v") else f"v{round_id}"
    if known in ROUNDS:
        return ROUNDS[known]
    choices = ", ".join(ROUNDS)
    raise UsageError(
        f"there is no round {round_id!r}", why=f"the rounds are {choices}", hint=nearest(known, ROUNDS) or f"use one of {choices}"
    )


def benchmark_facts(folder: str) -> Benchmark | None:
    """The benchmark whose results lie in ``folder`` (``ic2`` holds those of ``ic02``, see ``layouts.yaml``); None for any other name."""
    names = (folder, *layouts()["benchmarks"].get(folder, ()))
    return next((ALL_BENCHMARKS[name] for name in names if name in ALL_BENCHMARKS), None)


def judged_as(folder: str) -> str:
    """The benchmark whose label lists the results in ``folder`` are judged on: ``ic`` for ``ic2``, else the folder's own name."""
    row = benchmark_facts(folder)
    return next((key for key, other in ALL_BENCHMARKS.items() if row is not None and other.data_set == row.data_set), folder)
