# SPDX-License-Identifier: Apache-2.0
"""Names of a chip's peripherals by address, for messages. The table is the chip's description (:mod:`cm4tiny.boards.chips`)."""

from __future__ import annotations

import bisect

from cm4tiny.boards.boards import default_board
from cm4tiny.boards.chips import ChipDescription, Peripheral


def regions(chip: ChipDescription | None = None) -> tuple[Peripheral, ...]:
    """All peripherals of a chip (None: the default board's), by address."""
    return (chip or default_board().chip).peripherals


def region_at(address: int, chip: ChipDescription | None = None) -> Peripheral | None:
    """The peripheral around an address."""
    known = regions(chip)
    index = bisect.bisect_right(known, address, key=lambda region: region.base) - 1
    region = known[index] if index >= 0 else None
    return region if region is not None and address < region.base + region.size else None


def register_name(address: int, chip: ChipDescription | None = None) -> str:
    """``"I2C1+0x18"``, or ``"a reserved address"``."""
    region = region_at(address, chip)
    return f"{region.name}+0x{address - region.base:02x}" if region else "a reserved address"


def enable_name(address: int, chip: ChipDescription | None = None) -> str:
    """``"RCC_APB1ENR1 bit 21"``: what clocks the peripheral at an address; empty if nothing does."""
    region = region_at(address, chip)
    return f"RCC_{region.enable} bit {region.enable_bit}" if region and region.enable else ""
