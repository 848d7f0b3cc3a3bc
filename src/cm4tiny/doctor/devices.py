# SPDX-License-Identifier: Apache-2.0
"""Which devices on USB are boards, instruments or adapters, and which serial ports belong to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.boards.boards import all_boards
from cm4tiny.boards.nucleo.ports import SerialPort, all_ports
from cm4tiny.doctor.machine import HostMachine, UsbDevice

_HERE = Path(__file__).parent
BOARD = "board"


@dataclass(frozen=True)
class KnownDevice:
    """A row of the table: ``usb_id``, ``role`` and ``name``."""

    usb_id: str
    role: str
    name: str


@cache
def known_devices() -> Mapping[str, KnownDevice]:
    """What is known by its USB ids, boards that are described not included.

    Raises:
        AssetError: the table is missing or breaks its schema.
    """
    rows = load_table(_HERE / "devices.yaml", _HERE / "devices.schema.json")["devices"]
    return {usb_id: KnownDevice(usb_id, **row) for usb_id, row in rows.items()}


@dataclass(frozen=True)
class BenchDevice:
    """A device that belongs to a bench.

    Attributes:
        usb: as the system sees it; one whose port is seen only has no node.
        role: ``board``, or a role of the table.
        name: of the kind of device.
        ports: its serial ports.
    """

    usb: UsbDevice
    role: str
    name: str
    ports: tuple[str, ...]

    @property
    def subject(self) -> str:
        """For messages."""
        return f"{self.name} ({self.usb.usb_id}" + (f", {self.usb.serial})" if self.usb.serial else ")")

    def as_json(self) -> dict[str, Any]:
        """As ``doctor.json`` keeps it."""
        return {
            "usb_id": self.usb.usb_id,
            "serial": self.usb.serial,
            "role": self.role,
            "name": self.name,
            "ports": list(self.ports),
        }


def bench_devices(machine: HostMachine) -> list[BenchDevice]:
    """The boards, instruments and adapters that are plugged in, by USB ids and serial number."""
    ports = all_ports(machine.serial_ports)
    seen = {(usb.usb_id, usb.serial): usb for usb in machine.usb_devices()}
    for port in ports:  # a container may have the port without a view of USB
        seen.setdefault((port.usb_id, port.serial), UsbDevice(port.usb_id, port.serial, port.description))
    found = []
    for key in sorted(seen):
        role, name = _kind_of(seen[key].usb_id)
        if role:
            found.append(BenchDevice(seen[key], role, name, tuple(port.device for port in ports if _same(port, seen[key]))))
    return found


def _same(port: SerialPort, usb: UsbDevice) -> bool:
    return (port.usb_id, port.serial) == (usb.usb_id, usb.serial)


def _kind_of(usb_id: str) -> tuple[str, str]:
    """Role and name; empty for what belongs to no bench."""
    board = next((row for row in all_boards() if usb_id in row.usb_ids), None)
    if board is not None:
        return BOARD, f"{board.name} (ST-LINK V2-1)"
    known = known_devices().get(usb_id)
    return (known.role, known.name) if known else ("", "")
