# SPDX-License-Identifier: Apache-2.0
"""Finds a board's virtual COM port by the USB ids of its probe, and says what to do when it may not be opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serial.tools import list_ports

from cm4tiny.boards.boards import BoardDescription
from cm4tiny.errors import LinkError

RULES_FILE = "/etc/udev/rules.d/49-cm4tiny-stlink.rules"


@dataclass(frozen=True)
class SerialPort:
    """A serial port of a probe. ``usb_id`` is ``vendor:product``, ``serial`` the probe's serial number."""

    device: str
    usb_id: str
    serial: str
    description: str = ""


Listed = Callable[[], Iterable[Any]]
"""Lists the serial ports of this machine, as pyserial does."""


def all_ports(listed: Listed | None = None) -> list[SerialPort]:
    """All serial ports on USB, by device name. A port that vanishes while it is read is left out, with the rest of that listing."""
    found = []
    try:
        for info in (listed or list_ports.comports)():
            if info.vid is not None and info.pid is not None:
                found.append(SerialPort(info.device, f"{info.vid:04x}:{info.pid:04x}", info.serial_number or "", info.description or ""))
    except (OSError, TypeError, ValueError, AttributeError):  # pyserial reads several files of sysfs for each
        pass
    return sorted(found, key=lambda port: port.device)


def ports(row: BoardDescription, listed: Listed | None = None) -> list[SerialPort]:
    """The ports of all probes of the board's kind, by device name."""
    return [port for port in all_ports(listed) if port.usb_id in row.usb_ids]


def port_of(device: str, listed: Listed | None = None) -> SerialPort | None:
    """The USB port that a name means: the name itself, or a link to it such as one in ``/dev/serial/by-id``."""
    meant = os.path.realpath(device)
    return next((port for port in all_ports(listed) if os.path.realpath(port.device) == meant), None)


def find_port(row: BoardDescription, probe: str = "", device: str = "", listed: Listed | None = None) -> str:
    """The device to open.

    Args:
        probe: serial number of the probe, or its end; needed when several are plugged in.
        device: what the user chose (``/dev/ttyACM0``, ``socket://...``); taken as it is.

    Raises:
        LinkError: no port, several, or one that this user may not open.
    """
    return device or only_port(row, probe, listed).device


def only_port(row: BoardDescription, probe: str = "", listed: Listed | None = None) -> SerialPort:
    """The port of the one board that is meant; raises as :func:`find_port`."""
    found = [port for port in ports(row, listed) if port.serial.upper().endswith(probe.upper())]
    if not found:
        raise LinkError(
            f"no {row.name} is plugged in" + (f" whose probe ends with {probe}" if probe else ""),
            why=f"no serial port has one of the USB ids {', '.join(row.usb_ids)}",
            hint="connect the board's ST-LINK connector with a data cable; this lists all ports:\npython -m serial.tools.list_ports -v",
        )
    if len(found) > 1:
        raise several_boards(found)
    port = found[0]
    if Path(port.device).exists() and not os.access(port.device, os.R_OK | os.W_OK):
        raise LinkError(f"{port.device} may not be opened by this user", why="no permission", hint=permission_hint(row))
    return port


def several_boards(found: Iterable[SerialPort]) -> LinkError:
    """Nobody said which of several boards is meant."""
    named = [f"{port.device} has the probe {port.serial or 'without a serial number'}" for port in found]
    return LinkError(f"{len(named)} boards are plugged in", why="; ".join(named), hint="name one: --probe=SERIAL or --port=DEVICE")


def udev_rules(row: BoardDescription) -> str:
    """Rules that let the user at the machine's seat, and the group ``plugdev``, use probe and port without root."""
    lines = [f"# {row.name}: ST-LINK, for flashing (usb) and its virtual COM port (tty)"]
    for usb_id in row.usb_ids:
        vendor, product = usb_id.split(":")
        ids = f'ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}"'
        for subsystem in ("usb", "tty"):
            lines.append(f'SUBSYSTEM=="{subsystem}", {ids}, MODE="0660", GROUP="plugdev", TAG+="uaccess"')
    return "\n".join(lines) + "\n"


def permission_hint(row: BoardDescription) -> str:
    """What to type when a probe or a port may not be opened."""
    rules = udev_rules(row).rstrip("\n")
    return f"write these lines into {RULES_FILE} as root, run 'udevadm control --reload' and plug the board in again:\n{rules}"
