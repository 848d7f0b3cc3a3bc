# SPDX-License-Identifier: Apache-2.0
"""The flags of a real board as its driver takes them."""

from __future__ import annotations

from cm4tiny.boards.nucleo import BoardOptions
from cm4tiny.boards.nucleo.flashers import Wiring
from cm4tiny.workflows.board_flags import BoardFlags


def board_options_of(options: BoardFlags) -> BoardOptions:
    """The flags as the driver of real boards takes them.

    Raises:
        UsageError: a value is not possible.
    """
    wiring = Wiring(options.probe, str(options.pack or ""), options.pack_sha256, str(options.drive or ""))
    return BoardOptions(options.board, options.port, options.probe, options.flasher, options.baud, wiring)
