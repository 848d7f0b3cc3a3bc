# SPDX-License-Identifier: Apache-2.0
"""This machine as the doctor sees it: one object for everything that a test replaces."""

from __future__ import annotations

import grp
import os
import shutil
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serial.tools import list_ports

from cm4tiny.boards.nucleo.tools import run_tool
from cm4tiny.boards.processes import users_of
from cm4tiny.errors import BoardError

_USB = Path("/sys/bus/usb/devices")
_PROC = Path("/proc")
_MAX_TEXT = 200
TOOL_S = 10.0
CONNECT_S = 5.0


@dataclass(frozen=True)
class UsbDevice:
    """A device on USB.

    Attributes:
        usb_id: ``vendor:product``.
        serial: its serial number; empty if it has none.
        name: what it calls itself.
        node: the file through which programs reach it, as ``/dev/bus/usb/001/004``.
    """

    usb_id: str
    serial: str = ""
    name: str = ""
    node: str = ""


class HostMachine:
    """What the doctor asks of the machine that it runs on. No method raises for what it cannot see."""

    def usb_devices(self) -> list[UsbDevice]:
        """All devices on USB, from sysfs; those that vanish meanwhile are left out."""
        try:
            folders = sorted(_USB.iterdir())
        except OSError:
            return []
        found = []
        for folder in folders:
            vendor, product = _text(folder / "idVendor"), _text(folder / "idProduct")
            if len(vendor) == len(product) == 4:
                bus, number = _text(folder / "busnum"), _text(folder / "devnum")
                node = f"/dev/bus/usb/{int(bus):03}/{int(number):03}" if bus.isdigit() and number.isdigit() else ""
                found.append(UsbDevice(f"{vendor}:{product}".lower(), _text(folder / "serial"), _text(folder / "product"), node))
        return found

    def serial_ports(self) -> Iterable[Any]:
        """Serial ports as pyserial lists them."""
        listed: Iterable[Any] = list_ports.comports()
        return listed

    def may_open(self, path: str) -> bool:
        """Whether this user may read and write a file; True for one that is not there."""
        return not Path(path).exists() or os.access(path, os.R_OK | os.W_OK)

    def group_of(self, path: str) -> str:
        """The group of a file; ``dialout`` where it cannot be told."""
        try:
            return grp.getgrgid(Path(path).stat().st_gid).gr_name
        except (OSError, KeyError):
            return "dialout"

    def users_of(self, path: str) -> list[tuple[int, str]]:
        """Other processes that have a device open: number, name."""
        return users_of(Path(path))

    def programs(self) -> set[str]:
        """Names of all processes."""
        return {_text(folder / "comm") for folder in _PROC.iterdir() if folder.name.isdigit()}

    def which(self, program: str) -> str:
        """Path of a program; empty if it is not installed."""
        return shutil.which(program) or ""

    def output_of(self, *command: str) -> str:
        """What a tool prints; empty if it does not run."""
        try:
            return run_tool(command, TOOL_S).text
        except BoardError:
            return ""

    def exists(self, path: str) -> bool:
        """Whether a file is there."""
        return Path(path).exists()

    def free_bytes(self, folder: Path) -> int | None:
        """Free space of the disk that a folder is, or would be, on; None where it cannot be told."""
        place = next((part for part in (folder.absolute(), *folder.absolute().parents) if part.is_dir()), Path("/"))
        try:
            return shutil.disk_usage(place).free
        except OSError:
            return None

    def connects(self, host: str, port: int) -> str:
        """Why a server cannot be reached; empty if it can."""
        try:
            socket.create_connection((host, port), CONNECT_S).close()
        except OSError as error:
            return error.strerror or str(error) or type(error).__name__
        return ""


def _text(path: Path) -> str:
    """One line of a file of sysfs or proc, printable and of bounded length; empty if it cannot be read."""
    try:
        with path.open("rb") as stream:
            line = stream.read(_MAX_TEXT).decode("utf-8", "replace")
    except OSError:
        return ""
    return "".join(letter for letter in line if letter.isprintable()).strip()
