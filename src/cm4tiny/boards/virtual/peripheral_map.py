# SPDX-License-Identifier: Apache-2.0
"""Names of the chip's peripherals by address, for messages about what is not modelled. The table is ``peripheral_map.yaml``."""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.errors import AssetError

_FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Region:
    """A peripheral's addresses: from ``base``, ``size`` bytes."""

    base: int
    size: int
    name: str


@lru_cache(maxsize=1)
def regions() -> tuple[Region, ...]:
    """All peripherals, by address; the table is checked against its schema and for overlaps."""
    table = load_table(_FOLDER / "peripheral_map.yaml", _FOLDER / "peripheral_map.schema.json")
    found = sorted((Region(row["base"], row["size"], row["name"]) for row in table["peripherals"]), key=lambda region: region.base)
    for first, second in itertools.pairwise(found):
        if first.base + first.size > second.base:
            raise AssetError(f"{first.name} and {second.name} overlap in peripheral_map.yaml", cure="restore the table from the repository")
    return tuple(found)


def register_name(address: int) -> str:
    """``"I2C1+0x18"``, or ``"a reserved address"``."""
    index = bisect.bisect_right(regions(), address, key=lambda region: region.base) - 1
    if index >= 0:
        region = regions()[index]
        if address < region.base + region.size:
            return f"{region.name}+0x{address - region.base:02x}"
    return "a reserved address"
