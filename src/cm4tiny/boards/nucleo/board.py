# SPDX-License-Identifier: Apache-2.0
"""A real NUCLEO board as a driver like the virtual one: locked, opened, flashed, restarted, with a link."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from cm4tiny.boards.boards import find_board
from cm4tiny.boards.elf_image import read_elf
from cm4tiny.boards.links import DEFAULT_BAUD, SerialLink
from cm4tiny.boards.nucleo.claim import Claim, ClaimTarget, locate, probe_for_tools
from cm4tiny.boards.nucleo.flashers import FLASHERS, Flasher, Wiring, check_drive, choose, raw_image, with_raw_image
from cm4tiny.boards.nucleo.ports import ports
from cm4tiny.deadline import Deadline
from cm4tiny.errors import LinkError, UsageError, nearest
from cm4tiny.events import SILENT, EventStream

RESTART_S = 1.0
"""How long the port must stay after flashing before it is trusted: an ST-LINK may leave the bus a moment after the tool has ended."""
PORT_RETURNS_S = 20.0
"""How long a port may take to come back. A report names 2.5 s; drives that are mounted again take longer."""
_POLL_S = 0.1


@dataclass(frozen=True)
class BoardOptions:
    """What a user may say about the board; empty: found out.

    Attributes:
        board: name of a description, or the path of its file.
        port: serial device, or ``socket://host:port`` of a board elsewhere.
        probe: serial number of the ST-LINK, or its end.
        flasher: ``"auto"`` or a name of :data:`FLASHERS`; ``"none"``: the firmware is on the board already.
        baud: speed of the serial line.
        wiring: what single flashers need.
    """

    board: str = ""
    port: str = ""
    probe: str = ""
    flasher: str = "auto"
    baud: int = DEFAULT_BAUD
    wiring: Wiring = field(default_factory=Wiring)

    def __post_init__(self) -> None:
        """Checks what a user may get wrong.

        Raises:
            UsageError: a value is not possible.
        """
        known = ("auto", "none", *FLASHERS)
        if self.flasher not in known:
            raise UsageError(f"there is no flasher '{self.flasher}'", hint=nearest(self.flasher, known) or f"use one of {', '.join(known)}")
        if self.probe and not self.probe.isalnum():
            raise UsageError(
                f"--probe={self.probe} is not a valid serial number", hint="give the letters and digits that this shows:\nst-info --probe"
            )


def flash(
    elf: Path, board_options: BoardOptions, events: EventStream = SILENT, flasher: Flasher | None = None, claim: Claim | None = None
) -> str:
    """Writes an image to the board; returns what the board is. A board with another chip is never written.

    The caller holds the board (:class:`NucleoBoard` does).

    Args:
        claim: is extended by what the flasher found out about the board, before anything is written.

    Raises:
        FirmwareError, WrongTargetError, ImageTooLargeError: the image is not for this board.
        ToolchainError: nothing to flash with. BoardError: no probe, another chip, or it failed.
        BusyError: another run uses the board that the flasher found.
    """
    row = find_board(board_options.board)
    image = read_elf(elf, chip=row.chip)
    data = raw_image(row, [(segment.address, segment.data) for segment in image.segments])
    chosen = flasher or choose(row, board_options.wiring, board_options.flasher)
    with events.step(f"flash {elf.name} with {chosen.name}") as outcome:
        chip = chosen.identify()
        if claim is not None:
            claim.add(*chosen.identities)
        with_raw_image(data, chosen.write)
        outcome.note = f"{len(data)} bytes, {chip}"
    return chip


class NucleoBoard:
    """A flashed board, held by this process alone until :meth:`close`.

    The order matters: the board is locked, then its port is opened, and only then is something written to it.

    Args:
        elf: the image; with ``board_options.flasher == "none"`` what is on the board already.

    Raises:
        BusyError: another run or program uses the board. Else as :func:`flash`, and LinkError for the port.
    """

    def __init__(self, elf: Path, board_options: BoardOptions, events: EventStream = SILENT) -> None:
        row, writes = find_board(board_options.board), board_options.flasher != "none"
        target = locate(row, board_options.port, board_options.probe or board_options.wiring.probe, writes=writes)
        link: SerialLink | None = None
        self._claim = Claim(target)
        try:
            link = SerialLink(target.device, baud=board_options.baud)
            if writes:
                if len(ports(row)) < 2:  # else nobody knows whose drive it is
                    check_drive(row)
                wiring = replace(board_options.wiring, probe=probe_for_tools(target))
                flash(elf, replace(board_options, wiring=wiring), events, claim=self._claim)
                link = await_port(link, target, board_options.baud, events)
        except BaseException:
            if link is not None:
                _close(link)
            self._claim.release()
            raise
        self.link = link
        self.name = f"{row.name} at {link.name}"

    def close(self) -> None:
        """Closes the port, if it is still there, and lets other runs use the board."""
        try:
            _close(self.link)
        finally:
            self._claim.release()


def await_port(
    link: SerialLink,
    target: ClaimTarget,
    baud: int,
    events: EventStream = SILENT,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> SerialLink:
    """The board's link after a restart: the open one if the port stayed, else a new one to the port that came back, under whatever name.

    What the firmware said before is discarded.

    Raises:
        LinkError: it did not come back within :data:`PORT_RETURNS_S`.
    """
    deadline, began, steady_since = Deadline(PORT_RETURNS_S, clock), clock(), clock()
    step, last = f"wait for the port of the {target.row.name}", ""
    open_link: SerialLink | None = link
    with events.step(step, PORT_RETURNS_S, "s") as outcome:
        while True:
            if open_link is not None and not open_link.usable():
                _close(open_link)
                last = f"{open_link.name} is gone"
                open_link = None
            if open_link is None:
                try:
                    open_link, steady_since = SerialLink(target.device_now(), baud=baud), clock()
                except LinkError as error:
                    last = f"{error.what}: {error.why}"
            if open_link is not None and clock() - steady_since >= RESTART_S:
                try:
                    open_link.discard_input()
                except LinkError as error:
                    _close(open_link)
                    open_link, last = None, f"{error.what}: {error.why}"
                else:
                    outcome.note = open_link.name
                    return open_link
            if open_link is None and deadline.expired:
                raise LinkError(
                    f"the port of the {target.row.name} did not come back within {PORT_RETURNS_S:g} s after flashing",
                    why=last + (f"; no port has the probe {target.probe}" if target.probe else ""),
                    hint="plug the board in again; the image is on it, so that --flasher=none can be used",
                )
            events.progress(step, min(clock() - began, PORT_RETURNS_S), PORT_RETURNS_S, last)
            sleep(_POLL_S)


def _close(link: SerialLink) -> None:
    with contextlib.suppress(LinkError):  # gone already, or stuck: there is nothing left to save
        link.close()
