# SPDX-License-Identifier: Apache-2.0
"""Which board a run means, and the locks that keep other runs off it.

A board has many names: ``/dev/ttyACM0``, a link in ``/dev/serial/by-id``, a ``socket://`` that another program serves, the number of its
probe. The lock is on the thing: the probe's serial number, the chip's unique id, the device number of the terminal.
"""

from __future__ import annotations

import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cm4tiny.boards.boards import BoardDescription
from cm4tiny.boards.links import is_pty
from cm4tiny.boards.nucleo.ports import Listed, SerialPort, only_port, port_of, ports, several_boards
from cm4tiny.boards.processes import terminals_behind, users_of
from cm4tiny.errors import BusyError, LinkError, UsageError
from cm4tiny.locks import HeldLock, acquire
from cm4tiny.paths import user_cache


@dataclass(frozen=True)
class ClaimTarget:
    """One board.

    Attributes:
        row: its row in the table.
        device: its port: a device, or a URL.
        probe: serial number of its probe; empty if it has none, or none that can be seen from here.
    """

    row: BoardDescription
    device: str
    probe: str

    @property
    def is_url(self) -> bool:
        """Whether the port is a URL, which keeps its name."""
        return "://" in self.device

    def device_now(self, listed: Listed | None = None) -> str:
        """The port's name at the moment: a probe that was plugged in again may have another one."""
        if self.is_url or not self.probe:
            return self.device
        return next((port.device for port in ports(self.row, listed) if port.serial == self.probe), self.device)


def locate(row: BoardDescription, port: str = "", probe: str = "", *, writes: bool, listed: Listed | None = None) -> ClaimTarget:
    """The board that a user means.

    Args:
        port: device or URL that was named; empty: found by the USB ids of the board's probe.
        probe: serial number of the probe, or its end; empty: the port's, or the only one.
        writes: the board will be flashed, so its probe must be known where there are several.

    Raises:
        LinkError: no board, several, or no permission. UsageError: the port is not that of the probe.
    """
    if not port:
        found = only_port(row, probe, listed)
        return ClaimTarget(row, found.device, found.serial)
    own = None if "://" in port else port_of(port, listed)
    if own is not None and own.usb_id in row.usb_ids:
        if not own.serial.upper().endswith(probe.upper()):
            raise UsageError(
                f"{port} is not the port of the probe {probe}",
                why=f"it is that of the probe {own.serial or 'without a serial number'}",
                hint="leave out --port or --probe",
            )
        return ClaimTarget(row, port, own.serial)
    return ClaimTarget(row, port, _probe(ports(row, listed), probe, writes))


def probe_for_tools(target: ClaimTarget) -> str:
    """The serial number of the board's probe as a flash tool can take it: OpenOCD reads arguments as Tcl, and some probes have odd bytes.

    Raises:
        LinkError: it cannot be given to a tool, and there are several probes.
    """
    if (target.probe.isascii() and target.probe.isalnum()) or not target.probe:
        return target.probe
    plugged = ports(target.row)
    if len(plugged) > 1:
        raise LinkError(
            f"the serial number {target.probe!r} of the probe cannot be given to a flash tool",
            why=f"it holds other characters than letters and digits, and {len(plugged)} boards are plugged in",
            hint="unplug the other boards",
        )
    return ""


def _probe(plugged: list[SerialPort], probe: str, writes: bool) -> str:
    """The probe of a board whose port does not show it: a pty, a socket, a serial adapter on the board's pins."""
    if not probe and not writes:
        return ""
    fitting = [found for found in plugged if found.serial.upper().endswith(probe.upper())]
    if len(fitting) > 1:
        raise several_boards(fitting)
    return fitting[0].serial if fitting else probe


class Claim:
    """Locks on one board, held until :meth:`release`.

    Raises:
        BusyError: another run, or another program, uses the board; names the process.
        LockingError: the cache's file system cannot lock.
    """

    def __init__(self, target: ClaimTarget) -> None:
        self._subject = f"the {target.row.name} at {target.device}"
        self._held: dict[str, HeldLock] = {}
        self.add(*_keys(target))
        try:
            _check_users(target)
        except BaseException:
            self.release()
            raise

    def add(self, *keys: str) -> None:
        """Locks more of what identifies the board. If one of it is in use, everything is released."""
        try:
            for key in sorted(set(keys) - set(self._held)):
                name = "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in key)
                self._held[key] = acquire(
                    user_cache() / "boards" / f"{name}.lock",
                    subject=self._subject,
                    hint="wait for it to end, or name another board: --probe=SERIAL",
                )
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Lets other runs use the board."""
        for lock in self._held.values():
            lock.release()
        self._held.clear()


def probe_key(serial: str) -> str:
    """The lock of a probe."""
    return f"probe-{serial.upper()}"


def _keys(target: ClaimTarget) -> list[str]:
    keys = [probe_key(target.probe)] if target.probe else []
    if target.is_url:
        return keys + _url_keys(target.device)
    device = Path(os.path.realpath(target.device))
    try:
        found = device.stat()
    except OSError:
        return [*keys, f"port-{device}"]
    return [*keys, _terminal_key(found.st_rdev) if stat.S_ISCHR(found.st_mode) else f"port-{device}"]


def _terminal_key(device: int) -> str:
    return f"tty-{os.major(device)}-{os.minor(device)}"


def _url_keys(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return [f"url-{url}"]
    if not host or port is None:
        return [f"url-{url}"]
    try:
        host = min(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        host = host.lower()
    host = "127.0.0.1" if host == "::1" else host
    return [f"url-{host}-{port}", *map(_terminal_key, terminals_behind(host, port))]


def _check_users(target: ClaimTarget) -> None:
    """A program that has the port open takes bytes away. The server of a pty keeps it open, so a pty is not looked at."""
    if target.is_url:
        return
    device = Path(target.device)
    try:
        if is_pty(device.stat().st_rdev):
            return
    except OSError:
        return
    users = users_of(device)
    if users:
        raise BusyError(
            f"another program uses {target.device}",
            why="it is open in " + ", ".join(f"process {pid} ({program})" for pid, program in users[:4]),
            hint="close that program, then run again",
        )
