# SPDX-License-Identifier: Apache-2.0
"""``cm4tiny boards``: what firmware can run on; with a hardware map, the boards of a bench."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cm4tiny.cli.commands import Command, simple
from cm4tiny.cli.group import VERBS
from cm4tiny.cli.output import VerbResult
from cm4tiny.cli.parameters import OTHER, InputType, option
from cm4tiny.cli.tables import table
from cm4tiny.resolver.language.inputs import Input

_MAP = Input("bench", "", "file", "a hardware map")


def command(name: str) -> Command:
    """The command."""
    params = [option("bench", OTHER, help="a hardware map: list its boards, and which of them are ready", type=InputType(_MAP))]
    return simple(name, VERBS[name][1], list_boards, params, examples=("cm4tiny boards", "cm4tiny boards --bench bench.yaml"))


def list_boards(bench: str | None) -> VerbResult:
    """The described boards, the first one being what the virtual board emulates by default; or those of a hardware map.

    Raises:
        DescriptionError, UsageError: the map cannot be used.
    """
    if bench is not None:
        return _list_bench(Path(bench))
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
            "firmware": bool(board.chip.start_up),
            "serial": board.com_port.uart,
        }
        for board in all_boards()
    ]
    shown = [
        (
            row["name"],
            row["chip"],
            f"{row['clock_mhz']:g} MHz",
            f"{row['flash_kb']} KB",
            f"{row['ram_kb']} KB",
            f"{row['supply_v']:g} V",
            "yes" if row["firmware"] else "no",
        )
        for row in rows
    ]
    text = table(("board", "chip", "clock", "flash", "RAM", "supply", "firmware"), shown)
    hint = "\n\nEach is there as a virtual board (--board virtual); a real one on USB is --board NUCLEO (docs/real-board.md)."
    hint += (
        "\nWithout firmware of this project it runs images that others built (docs/add-a-chip.md): cm4tiny virtual-board FILE --board NAME."
    )
    return VerbResult({"boards": rows}, text + hint)


def _list_bench(path: Path) -> VerbResult:
    from cm4tiny.boards.bench import states_of
    from cm4tiny.boards.boards import find_board

    found = [(board, find_board(board.board).name, state) for board, state in states_of(path)]
    rows = [{"name": board.name, "board": kind, "port": board.port, "probe": board.probe, "state": state} for board, kind, state in found]
    text = table(("name", "board", "at", "state"), [(board.name, kind, board.place, state) for board, kind, state in found])
    return VerbResult({"boards": rows}, text)
