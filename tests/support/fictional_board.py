# SPDX-License-Identifier: Apache-2.0
"""A board and a chip that do not exist, written as data into a folder: what docs/add-a-board.md describes, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cm4tiny.boards.boards import FOLDER as BOARDS
from cm4tiny.boards.boards import default_board
from cm4tiny.boards.chips import FOLDER as CHIPS

MEMORY = [
    {"name": "flash", "kind": "flash", "start": 0x0800_0000, "bytes": 0x10_0000, "access": "rx", "aliases": [0]},
    {"name": "first", "kind": "ram", "start": 0x2000_0000, "bytes": 0x4_0000, "access": "rwx"},
    {"name": "second", "kind": "ram", "start": 0x2004_0000, "bytes": 0x2_0000, "access": "rwx", "aliases": [0x1000_0000]},
    {"name": "system memory", "kind": "rom", "start": 0x1FFF_0000, "bytes": 0x1_0000, "access": "rx"},
]
"""Half the flash and 384 KB of RAM in two banks."""


def chip_row() -> dict[str, Any]:
    """A chip with other memory than the default board's, as YAML holds it."""
    row: dict[str, Any] = yaml.safe_load((CHIPS / f"{default_board().chip.key}.yaml").read_text(encoding="utf-8"))
    row |= {"name": "FICTION1", "family": "FICTION", "memory": MEMORY}
    return row


def board_row() -> dict[str, Any]:
    """A board with that chip, another serial port, another time-stamp pin, another clock and names of its own."""
    row: dict[str, Any] = yaml.safe_load((BOARDS / f"{default_board().key}.yaml").read_text(encoding="utf-8"))
    for name in ("default", "smps_pins", "submission"):
        row.pop(name, None)
    row |= {
        "name": "FICTION-BOARD",
        "chip": "fiction1",
        "supply_v": 3.0,
        "stack_bytes": 4096,
        "virtual_com_port": {"uart": "USART3", "tx": "D8", "rx": "D9"},
        "timestamp_pin": "E9",
        "clock": {"hclk_hz": 96_000_000, "pll": {"m": 2, "n": 24, "r": 2}, "wait_states": 4},
    }
    return row


def write(folder: Path, board: dict[str, Any] | None = None, chip: dict[str, Any] | None = None) -> Path:
    """Both files in a folder; returns the board's."""
    (folder / "fiction1.yaml").write_text(yaml.safe_dump(chip or chip_row(), sort_keys=False), encoding="utf-8")
    path = folder / "fiction-board.yaml"
    path.write_text(yaml.safe_dump(board or board_row(), sort_keys=False), encoding="utf-8")
    return path
