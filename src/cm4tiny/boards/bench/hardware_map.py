# SPDX-License-Identifier: Apache-2.0
"""Hardware maps: which boards a bench has, how each is reached, and which are left out and why.

A file is one of three: this project's (``map.schema.json``), the hardware map of Zephyr's twister, or the configuration of a labgrid
exporter. Of the other two is read what names a board and its serial port; facts: docs.zephyrproject.org (Twister, "Hardware map"),
labgrid.readthedocs.io ("Exporter Configuration": ``NetworkSerialPort``, ``RawSerialPort``, ``USBSerialPort``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from cm4tiny.boards.boards import BoardDescription, all_boards, find_board
from cm4tiny.boards.description_files import read_description, refused
from cm4tiny.boards.links import DEFAULT_BAUD
from cm4tiny.errors import UsageError

_HERE = Path(__file__).parent
PAGE = "docs/hardware-map.md has an example"
_RUNNERS = {"openocd": "openocd", "pyocd": "pyocd", "stlink": "st-flash", "stm32cubeprogrammer": "auto"}
_SERIAL_NUMBER = ("ID_SERIAL_SHORT", "@ID_SERIAL_SHORT")


@dataclass(frozen=True)
class Quarantine:
    """Why a board is left out, and the last day on which it is; None: for ever."""

    reason: str
    until: date | None = None

    def holds(self, today: date) -> bool:
        """Whether the board is still left out."""
        return self.until is None or today <= self.until

    @property
    def text(self) -> str:
        """For messages."""
        return self.reason + (f" (until {self.until.isoformat()})" if self.until else "")


@dataclass(frozen=True)
class BenchBoard:
    """One board of a bench.

    Attributes:
        name: in the map.
        board: name of its description; empty: the default board.
        port: device or URL; empty: that of the probe.
        probe: serial number of the probe, or its end; empty: that of the port.
        baud: speed of the serial line; None: that of the run.
        flasher: how it is written; ``auto``, ``none``, or a flasher's name.
        quarantine: why it is left out.
    """

    name: str
    board: str = ""
    port: str = ""
    probe: str = ""
    baud: int | None = None
    flasher: str = "auto"
    quarantine: Quarantine | None = None

    @property
    def place(self) -> str:
        """How it is reached, for messages."""
        return self.port or f"the probe {self.probe}"


@dataclass(frozen=True)
class HardwareMap:
    """The boards of a bench, in the order of the file; ``kind`` says which of the three forms it had."""

    path: Path
    kind: str
    boards: tuple[BenchBoard, ...] = field(default=())

    def usable(self, row: BoardDescription, today: date) -> list[BenchBoard]:
        """The boards of a description that are not left out.

        Raises:
            UsageError: there is none; says why each is not.
        """
        fitting = [board for board in self.boards if find_board(board.board).key == row.key]
        usable = [board for board in fitting if board.quarantine is None or not board.quarantine.holds(today)]
        if not usable:
            reasons = [f"{board.name} is in quarantine: {board.quarantine.text}" for board in fitting if board.quarantine]
            others = [f"{board.name} is a {find_board(board.board).name}" for board in self.boards if board not in fitting]
            raise UsageError(
                f"{self.path} has no {row.name} that can be used",
                why="; ".join([*reasons, *others]) or "it lists no boards",
                hint="take a board out of quarantine, or name one that is not in the map: --probe=SERIAL",
            )
        return usable


def read_map(path: Path) -> HardwareMap:
    """A hardware map, in whichever of the three forms it is.

    Raises:
        DescriptionError: it cannot be read, is none of the three, or contradicts itself. UsageError: it names an unknown board.
    """
    kind = _kind_of(path)
    content, _ = read_description(path, _HERE / f"{kind}.schema.json", PAGE)
    boards = tuple(_READERS[kind](path, content))
    if not boards:
        raise refused(path, "top level", _NOTHING[kind], PAGE)
    _check(path, boards)
    return HardwareMap(path, kind, boards)


def _kind_of(path: Path) -> str:
    """Read without trust: the top level alone decides."""
    content, _ = read_description(path, _HERE / "any.schema.json", PAGE)
    found: Any = content
    if isinstance(found, list):
        return "twister"
    return "map" if "boards" in found or "version" in found else "labgrid"


_NOTHING = {
    "map": "it lists no boards",
    "twister": "no entry is connected, has a serial port and a platform that is described here",
    "labgrid": "no group has a NetworkSerialPort (raw), a RawSerialPort, or a USBSerialPort with a serial number",
}


def _own(path: Path, content: Any) -> Iterator[BenchBoard]:
    for number, row in enumerate(content["boards"]):
        quarantine = row.get("quarantine")
        yield BenchBoard(
            row["name"],
            row.get("board", ""),
            row.get("port", ""),
            row.get("probe", ""),
            row.get("baud"),
            row.get("flasher", "auto"),
            _quarantine(path, number, quarantine) if quarantine else None,
        )


def _quarantine(path: Path, number: int, row: Mapping[str, Any]) -> Quarantine:
    until = row.get("until")
    try:
        return Quarantine(row["reason"], None if until is None else date.fromisoformat(str(until)))
    except ValueError as error:
        raise refused(path, f"boards/{number}/quarantine/until", str(error), "write a date as 2026-12-31") from error


def _twister(path: Path, content: Any) -> Iterator[BenchBoard]:
    known = {row.key.replace("-", "_"): row.key for row in all_boards()}
    for number, row in enumerate(content):
        platforms = row["platform"].split() if isinstance(row["platform"], str) else row["platform"]
        key = next((known[name.split("/")[0]] for name in platforms if name.split("/")[0] in known), "")
        if not key or not row.get("connected", False) or not row.get("serial"):
            continue
        probe = str(row.get("id", ""))
        runner = _RUNNERS.get(row.get("runner") or "", "auto")
        yield BenchBoard(f"board-{number + 1}", key, row["serial"], probe if probe.isalnum() else "", row.get("baud"), runner)


def _labgrid(path: Path, content: Any) -> Iterator[BenchBoard]:
    for name, group in content.items():
        network, raw, usb = (group.get(kind) for kind in ("NetworkSerialPort", "RawSerialPort", "USBSerialPort"))
        if network and network.get("protocol", "rfc2217") == "raw":
            yield BenchBoard(name, port=f"socket://{network['host']}:{network['port']}", baud=network.get("speed"))
        elif raw:
            yield BenchBoard(name, port=raw["port"], baud=raw.get("speed"))
        elif usb:
            serial = next((str(usb["match"][key]) for key in _SERIAL_NUMBER if key in usb["match"]), "")
            if serial.isalnum():
                yield BenchBoard(name, probe=serial, baud=usb.get("speed"))


_READERS: dict[str, Callable[[Path, Any], Iterator[BenchBoard]]] = {"map": _own, "twister": _twister, "labgrid": _labgrid}


def _check(path: Path, boards: tuple[BenchBoard, ...]) -> None:
    """No name, port or probe twice: two names of one board would have it lent out twice."""
    for number, board in enumerate(boards):
        find_board(board.board)
        for other in boards[:number]:
            same = [what for what in ("name", "port") if getattr(board, what) and getattr(board, what) == getattr(other, what)]
            if board.probe and other.probe and _ends_alike(board.probe, other.probe):
                same.append("probe")
            if same:
                raise refused(path, f"boards/{number}/{same[0]}", f"{other.name} has the same {same[0]}", f"list each board once; {PAGE}")


def _ends_alike(one: str, other: str) -> bool:
    return one.upper().endswith(other.upper()) or other.upper().endswith(one.upper())


def baud_of(board: BenchBoard, wanted: int = DEFAULT_BAUD) -> int:
    """The speed of a board's line: its own, or what the run asks for."""
    return wanted if board.baud is None else board.baud


__all__ = ["BenchBoard", "HardwareMap", "Quarantine", "baud_of", "read_map"]
