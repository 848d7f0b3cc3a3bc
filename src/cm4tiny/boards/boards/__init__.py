# SPDX-License-Identifier: Apache-2.0
"""Descriptions of boards, one YAML file each, and the typed loader.

A board is a chip with a clock set-up, a virtual COM port, a time-stamp pin, a probe and names. Another board is another file: in this
folder, or anywhere if it is given by its path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from cm4tiny.boards.chips import ChipDescription, find_chip
from cm4tiny.boards.description_files import read_description, refused
from cm4tiny.errors import DescriptionError, UsageError, nearest

FOLDER = Path(__file__).resolve().parent
_SCHEMA = FOLDER / "board.schema.json"


@dataclass(frozen=True)
class Pin:
    """A pin: number of its port (A is 0) and its number there."""

    port: int
    number: int

    @classmethod
    def of(cls, text: str) -> Pin:
        """From ``"G7"``, which a schema has checked."""
        return cls(ord(text[0]) - ord("A"), int(text[1:]))

    @property
    def port_name(self) -> str:
        """``"GPIOG"``."""
        return f"GPIO{chr(ord('A') + self.port)}"

    def __str__(self) -> str:
        return f"P{chr(ord('A') + self.port)}{self.number}"


@dataclass(frozen=True)
class VirtualComPort:
    """The UART that the probe passes on to USB, its pins and their alternate functions."""

    uart: str
    tx: Pin
    rx: Pin
    tx_function: int
    rx_function: int


@dataclass(frozen=True)
class SmpsPins:
    """Pins that switch an external step-down converter: it is enabled, says that its output is good, and is switched to the core."""

    enable: Pin
    power_good: Pin
    switch: Pin


@dataclass(frozen=True)
class ClockSetup:
    """How the firmware clocks the core: HCLK in hertz from the internal oscillator by the PLL's M, N and R, and the flash's wait states."""

    hclk_hz: int
    pll_m: int
    pll_n: int
    pll_r: int
    wait_states: int


@dataclass(frozen=True)
class SubmissionNames:
    """The hardware fields of a system description, the id of the row and where they come from."""

    id: str
    source: str
    fields: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True)
class BoardDescription:
    """A board. Attributes: as ``docs/add-a-board.md`` explains them; ``key`` is the file's name without ``.yaml``,
    ``sha256`` that of the file.
    """

    key: str
    sha256: str
    name: str
    chip: ChipDescription
    is_default: bool
    supply_v: float
    stack_bytes: int
    red_zone_bytes: int
    com_port: VirtualComPort
    timestamp_pin: Pin
    smps: SmpsPins | None
    clock: ClockSetup
    usb_ids: tuple[str, ...]
    volume_labels: tuple[str, ...]
    openocd: tuple[str, ...]
    submission: SubmissionNames | None

    @property
    def env_name(self) -> str:
        """What ``CM_TINY_BOARD`` calls it: its key in capitals, with ``_`` for ``-``."""
        return self.key.upper().replace("-", "_")


def all_boards(folder: Path = FOLDER) -> tuple[BoardDescription, ...]:
    """The boards that come with the package, the default one first."""
    found = [read_board(path) for path in sorted(folder.glob("*.yaml"))]
    return tuple(sorted(found, key=lambda board: not board.is_default))


@lru_cache(maxsize=1)
def default_board() -> BoardDescription:
    """The board that is meant where nobody names one.

    Raises:
        DescriptionError: not exactly one description says that it is.
    """
    found = [board for board in all_boards() if board.is_default]
    if len(found) != 1:
        names = ", ".join(board.key for board in found) or "none"
        raise DescriptionError(f"{len(found)} boards are the default", why=names, hint="write 'default: true' in one description")
    return found[0]


def find_board(name: str = "") -> BoardDescription:
    """A board by its name, in any case and with ``_`` or ``-``, or by the path of its file; empty: the default.

    Raises:
        UsageError: the board does not exist. DescriptionError: its description cannot be used.
    """
    if not name:
        return default_board()
    if name.endswith(".yaml"):
        return read_board(Path(name))
    wanted = name.lower().replace("_", "-")
    if (FOLDER / f"{wanted}.yaml").is_file() and "/" not in wanted:
        return read_board(FOLDER / f"{wanted}.yaml")
    known = [board.env_name for board in all_boards()]
    raise UsageError(
        f"there is no description of a board '{name}'",
        hint=nearest(name.upper().replace("-", "_"), known) or f"choose one of {', '.join(known)}, or give the path of its .yaml file",
    )


def described(name: str) -> BoardDescription:
    """A board that comes with the package; for results that are kept under its name, which a file elsewhere would change unnoticed.

    Raises:
        UsageError: it is the path of a file, or the board does not exist.
    """
    if name.endswith(".yaml"):
        raise UsageError(
            f"a kept result cannot be that of the description {name}",
            why="it would be found by the file's name, whatever the file holds then",
            hint=f"put the file into {FOLDER} and name the board without .yaml",
        )
    return find_board(name)


def read_board(path: Path) -> BoardDescription:
    """A board from its file; its chip's description lies next to it, or comes with the package.

    Raises:
        DescriptionError: it is not YAML, breaks the schema, or asks for what its chip cannot do.
    """
    status = path.stat() if path.exists() else None
    row, sha256 = _content(path, (status.st_mtime_ns, status.st_size) if status else None)
    return _board(path, row, sha256, find_chip(row["chip"], path.parent))


@lru_cache(maxsize=16)
def _content(path: Path, _changed: object) -> tuple[dict[str, Any], str]:
    return read_description(path, _SCHEMA)


def _board(path: Path, row: Mapping[str, Any], sha256: str, chip: ChipDescription) -> BoardDescription:
    smps, submission = row.get("smps_pins"), row.get("submission")
    board = BoardDescription(
        key=path.stem,
        sha256=sha256,
        name=row["name"],
        chip=chip,
        is_default=row.get("default", False),
        supply_v=float(row["supply_v"]),
        stack_bytes=row["stack_bytes"],
        red_zone_bytes=row["red_zone_bytes"],
        com_port=_com_port(path, row["virtual_com_port"], chip),
        timestamp_pin=Pin.of(row["timestamp_pin"]),
        smps=None if smps is None else SmpsPins(*(Pin.of(smps[name]) for name in ("enable", "power_good", "switch"))),
        clock=_clock(row["clock"]),
        usb_ids=tuple(row["probe"]["usb_ids"]),
        volume_labels=tuple(row["probe"]["volume_labels"]),
        openocd=(row["probe"]["openocd"], chip.openocd),
        submission=None if submission is None else SubmissionNames(**submission),
    )
    _check_clock(path, board.clock, chip)
    _check_rest(path, board)
    return board


def _clock(row: Mapping[str, Any]) -> ClockSetup:
    pll: Mapping[str, int] = row["pll"]
    return ClockSetup(row["hclk_hz"], pll["m"], pll["n"], pll["r"], row["wait_states"])


def _com_port(path: Path, row: Mapping[str, str], chip: ChipDescription) -> VirtualComPort:
    uart = row["uart"]
    if uart not in chip.uart_pins:
        raise refused(path, "virtual_com_port/uart", f"the {chip.name} has no pins for {uart}", f"use one of {', '.join(chip.uart_pins)}")
    functions = []
    for end in ("tx", "rx"):
        pins = chip.uart_pins[uart][end]
        if row[end] not in pins:
            why = f"P{row[end]} is not a pin of {uart} ({end}) on the {chip.name}"
            raise refused(path, f"virtual_com_port/{end}", why, f"use one of {', '.join(pins)}")
        functions.append(pins[row[end]])
    return VirtualComPort(uart, Pin.of(row["tx"]), Pin.of(row["rx"]), *functions)


def _check_clock(path: Path, clock: ClockSetup, chip: ChipDescription) -> None:
    """The PLL makes the clock that is promised, within the chip's limits, and flash is read slowly enough."""
    limits = chip.clock
    entry, oscillator = limits.internal_hz / clock.pll_m, limits.internal_hz / clock.pll_m * clock.pll_n
    made = oscillator / clock.pll_r
    if made != clock.hclk_hz:
        why = f"{limits.internal_hz} / {clock.pll_m} * {clock.pll_n} / {clock.pll_r} is {made:g} Hz"
        raise refused(path, "clock/hclk_hz", why, "correct hclk_hz or the PLL's m, n, r")
    for name, value, (least, most) in (
        ("input", entry, limits.pll_input_hz),
        ("oscillator", oscillator, limits.pll_oscillator_hz),
    ):
        if not least <= value <= most:
            raise refused(path, "clock/pll", f"the PLL's {name} would run at {value:g} Hz; the {chip.name} allows {least} to {most}")
    if clock.hclk_hz > limits.max_hz:
        raise refused(path, "clock/hclk_hz", f"the {chip.name} runs at {limits.max_hz} Hz at most")
    if clock.hclk_hz % 1_000_000:
        raise refused(path, "clock/hclk_hz", "the microsecond timer needs whole megahertz")
    needed = next(states for states, fastest in enumerate(limits.wait_state_hz) if clock.hclk_hz <= fastest)
    if clock.wait_states < needed:
        raise refused(path, "clock/wait_states", f"flash at {clock.hclk_hz} Hz needs {needed}", f"write {needed}")


def _check_rest(path: Path, board: BoardDescription) -> None:
    least, most = board.chip.supply_v
    if not least <= board.supply_v <= most:
        raise refused(path, "supply_v", f"{board.supply_v:g} V; the {board.chip.name} takes {least:g} to {most:g} V")
    if board.stack_bytes + board.red_zone_bytes >= board.chip.ram.size:
        raise refused(path, "stack_bytes", f"stack and red zone fill the {board.chip.ram.size} bytes of RAM")
    pins = [board.com_port.tx, board.com_port.rx, board.timestamp_pin, *((board.smps.enable, board.smps.switch) if board.smps else ())]
    twice = [pin for i, pin in enumerate(pins) if pin in pins[:i]]
    if twice:
        raise refused(path, "virtual_com_port, timestamp_pin, smps_pins", f"{twice[0]} is used twice")
    known = {peripheral.name for peripheral in board.chip.peripherals}
    absent = [pin for pin in pins if pin.port_name not in known]
    if absent:
        raise refused(path, str(absent[0]), f"the {board.chip.name} has no {absent[0].port_name}")
