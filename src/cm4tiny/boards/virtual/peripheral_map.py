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

ENABLE_OFFSETS = {"AHB1ENR": 0x48, "AHB2ENR": 0x4C, "AHB3ENR": 0x50, "APB1ENR1": 0x58, "APB1ENR2": 0x5C, "APB2ENR": 0x60}
"""RM0432 section 6.4: registers of RCC that clock peripherals."""
_FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Region:
    """A peripheral's addresses: from ``base``, ``size`` bytes; the register and bit of RCC that clock it, if any."""

    base: int
    size: int
    name: str
    enable: str = ""
    enable_bit: int = 0

    @property
    def enable_offset(self) -> int:
        """Of the enable register in RCC; 0 if the peripheral is always clocked."""
        return ENABLE_OFFSETS.get(self.enable, 0)


@lru_cache(maxsize=1)
def regions() -> tuple[Region, ...]:
    """All peripherals, by address; the table is checked against its schema and for overlaps."""
    table = load_table(_FOLDER / "peripheral_map.yaml", _FOLDER / "peripheral_map.schema.json")
    rows = (Region(row["base"], row["size"], row["name"], *row.get("clock", ())) for row in table["peripherals"])
    found = sorted(rows, key=lambda region: region.base)
    for first, second in itertools.pairwise(found):
        if first.base + first.size > second.base:
            raise AssetError(f"{first.name} and {second.name} overlap in peripheral_map.yaml", hint="restore the table from the repository")
    return tuple(found)


def region_at(address: int) -> Region | None:
    """The peripheral around an address."""
    index = bisect.bisect_right(regions(), address, key=lambda region: region.base) - 1
    region = regions()[index] if index >= 0 else None
    return region if region is not None and address < region.base + region.size else None


def register_name(address: int) -> str:
    """``"I2C1+0x18"``, or ``"a reserved address"``."""
    region = region_at(address)
    return f"{region.name}+0x{address - region.base:02x}" if region else "a reserved address"


def enable_name(address: int) -> str:
    """``"RCC_APB1ENR1 bit 21"``: what clocks the peripheral at an address; empty if nothing does."""
    region = region_at(address)
    return f"RCC_{region.enable} bit {region.enable_bit}" if region and region.enable else ""
