# SPDX-License-Identifier: Apache-2.0
"""The flags of a real board as its driver takes them."""

from __future__ import annotations

from pathlib import Path

from cm4tiny.boards.catalogue import NUCLEO
from cm4tiny.boards.nucleo import BoardOptions
from cm4tiny.boards.nucleo.flashers import Wiring
from cm4tiny.errors import UsageError
from cm4tiny.workflows.board_flags import BoardFlags


def board_options_of(options: BoardFlags) -> BoardOptions:
    """The flags as the driver of real boards takes them.

    Raises:
        UsageError: a value is not possible.
    """
    wiring = Wiring(options.probe, str(options.pack or ""), options.pack_sha256, str(options.drive or ""))
    return BoardOptions(options.board, options.port, options.probe, options.flasher, options.baud, wiring)


def check_bench(bench: Path | None, options: BoardFlags) -> None:
    """Checks that a hardware map is not named next to what it replaces.

    Raises:
        UsageError: it is, or the board is virtual.
    """
    if bench is None:
        return
    if options.kind != NUCLEO:
        raise UsageError(
            "--bench names a map of real boards, and the board of this run is virtual", hint="add _NUCLEO to the tags (--board NUCLEO)"
        )
    if options.port or options.probe:
        raise UsageError("--bench and --port or --probe name boards in two ways", hint="leave one of them out")
