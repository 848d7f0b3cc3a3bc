"""Finds a board's virtual COM port by the USB ids of its probe, and says what to do when it may not be opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from serial.tools import list_ports

from cm4tiny.boards.nucleo.table import BoardRow
from cm4tiny.errors import LinkError

RULES_FILE = "/etc/udev/rules.d/49-cm4tiny-stlink.rules"


@dataclass(frozen=True)
class Port:
    """A serial port of a probe. ``usb_id`` is ``vendor:product``, ``serial`` the probe's serial number."""

    device: str
    usb_id: str
    serial: str
    description: str = ""


def ports(row: BoardRow, listed: Callable[[], Iterable[Any]] = list_ports.comports) -> list[Port]:
    """The ports of all probes of the board's kind, by device name."""
    found = []
    for info in listed():
        if info.vid is None or info.pid is None:
            continue
        usb_id = f"{info.vid:04x}:{info.pid:04x}"
        if usb_id in row.usb_ids:
            found.append(Port(info.device, usb_id, info.serial_number or "", info.description or ""))
    return sorted(found, key=lambda port: port.device)


def find_port(row: BoardRow, probe: str = "", device: str = "", listed: Callable[[], Iterable[Any]] = list_ports.comports) -> str:
    """The device to open.

    Args:
        probe: serial number of the probe, or its end; needed when several are plugged in.
        device: what the user chose (``/dev/ttyACM0``, ``socket://...``); taken as it is.

    Raises:
        LinkError: no port, several, or one that this user may not open.
    """
    if device:
        return device
    found = [port for port in ports(row, listed) if port.serial.upper().endswith(probe.upper())]
    if not found:
        raise LinkError(
            f"no {row.name} is plugged in" + (f" whose probe ends with {probe}" if probe else ""),
            why=f"no serial port has one of the USB ids {', '.join(row.usb_ids)}",
            cure="connect the board's ST-LINK connector with a data cable; 'python -m serial.tools.list_ports -v' lists all ports",
        )
    if len(found) > 1:
        raise LinkError(
            f"{len(found)} boards are plugged in",
            why="; ".join(f"{port.device} has the probe {port.serial}" for port in found),
            cure="name one: --probe=SERIAL or --port=DEVICE",
        )
    port = found[0]
    if os.path.exists(port.device) and not os.access(port.device, os.R_OK | os.W_OK):  # noqa: PTH110 - a device, not a file
        raise LinkError(f"{port.device} may not be opened by this user", why="no permission", cure=permission_cure(row))
    return port.device


def udev_rules(row: BoardRow) -> str:
    """Rules that let the user at the machine's seat, and the group ``plugdev``, use probe and port without root."""
    lines = [f"# {row.name}: ST-LINK, for flashing (usb) and its virtual COM port (tty)"]
    for usb_id in row.usb_ids:
        vendor, product = usb_id.split(":")
        ids = f'ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}"'
        for subsystem in ("usb", "tty"):
            lines.append(f'SUBSYSTEM=="{subsystem}", {ids}, MODE="0660", GROUP="plugdev", TAG+="uaccess"')
    return "\n".join(lines) + "\n"


def permission_cure(row: BoardRow) -> str:
    """What to type when a probe or a port may not be opened."""
    rules = udev_rules(row).rstrip("\n")
    return f"write these lines into {RULES_FILE} as root, run 'udevadm control --reload' and plug the board in again:\n{rules}"
