# SPDX-License-Identifier: Apache-2.0
"""Which processes of this machine use a serial device, from ``/proc``. Only those that this user may look into are seen."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_LISTENING = "0A"
_STANDARD_STREAMS = ("0", "1", "2")


def users_of(device: Path) -> list[tuple[int, str]]:
    """Other processes that have a character device open: (pid, name of the program)."""
    try:
        wanted = device.stat()
    except OSError:
        return []
    if not stat.S_ISCHR(wanted.st_mode):
        return []
    return sorted({(pid, _program(pid)) for pid, _, found in _open_devices("/dev/") if found == wanted.st_rdev and pid != os.getpid()})


def terminals_behind(host: str, port: int) -> frozenset[int]:
    """Device numbers of the terminals that the process which listens on a TCP port of this machine has open; none for another machine.

    Left out are its standard streams and its controlling terminal, from which it was merely started.
    """
    if not _is_here(host, port):
        return frozenset()
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    servers = {pid for pid, _, link in _descriptors() if link in sockets}
    own = {pid: _controlling_terminal(pid) for pid in servers}
    return frozenset(
        device
        for start in ("/dev/pts/", "/dev/tty")
        for pid, number, device in _open_devices(start, servers)
        if number not in _STANDARD_STREAMS and device != own[pid]
    )


def _is_here(host: str, port: int) -> bool:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.bind((address[0], 0))  # works for an address of this machine only
                return True
        except OSError:
            continue
    return False


def _listening(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text(encoding="ascii", errors="replace").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if len(words) > 9 and words[3] == _LISTENING and int(words[1].rpartition(":")[2], 16) == port:
                yield words[9]


def _descriptors(pids: set[int] | None = None) -> Iterator[tuple[int, str, str]]:
    """(pid, descriptor, what it is open on)."""
    for folder in _PROC.iterdir() if pids is None else (_PROC / str(pid) for pid in pids):
        if not folder.name.isdigit():
            continue
        try:
            for name in os.listdir(folder / "fd"):  # noqa: PTH208 - a process may end in the middle
                yield int(folder.name), name, os.readlink(folder / "fd" / name)  # noqa: PTH115
        except OSError:
            continue


def _open_devices(start: str, pids: set[int] | None = None) -> Iterator[tuple[int, str, int]]:
    """(pid, descriptor, device number) of what is open by a name that starts so."""
    for pid, number, link in _descriptors(pids):
        if link.startswith(start):
            try:
                yield pid, number, (_PROC / str(pid) / "fd" / number).stat().st_rdev
            except OSError:
                continue


def _controlling_terminal(pid: int) -> int:
    try:
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        number = int(fields[4])
    except (OSError, ValueError, IndexError):
        return 0
    return os.makedev(number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00)  # proc(5), tty_nr


def _program(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "?"
