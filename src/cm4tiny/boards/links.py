# SPDX-License-Identifier: Apache-2.0
"""Links: byte streams to a device under test.

A runner knows the :class:`Link` protocol and nothing of ports. :class:`SerialLink` is any port pyserial can open: a board's
``/dev/ttyACM0``, a pty, ``socket://host:port``.

An unplugged port shows itself in many ways: ``OSError`` with EIO, ENXIO, ENODEV or EBADF, ``termios.error`` (which is not an ``OSError``),
pyserial's own exceptions, a ``TypeError`` from a descriptor that another thread closed, a hang-up that only ``poll`` reports, or reads that
return nothing at once. All of them are a :class:`LinkError` here, and no call blocks without a limit.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import serial

from cm4tiny.deadline import Deadline, call_within
from cm4tiny.errors import Cm4TinyError, LinkError

DEFAULT_BAUD = 115200
WRITE_S = 10.0
"""How long a device may leave bytes untaken, besides the time that they need on the line."""
CLOSE_S = 5.0
BITS_PER_BYTE = 10
_POLL_S = 0.05
_CHUNK_BYTES = 65536
_MAX_EMPTY_READS = 50
"""Reads in a row that return nothing before their time is over, from a port that no longer waits."""
_HUNG_UP = select.POLLHUP | select.POLLERR | select.POLLNVAL | select.POLLRDHUP
_HINT_LOST = "check the cable and the board's power, close other programs that use the port, then run again"


class Link(Protocol):
    """A byte stream to a device under test."""

    name: str

    def write(self, data: bytes) -> None:
        """Sends all bytes."""

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, or ``b""`` when the deadline passed.

        Raises:
            LinkError: the device is gone.
        """

    def clock(self) -> float:
        """Seconds in the device's time base: the host's monotonic clock for a port, virtual time for a virtual board."""

    def close(self) -> None:
        """Ends the link."""


