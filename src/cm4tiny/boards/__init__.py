# SPDX-License-Identifier: Apache-2.0
"""What a benchmark runs on: serial links, power monitors, and the virtual board (:mod:`cm4tiny.boards.virtual`)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cm4tiny.boards.energy import PowerSettings, SimulatedPowerMonitor, energy_uj
    from cm4tiny.boards.links import Link, SerialLink
    from cm4tiny.boards.power import PowerMonitor, PowerTrace
    from cm4tiny.boards.virtual import BoardStatistics, Calls, VirtualBoard

__all__ = [
    "BoardStatistics",
    "Calls",
    "Link",
    "PowerMonitor",
    "PowerSettings",
    "PowerTrace",
    "SerialLink",
    "SimulatedPowerMonitor",
    "VirtualBoard",
    "energy_uj",
]
_HOMES = {
    **dict.fromkeys(("PowerSettings", "SimulatedPowerMonitor", "energy_uj"), "cm4tiny.boards.energy"),
    **dict.fromkeys(("Link", "SerialLink"), "cm4tiny.boards.links"),
    **dict.fromkeys(("PowerMonitor", "PowerTrace"), "cm4tiny.boards.power"),
    **dict.fromkeys(("BoardStatistics", "Calls", "VirtualBoard"), "cm4tiny.boards.virtual"),
}


def __getattr__(name: str) -> Any:
    """Imports what is asked for: the process of an emulated chip needs little of it, and starts with it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
