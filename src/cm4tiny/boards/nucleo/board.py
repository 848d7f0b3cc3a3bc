"""A real NUCLEO board as a driver like the virtual one: flashed, restarted, with a link."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from cm4tiny.boards.links import DEFAULT_BAUD, SerialLink
from cm4tiny.boards.nucleo.flashers import FLASHERS, Flasher, Wiring, choose, raw_image, with_raw_image
from cm4tiny.boards.nucleo.ports import find_port
from cm4tiny.boards.nucleo.table import DEFAULT, BoardRow, board_row
from cm4tiny.errors import BusyError, UsageError, nearest
from cm4tiny.events import SILENT, EventStream
from cm4tiny.firmware.image import read_elf
from cm4tiny.paths import user_cache

RESTART_S = 1.0
"""From the restart to a firmware that listens: clock, UART and banner take a few milliseconds; the ST-LINK's port needs longer."""


@dataclass(frozen=True)
class Wishes:
    """What a user may say about the board; empty: found out.

    Attributes:
        board: row of the table.
        port: serial device, or ``socket://host:port`` of a board elsewhere.
        probe: serial number of the ST-LINK, or its end.
        flasher: ``"auto"`` or a name of :data:`FLASHERS`; ``"none"``: the firmware is on the board already.
        baud: speed of the serial line.
        wiring: what single flashers need.
    """

    board: str = DEFAULT
    port: str = ""
    probe: str = ""
    flasher: str = "auto"
    baud: int = DEFAULT_BAUD
    wiring: Wiring = field(default_factory=Wiring)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Wishes:
        """Reads ``CM_TINY_PORT``, ``CM_TINY_PROBE``, ``CM_TINY_FLASHER``, ``CM_TINY_BAUD``, ``CM_TINY_PACK``, ``CM_TINY_PACK_SHA256``,
        ``CM_TINY_DRIVE`` and ``CM_TINY_BOARD``.

        Raises:
            UsageError: a value is not possible.
        """
        flasher, baud = _text(env, "FLASHER") or "auto", _text(env, "BAUD") or str(DEFAULT_BAUD)
        known = ("auto", "none", *FLASHERS)
        if flasher not in known:
            raise UsageError(f"there is no flasher '{flasher}'", cure=nearest(flasher, known) or f"use one of {', '.join(known)}")
        if not baud.isdigit() or not 1200 <= int(baud) <= 4_000_000:
            raise UsageError(f"--baud={baud} is no speed of a serial line", cure="give bits per second, e.g. 115200")
        probe = _text(env, "PROBE")
        if probe and not probe.isalnum():
            raise UsageError(f"--probe={probe} is no serial number", cure="give the letters and digits that 'st-info --probe' shows")
        wiring = Wiring(probe, _text(env, "PACK"), _text(env, "PACK_SHA256"), _text(env, "DRIVE"))
        return cls(_text(env, "BOARD") or DEFAULT, _text(env, "PORT"), probe, flasher, int(baud), wiring)


def _text(env: Mapping[str, str], key: str) -> str:
    return str(env.get(f"CM_TINY_{key}", "")).strip()


def flash(elf: Path, wishes: Wishes, events: EventStream = SILENT, flasher: Flasher | None = None) -> str:
    """Writes an image to the board; returns what the board is. A board with another chip is never written.

    Raises:
        FirmwareError, WrongTargetError, ImageTooLargeError: the image is not for this board.
        ToolchainError: nothing to flash with. BoardError: no probe, another chip, or it failed.
    """
    row = board_row(wishes.board)
    image = read_elf(elf)
    data = raw_image(row, [(segment.address, segment.data) for segment in image.segments])
    chosen = flasher or choose(row, wishes.wiring, wishes.flasher)
    with events.step(f"flash {elf.name} with {chosen.name}") as outcome:
        chip = chosen.identify()
        with_raw_image(data, chosen.write)
        outcome.note = f"{len(data)} bytes, {chip}"
    return chip


class NucleoBoard:
    """A flashed board, held by this process alone until :meth:`close`.

    Args:
        elf: the image; with ``wishes.flasher == "none"`` what is on the board already.

    Raises:
        BusyError: another run uses the board. Else as :func:`flash`, and LinkError for the port.
    """

    def __init__(self, elf: Path, wishes: Wishes, events: EventStream = SILENT) -> None:
        row = board_row(wishes.board)
        self._lock = _claim(row, wishes)
        try:
            device = find_port(row, wishes.probe, wishes.port)
            if wishes.flasher != "none":
                flash(elf, wishes, events)
                time.sleep(RESTART_S)
            self.link = SerialLink(device, baud=wishes.baud)
        except BaseException:
            self._lock.release()
            raise
        self.name = f"{row.name} at {device}"

    def close(self) -> None:
        """Closes the port and lets other runs use the board."""
        try:
            self.link.close()
        finally:
            self._lock.release()


def _claim(row: BoardRow, wishes: Wishes) -> FileLock:
    """One run per board: by its probe or port, or for all boards of the kind where neither is named."""
    key = "".join(letter if letter.isalnum() else "_" for letter in wishes.port or wishes.probe or row.name)
    folder = user_cache() / "boards"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{key}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise BusyError(
            f"another run uses the {row.name}",
            why=f"it holds {folder / f'{key}.lock'}",
            cure="wait for it to end, or name another board: --probe=SERIAL",
        ) from error
    return lock
