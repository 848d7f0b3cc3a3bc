# SPDX-License-Identifier: Apache-2.0
"""The kinds of board that a run can use, by the name of their variation: ``virtual`` and ``NUCLEO``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cm4tiny.boards.boards import all_boards, find_board
from cm4tiny.errors import UsageError, nearest
from cm4tiny.events import SILENT, EventStream

if TYPE_CHECKING:
    from cm4tiny.boards.nucleo import BoardOptions

VIRTUAL, NUCLEO = "virtual", "NUCLEO"
KINDS = (VIRTUAL, NUCLEO)
NOT_STRICT = "not strict"
"""What a figure is shown with whose firmware ran on, with a note, where the chip would not run it."""


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise UsageError(f"there is no board called '{kind}'", hint=nearest(kind, KINDS) or f"choose one of {', '.join(KINDS)}")


def check_board(kind: str, board_options: BoardOptions | None = None, events: EventStream = SILENT) -> None:
    """Makes sure that a board of this kind can be opened, and prepares what it needs once per machine.

    Raises:
        UsageError: no such kind. LinkError: no real board is plugged in. ToolchainError: nothing to flash it with.
        ToolchainError, CompileError: the host has no C compiler that makes the virtual board, and none could be fetched.
    """
    _check_kind(kind)
    if kind == NUCLEO:
        _check_nucleo(board_options, events)
        return
    from cm4tiny.boards.virtual.build import native_library

    with events.step(board_identity(kind, board_options).emulated_name) as outcome:
        board = find_board(board_options.board if board_options else "")
        outcome.note = f"ready ({native_library(board, install=True, events=events).path.name})"


def _check_nucleo(board_options: BoardOptions | None, events: EventStream) -> None:
    from cm4tiny.boards.nucleo import BoardOptions
    from cm4tiny.boards.nucleo.flashers import choose
    from cm4tiny.boards.nucleo.ports import find_port

    board_options = board_options or BoardOptions()
    row = find_board(board_options.board)
    with events.step(row.name) as outcome:
        port = find_port(row, board_options.probe, board_options.port)
        way = (
            "flashed before"
            if board_options.flasher == "none"
            else f"flashed with {choose(row, board_options.wiring, board_options.flasher).name}"
        )
        outcome.note = f"{port}, {way}"


def open_board(
    kind: str,
    elf: Path,
    board_options: BoardOptions | None = None,
    events: EventStream = SILENT,
    *,
    strict: bool = True,
    full_windows: bool = False,
) -> Any:
    """A board with the image loaded and started: has a ``link`` and ``close()``; the virtual one counts cycles and has a power monitor.

    Args:
        strict, full_windows: of the virtual board; see :class:`~cm4tiny.boards.virtual.VirtualBoard`. A real one decides for itself.

    Raises:
        As :func:`check_board`, :class:`~cm4tiny.boards.virtual.VirtualBoard` and :class:`~cm4tiny.boards.nucleo.NucleoBoard`.
    """
    _check_kind(kind)
    if kind == NUCLEO:
        from cm4tiny.boards.nucleo import BoardOptions, NucleoBoard

        return NucleoBoard(elf, board_options or BoardOptions(), events)
    from cm4tiny.boards.virtual import VirtualBoard

    return VirtualBoard(elf, board=find_board(board_options.board if board_options else ""), strict=strict, full_windows=full_windows)


@dataclass(frozen=True)
class BoardIdentity:
    """What every figure of a board carries with it.

    Attributes:
        name: exactly as printed on the board; one with a suffix is another board.
        simulated: True if the numbers come from the virtual board.
        supply_v: supply voltage; None where nothing says what it is: a real board without a power monitor.
        clock_hz: core clock of this project's firmware on it.
    """

    name: str
    simulated: bool
    supply_v: float | None
    clock_hz: int

    @property
    def emulated_name(self) -> str:
        """The name after "virtual" if the numbers come from the virtual board."""
        return ("virtual " if self.simulated else "") + self.name

    @property
    def label(self) -> str:
        """Human-readable: name, and the supply as in ``"at 1.8 V"``."""
        return self.emulated_name + (f" at {self.supply_v:g} V" if self.supply_v is not None else "")


def board_identity(kind: str, board_options: BoardOptions | None = None, supply_v: float | None = None) -> BoardIdentity:
    """Which board a kind means: the one place that decides it.

    Args:
        board_options: names the board.
        supply_v: what a power monitor supplies; the virtual board has a supply of its own.
    """
    _check_kind(kind)
    virtual = kind == VIRTUAL
    board = find_board("" if board_options is None else board_options.board)
    return BoardIdentity(board.name, virtual, board.supply_v if virtual and supply_v is None else supply_v, board.clock.hclk_hz)


def exact_board_name(text: str) -> str:
    """The printed name of a described board that a text spells (case, ``_`` and blanks aside); empty for any other text."""
    spelled = "-".join(text.upper().replace("_", " ").replace("-", " ").split())
    return next((row.name for row in all_boards() if row.name == spelled), "")


def emulator_facts(kind: str, board_options: BoardOptions | None = None) -> dict[str, Any]:
    """What computes the figures of a virtual board: digests of its library and sources, unicorn; empty for a real board."""
    if kind != VIRTUAL:
        return {}
    from cm4tiny.boards.virtual.build import emulator_facts

    return emulator_facts(find_board(board_options.board if board_options else ""))


def simulated_label(kind: str, board_options: BoardOptions | None = None) -> str:
    """What made up the numbers of a board that is not real; empty for hardware."""
    return board_identity(kind, board_options).emulated_name if kind == VIRTUAL else ""


def side_by_side(kind: str, wanted: int) -> int:
    """How many boards of a kind a run may use at once: of real ones, one."""
    return wanted if kind == VIRTUAL else 1
