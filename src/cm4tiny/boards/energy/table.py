# SPDX-License-Identifier: Apache-2.0
"""The table of constants, ``current.yaml``, checked at load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cm4tiny.benchmarks.tables import load_table

_FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class ClockEnable:
    """A clock enable: which bit of which register, and what it clocks. ``kind`` is ``"bus"``, ``"kernel"`` or ``"timer"``."""

    register: int
    bit: int
    name: str
    kind: str
    divider: str


@dataclass(frozen=True)
class Limit:
    """What a voltage range allows: the fastest HCLK, and the fastest one by wait states, in MHz."""

    max_mhz: float
    wait_states: Mapping[int, float]


@dataclass(frozen=True)
class CurrentTable:
    """The constants of the model by name, what polling saves by the bus's divider (uA/MHz), limits by range, and the clock enables."""

    constants: Mapping[str, float]
    polling_less: Mapping[int, float]
    limits: Mapping[str, Limit]
    blocks: tuple[ClockEnable, ...]

    def __getitem__(self, name: str) -> float:
        return self.constants[name]


@lru_cache(maxsize=1)
def current_table() -> CurrentTable:
    """The table.

    Raises:
        AssetError: it is damaged.
    """
    table = load_table(_FOLDER / "current.yaml", _FOLDER / "current.schema.json")
    blocks = tuple(
        ClockEnable(row["register"], bit, name, kind, row.get("divider", ""))
        for row in table["blocks"]
        for kind in ("bus", "kernel", "timer")
        for bit, name in row.get(kind, {}).items()
    )
    limits = {name: Limit(row["max_mhz"], row["wait_states"]) for name, row in table["limits"].items()}
    constants = {name: float(row["value"]) for name, row in table["constants"].items()}
    return CurrentTable(constants, table["polling"]["less_ua_per_mhz"], limits, blocks)
