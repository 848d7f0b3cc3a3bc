# SPDX-License-Identifier: Apache-2.0
"""Lends the boards of a bench to the jobs of a run, each to one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from cm4tiny.boards.bench.hardware_map import BenchBoard
from cm4tiny.errors import BusyError
from cm4tiny.events import SILENT, EventStream

_LOOK_S = 0.2


class OpenBoard(Protocol):
    """What a driver of boards returns: it has a ``link`` and lets go by ``close()``."""

    link: Any

    def close(self) -> None: ...


Opener = Callable[[BenchBoard, Path], OpenBoard]


class BoardPool:
    """Boards that run side by side.

    A board that another run holds is skipped as long as there is one that is free; a job waits while this run holds all others.

    Args:
        boards: those that can be used.
        opener: opens one with an image; raises BusyError if another run or program holds it.
    """

    def __init__(self, boards: Sequence[BenchBoard], opener: Opener, events: EventStream = SILENT) -> None:
        self._boards = tuple(boards)
        self._opener, self._events = opener, events
        self._free = list(boards)
        self._changed = threading.Condition()
        self.used: list[tuple[str, str]] = []
        """(image, board) of what was lent, in order."""

    def __len__(self) -> int:
        return len(self._boards)

    def open(self, elf: Path) -> OpenBoard:
        """The next free board, opened with the image; it returns to the pool when it is closed.

        Raises:
            BusyError: every board is held by other runs. Else as the opener.
        """
        busy: dict[str, BusyError] = {}
        while True:
            board = self._take(busy)
            try:
                opened = self._opener(board, elf)
            except BusyError as error:
                busy[board.name] = error
                self._give(board)
                self._events.message(board.name, f"{board.name} is skipped: {error.what} ({error.why})", "warning")
                continue
            except BaseException:
                self._give(board)
                raise
            self.used.append((elf.name, board.name))
            self._events.message(board.name, f"{board.name} runs {elf.name} at {board.place}")
            return _Lent(opened, partial(self._give, board))

    def _take(self, busy: dict[str, BusyError]) -> BenchBoard:
        with self._changed:
            while True:
                if len(busy) == len(self._boards):
                    raise BusyError(
                        f"all {len(busy)} boards of the map are in use",
                        why="; ".join(f"{name}: {error.why or error.what}" for name, error in busy.items()),
                        hint="wait for the other runs to end",
                    )
                free = next((board for board in self._free if board.name not in busy), None)
                if free is not None:
                    self._free.remove(free)
                    return free
                self._changed.wait(_LOOK_S)

    def _give(self, board: BenchBoard) -> None:
        with self._changed:
            self._free.append(board)
            self._changed.notify_all()


class _Lent:
    """A board that returns to its pool when it is closed; everything else is the board's own."""

    def __init__(self, board: OpenBoard, give: Callable[[], None]) -> None:
        self._board, self._give = board, give
        self._closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._board, name)

    def close(self) -> None:
        """Closes the board and hands it back, once."""
        if self._closed:
            return
        self._closed = True
        try:
            self._board.close()
        finally:
            self._give()
