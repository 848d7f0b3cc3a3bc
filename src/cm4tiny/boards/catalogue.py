"""The kinds of board that a run can use, by the name of their variation: ``virtual`` and ``NUCLEO``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cm4tiny.errors import NotAvailableError, ToolchainError, UsageError, nearest
from cm4tiny.events import SILENT, EventStream

if TYPE_CHECKING:
    from cm4tiny.boards.virtual import VirtualBoard

KINDS = ("virtual", "NUCLEO")


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise UsageError(f"there is no board called '{kind}'", cure=nearest(kind, KINDS) or f"choose one of {', '.join(KINDS)}")
    if kind == "NUCLEO":
        raise NotAvailableError(
            "a real NUCLEO-L4R5ZI cannot be used by this version",
            why="flashing a board and finding its port are not built yet",
            cure="run on the virtual board: leave out _NUCLEO, or say _virtual; the ELF that it runs is the one meant for the real board",
        )


def check_board(kind: str, events: EventStream = SILENT) -> None:
    """Makes sure that a board of this kind can be opened, and prepares what it needs once per machine.

    Raises:
        UsageError: no such kind. NotAvailableError: the kind is not there yet.
    """
    _check_kind(kind)
    from cm4tiny.boards.virtual.build import native_library

    with events.step("virtual NUCLEO-L4R5ZI") as outcome:
        try:
            outcome.note = f"ready ({native_library(install=True, events=events).name})"
        except ToolchainError as error:
            outcome.note = f"runs slowly, in Python: {error.what}"


def open_board(kind: str, elf: Path) -> VirtualBoard:
    """A board with the image loaded and reset; errors as :func:`check_board` and :class:`VirtualBoard`."""
    _check_kind(kind)
    from cm4tiny.boards.virtual import VirtualBoard

    return VirtualBoard(elf)


def simulated_label(kind: str) -> str:
    """What made up the numbers of a board that is not real; empty for hardware."""
    return "virtual NUCLEO-L4R5ZI" if kind == "virtual" else ""