class SerialLink:
    """A serial port, opened for this process alone.

    Args:
        url: what ``serial.serial_for_url`` takes: ``/dev/ttyACM0``, ``/dev/pts/5``, ``socket://127.0.0.1:7000``, ``loop://``.
        baud: bits per second; ignored by ports that have none.
        write_s: how long the device may leave bytes untaken.

    Raises:
        LinkError: absent, busy, or not permitted; the hint says which.
    """

    def __init__(self, url: str, *, baud: int = DEFAULT_BAUD, write_s: float = WRITE_S) -> None:
        self.name = url
        self._baud = baud
        self._write_s = write_s
        self._write_lock = threading.Lock()
        self._is_socket = url.startswith("socket://")
        self._stalled = False
        try:
            self._port: Any = serial.serial_for_url(url, baudrate=baud, timeout=_POLL_S, write_timeout=write_s, do_not_open=True)
            if "://" not in url:
                self._port.exclusive = True
            self._port.open()
        except Exception as error:
            raise _open_error(url, error) from error
        self._exclude_others(termios.TIOCEXCL)

    def write(self, data: bytes) -> None:
        """Sends all bytes and waits until they are on the line.

        Raises:
            LinkError: the device is gone, or does not take them in time.
        """
        with self._write_lock, self._errors():
            try:
                sent = self._port.write(data)
                if isinstance(sent, int) and sent < len(data):
                    raise OSError(errno.EIO, f"only {sent} of {len(data)} bytes were taken")
                if not self._is_socket:
                    call_within(self._write_s + 2 * len(data) * BITS_PER_BYTE / self._baud, self._port.flush)
            except (TimeoutError, serial.SerialTimeoutException) as error:
                self._stalled = True
                raise LinkError(
                    f"the device at {self.name} does not take what is sent",
                    why=f"{len(data)} bytes were not taken in {self._write_s:g} s: the line is stopped, or nobody reads at its other end",
                    hint="unplug the board, plug it in again, and check that the port is the board's own",
                ) from error

    def read(self, deadline: Deadline) -> bytes:
        """What has come in, at least one byte, or ``b""`` when the deadline passed.

        Raises:
            LinkError: the device is gone.
        """
        empty = 0
        with self._errors():
            while True:
                data = self._waiting()
                if data or deadline.expired:
                    return data
                wait_s = max(0.001, min(_POLL_S, deadline.remaining))
                self._port.timeout = wait_s
                began = time.monotonic()
                first = bytes(self._port.read(1))  # sleeps until something comes; the rest follows in one piece
                if first:
                    return first + self._waiting()
                if self._hung_up():
                    raise OSError(errno.ENODEV, "the port hung up")
                empty = empty + 1 if time.monotonic() - began < wait_s / 2 else 0
                if empty >= _MAX_EMPTY_READS:
                    raise OSError(errno.ENODEV, "the port returns nothing instead of waiting")

    def discard_input(self) -> None:
        """Drops what has come in and was not read.

        Raises:
            LinkError: the device is gone.
        """
        with self._errors():
            call_within(CLOSE_S, self._port.reset_input_buffer)

    def usable(self) -> bool:
        """Whether the port is still there and its name still means it: after flashing a probe may come back as another device."""
        descriptor = self._descriptor()
        try:
            if not self._port.is_open or self._hung_up():
                return False
            if descriptor is None or "://" in self.name:
                return True
            with self._errors():
                _ = self._port.in_waiting
            return Path(self.name).stat().st_rdev == os.fstat(descriptor).st_rdev
        except (OSError, LinkError):
            return False

    def clock(self) -> float:
        """The host's monotonic clock in seconds."""
        return time.monotonic()

    def close(self) -> None:
        """Closes the port; a second call does nothing.

        Raises:
            LinkError: the device was gone already, or the port does not close within :data:`CLOSE_S`.
        """
        with self._errors():
            if self._stalled:  # else the kernel waits up to 30 s for the output queue
                with contextlib.suppress(Exception):
                    call_within(CLOSE_S, self._port.reset_output_buffer)
            self._exclude_others(termios.TIOCNXCL)
            call_within(CLOSE_S, self._port.close)

    def _waiting(self) -> bytes:
        """What lies in the port's buffer, in one piece."""
        if self._is_socket:  # pyserial does not count what waits in a socket
            self._port.timeout = 0
            return bytes(self._port.read(_CHUNK_BYTES))
        count = self._port.in_waiting
        return bytes(self._port.read(count)) if count else b""

    def _descriptor(self) -> int | None:
        """The descriptor of a port that has one."""
        try:
            number = self._port.fileno()
        except Exception:  # loop:// and the like: io.UnsupportedOperation, or an attribute that is missing
            return None
        return number if isinstance(number, int) and number >= 0 else None

    def _hung_up(self) -> bool:
        descriptor = self._descriptor()
        if descriptor is None:
            return False
        poll = select.poll()
        poll.register(descriptor, select.POLLRDHUP)
        return any(event & _HUNG_UP for _, event in poll.poll(0))

    def _exclude_others(self, request: int) -> None:
        """Opens by programs that do not ask for pyserial's lock fail too. Not on a pty, whose other end keeps the flag for ever."""
        descriptor = self._descriptor()
        if descriptor is None or self._is_socket:
            return
        with contextlib.suppress(OSError):
            device = os.fstat(descriptor)
            if stat.S_ISCHR(device.st_mode) and not is_pty(device.st_rdev):
                fcntl.ioctl(descriptor, request)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Whatever a port raises means that the connection broke: the module's text names the ways."""
        try:
            yield
        except Cm4TinyError:
            raise
        except Exception as error:
            text = str(error) if len(error.args) < 2 else f"{error.args[1]}"
            raise LinkError(f"the connection to {self.name} broke", why=text or type(error).__name__, hint=_HINT_LOST) from error


def is_pty(device: int) -> bool:
    """Whether a device number is that of a pseudo terminal (Documentation/admin-guide/devices.txt of Linux: 136 to 143)."""
    return 136 <= os.major(device) <= 143


def _open_error(url: str, error: Exception) -> LinkError:
    why = str(error)
    number = getattr(error, "errno", None) or (error.args[0] if isinstance(error, termios.error) and error.args else None)
    if number in (errno.EACCES, errno.EPERM):
        hint = "join the port's group, log in again (or install a udev rule for the ST-LINK, 0483:374b):\nsudo usermod -aG dialout $USER"
    elif number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in why:
        hint = f"close the program that uses the port (a terminal, another run); this names it:\nfuser {url}"
    elif number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        hint = "plug the board in and list the ports:\npython -m serial.tools.list_ports"
    elif "://" in url:
        hint = "check that the other end is running and that host and port are right"
    else:
        hint = "list the ports:\npython -m serial.tools.list_ports"
    return LinkError(f"cannot open {url}", why=why or type(error).__name__, hint=hint)
