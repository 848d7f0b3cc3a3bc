# SPDX-License-Identifier: Apache-2.0
"""The flags of a real board as its driver takes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cm4tiny.boards.catalogue import NUCLEO
from cm4tiny.boards.links import DEFAULT_BAUD
from cm4tiny.boards.monitors.choice import LPM01A, parse_monitor
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
    return BoardOptions(options.board, options.port, options.probe, options.flasher, options.baud or DEFAULT_BAUD, wiring)


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


def check_monitor(monitor: str, supply_mv: int | None, bench: Path | None, modes: Iterable[str], options: BoardFlags) -> None:
    """Checks that a power monitor is named where one is needed, and only there.

    Raises:
        UsageError: it is not, or there is no driver of it.
    """
    real, energy = options.kind == NUCLEO, "energy" in modes
    if not monitor:
        if real and energy:
            raise UsageError(
                "an energy run on a real board needs a power monitor", why="none was named", hint=f"connect one: --monitor={LPM01A}"
            )
        if supply_mv is not None:
            raise UsageError("--supply_mv is the voltage of a power monitor, and none was named", hint=f"add --monitor={LPM01A}")
        return
    parse_monitor(monitor)
    if not real or not energy:
        why = "the virtual board has a monitor of its own" if not real else "only energy runs use one"
        raise UsageError("--monitor has no use in this run", why=why, hint="leave it out, or add _NUCLEO and _energy to the tags")
    if bench is not None:
        raise UsageError("--monitor supplies one board, and --bench names several", hint="leave out --bench")
