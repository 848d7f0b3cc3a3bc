# SPDX-License-Identifier: Apache-2.0
"""The table of real boards (``boards.yaml``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.errors import UsageError, nearest

_HERE = Path(__file__).resolve().parent
DEFAULT = "NUCLEO_L4R5ZI"


@dataclass(frozen=True)
class BoardRow:
    """How a board is recognised; see ``boards.yaml`` for each field's source.

    Attributes:
        name: as printed on it.
        chip_ids: the 12 bits DEV_ID of the chips it carries.
        chip: their family, for messages.
        idcode_address: where DEV_ID is read.
        uid_address: where the chip's unique id of 96 bits is read.
        flash_start, flash_bytes: its flash.
        clock_hz: core clock of this project's firmware on it.
        usb_ids: ``vendor:product`` of its probe, lower case.
        volume_labels: names of its drive.
        openocd: configuration files for OpenOCD.
        pyocd_target, pyocd_pack: pyOCD's name of the chip and the CMSIS pack that describes it.
    """

    name: str
    chip_ids: tuple[int, ...]
    chip: str
    idcode_address: int
    uid_address: int
    flash_start: int
    flash_bytes: int
    clock_hz: int
    usb_ids: tuple[str, ...]
    volume_labels: tuple[str, ...]
    openocd: tuple[str, ...]
    pyocd_target: str
    pyocd_pack: str


@lru_cache(maxsize=1)
def _rows() -> dict[str, BoardRow]:
    table = load_table(_HERE / "boards.yaml", _HERE / "boards.schema.json")["boards"]
    return {key: _row(row) for key, row in table.items()}


def _row(row: dict[str, Any]) -> BoardRow:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return BoardRow(**fields)


def board_rows() -> tuple[BoardRow, ...]:
    """All boards of the table."""
    return tuple(_rows().values())


def board_row(key: str = DEFAULT) -> BoardRow:
    """A board by its key; raises UsageError with a suggestion."""
    rows = _rows()
    if key not in rows:
        raise UsageError(f"there is no board '{key}' in the table", hint=nearest(key, rows) or f"choose one of {', '.join(rows)}")
    return rows[key]
