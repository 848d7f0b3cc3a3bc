# SPDX-License-Identifier: Apache-2.0
"""Which boards of a hardware map a run can use now."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from cm4tiny.boards.bench.hardware_map import BenchBoard, read_map
from cm4tiny.boards.boards import find_board
from cm4tiny.boards.nucleo.claim import Claim, locate
from cm4tiny.boards.nucleo.ports import Listed
from cm4tiny.errors import BusyError, Cm4TinyError, LinkError
from cm4tiny.events import SILENT, EventStream


def boards_for(
    path: Path, board: str = "", events: EventStream = SILENT, *, listed: Listed | None = None, today: date | None = None
) -> list[BenchBoard]:
    """The boards of a map that are of the description, not left out, and there; says of each other one why it is not used.

    Args:
        board: name of the description; empty: the default board.
        listed: lists the serial ports; None: those of this machine.
        today: for quarantines; None: the date of this machine.

    Raises:
        DescriptionError, UsageError: as :func:`read_map` and :meth:`HardwareMap.usable`. LinkError: none of them is plugged in.
    """
    row, day = find_board(board), today or date.today()
    found = read_map(path)
    usable = found.usable(row, day)
    for one in found.boards:
        if one.quarantine is not None and one.quarantine.holds(day):
            events.message(one.name, f"{one.name} is left out, in quarantine: {one.quarantine.text}", "warning")
    present, absent = [], []
    for one in usable:
        why = _absent(one, row.key, listed)
        if why:
            absent.append(f"{one.name}: {why}")
            events.message(one.name, f"{one.name} is left out: {why}", "warning")
        else:
            present.append(one)
    if not present:
        raise LinkError(
            f"none of the {len(usable)} usable boards of {path} is there", why="; ".join(absent), hint="look at the bench:\ncm4tiny doctor"
        )
    return present


def _absent(board: BenchBoard, description: str, listed: Listed | None) -> str:
    """Why a board cannot be reached; empty if it can."""
    try:
        target = locate(find_board(description), board.port, board.probe, writes=board.flasher != "none", listed=listed)
    except LinkError as error:
        return f"{error.what} ({error.why})"
    return "" if target.is_url or Path(target.device).exists() else f"{target.device} does not exist"


def states_of(path: Path, *, listed: Listed | None = None, today: date | None = None) -> list[tuple[BenchBoard, str]]:
    """Each board of a map with ``ready``, or why it cannot be used now: quarantine, not there, in use.

    Raises:
        DescriptionError, UsageError: as :func:`read_map`.
    """
    day = today or date.today()
    return [(board, _state(board, listed, day)) for board in read_map(path).boards]


def _state(board: BenchBoard, listed: Listed | None, day: date) -> str:
    if board.quarantine is not None and board.quarantine.holds(day):
        return f"in quarantine: {board.quarantine.text}"
    why = _absent(board, board.board, listed)
    if why:
        return f"not there: {why}"
    try:
        Claim(locate(find_board(board.board), board.port, board.probe, writes=board.flasher != "none", listed=listed)).release()
    except BusyError as error:
        return f"in use: {error.why}"
    except Cm4TinyError as error:
        return f"not there: {error.what}"
    return "ready"
