# SPDX-License-Identifier: Apache-2.0
"""Real NUCLEO boards: found by USB, flashed by what is installed, spoken to over their virtual COM port.

:mod:`~cm4tiny.boards.nucleo.table` says what a board is, :mod:`~cm4tiny.boards.nucleo.ports` finds its port,
:mod:`~cm4tiny.boards.nucleo.flashers` writes its flash, :mod:`~cm4tiny.boards.nucleo.board` puts the three together.
"""

from cm4tiny.boards.nucleo.board import NucleoBoard, Wishes, flash
from cm4tiny.boards.nucleo.flashers import FLASHERS, Flasher
from cm4tiny.boards.nucleo.table import BoardRow, board_row

__all__ = ["FLASHERS", "BoardRow", "Flasher", "NucleoBoard", "Wishes", "board_row", "flash"]
