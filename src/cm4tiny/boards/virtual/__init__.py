# SPDX-License-Identifier: Apache-2.0
"""The virtual board: its chip on unicorn with peripherals, caches and a cycle model; deterministic on every host."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cm4tiny.boards.virtual.board import BoardStatistics, VirtualBoard
    from cm4tiny.boards.virtual.cycle_model import CycleModel
    from cm4tiny.boards.virtual.link import VirtualLink
    from cm4tiny.boards.virtual.machine import Calls

__all__ = ["BoardStatistics", "Calls", "CycleModel", "VirtualBoard", "VirtualLink"]
_HOMES = {
    **dict.fromkeys(("BoardStatistics", "VirtualBoard"), "cm4tiny.boards.virtual.board"),
    "Calls": "cm4tiny.boards.virtual.machine",
    "CycleModel": "cm4tiny.boards.virtual.cycle_model",
    "VirtualLink": "cm4tiny.boards.virtual.link",
}


def __getattr__(name: str) -> Any:
    """Imports what is asked for: the process of an emulated chip needs little of it, and starts with it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
