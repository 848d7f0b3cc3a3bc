# SPDX-License-Identifier: Apache-2.0
"""Real NUCLEO boards: found by USB, flashed by what is installed, spoken to over their virtual COM port.

:mod:`cm4tiny.boards.boards` says what a board is, :mod:`~cm4tiny.boards.nucleo.ports` finds its port,
:mod:`~cm4tiny.boards.nucleo.flashers` writes its flash, :mod:`~cm4tiny.boards.nucleo.board` puts the three together.
"""

from cm4tiny.boards.boards import BoardDescription, find_board
from cm4tiny.boards.nucleo.board import BoardOptions, NucleoBoard, flash
from cm4tiny.boards.nucleo.flashers import FLASHERS, Flasher

__all__ = ["FLASHERS", "BoardDescription", "BoardOptions", "Flasher", "NucleoBoard", "find_board", "flash"]
