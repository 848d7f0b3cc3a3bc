# SPDX-License-Identifier: Apache-2.0
"""``cm4tiny boards``: what firmware can run on."""

from __future__ import annotations

from typing import Any

from cm4tiny.cli.commands import Command, simple
from cm4tiny.cli.group import VERBS
from cm4tiny.cli.output import VerbResult
from cm4tiny.cli.tables import table


def command(name: str) -> Command:
    """The command."""
    return simple(name, VERBS[name][1], list_boards, examples=("cm4tiny boards", "cm4tiny boards --json"))


def list_boards() -> VerbResult:
    """The described boards; the first one is what the virtual board emulates by default."""
    from cm4tiny.boards.boards import all_boards

    rows: list[dict[str, Any]] = [
        {
            "name": board.name,
            "chip": board.chip.name,
            "clock_mhz": board.clock.hclk_hz / 1e6,
            "flash_kb": board.chip.flash.size // 1024,
            "ram_kb": board.chip.ram.size // 1024,
            "supply_v": board.supply_v,
            "virtual": True,
            "serial": board.com_port.uart,
        }
        for board in all_boards()
    ]
    shown = [
        (row["name"], row["chip"], f"{row['clock_mhz']:g} MHz", f"{row['flash_kb']} KB", f"{row['ram_kb']} KB", f"{row['supply_v']:g} V")
        for row in rows
    ]
    text = table(("board", "chip", "clock", "flash", "RAM", "supply"), shown)
    hint = "\n\nEach is there as a virtual board (--board virtual); a real one on USB is --board NUCLEO (docs/real-board.md)."
    return VerbResult({"boards": rows}, text + hint)
