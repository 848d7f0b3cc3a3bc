"""Links: byte streams to a device under test.

A runner knows the :class:`Link` protocol and nothing of ports. :class:`SerialLink` is any port pyserial can open: a board's
``/dev/ttyACM0``, a pty, ``socket://host:port``.
"""

from __future__ import annotations

import errno
import threading
import time
from typing import Any, Protocol

import serial

from cm4tiny.deadline import Deadline
from cm4tiny.errors import LinkError

DEFAULT_BAUD = 115200
_POLL_S = 0.05
_CHUNK_BYTES = 65536


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

    Raises:
        LinkError: absent, busy, or not permitted; the cure says which.
    """

    def __init__(self, url: str, *, baud: int = DEFAULT_BAUD) -> None:
        self.name = url
        self._write_lock = threading.Lock()
        self._is_socket = url.startswith("socket://")
        try:
            self._port: Any = serial.serial_for_url(url, baudrate=baud, timeout=_POLL_S, write_timeout=10.0, do_not_open=True)
            if "://" not in url:
                self._port.exclusive = True
            self._port.open()
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise _open_error(url, error) from error

    def write(self, data: bytes) -> None:
        """Sends all bytes.

        Raises:
            LinkError: the device is gone or does not take them.
        """
        try:
            with self._write_lock:
                self._port.write(data)
                self._port.flush()
        except (OSError, serial.SerialException, TypeError, AttributeError) as error:
            raise self._lost(error) from error

    def read(self, deadline: Deadline) -> bytes:
        """What has come in, at least one byte, or ``b""`` when the deadline passed.

        Raises:
            LinkError: the device is gone.
        """
        try:
            while True:
                data = self._waiting()
                if data or deadline.expired:
                    return data
                self._port.timeout = max(0.001, min(_POLL_S, deadline.remaining))
                first = bytes(self._port.read(1))  # sleeps until something comes; the rest follows in one piece
                if first:
                    return first + self._waiting()
        except (OSError, serial.SerialException, TypeError, AttributeError) as error:
            raise self._lost(error) from error

    def clock(self) -> float:
        """The host's monotonic clock in seconds."""
        return time.monotonic()

    def close(self) -> None:
        """Closes the port."""
        self._port.close()

    def _waiting(self) -> bytes:
        """What lies in the port's buffer, in one piece."""
        if self._is_socket:  # pyserial does not count what waits in a socket
            self._port.timeout = 0
            return bytes(self._port.read(_CHUNK_BYTES))
        count = self._port.in_waiting
        return bytes(self._port.read(count)) if count else b""

    def _lost(self, error: Exception) -> LinkError:
        # pyserial raises TypeError or AttributeError when another thread closes the port under a read
        return LinkError(
            f"the connection to {self.name} broke",
            why=str(error) or type(error).__name__,
            cure="check the cable and the board's power, close other programs that use the port, then run again",
        )


def _open_error(url: str, error: Exception) -> LinkError:
    why = str(error)
    number = getattr(error, "errno", None)
    if number in (errno.EACCES, errno.EPERM):
        cure = "join the port's group (sudo usermod -aG dialout $USER, log in again) or install a udev rule for the ST-LINK (0483:374b)"
    elif number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in why:
        cure = "close the program that uses the port (a terminal, another run); `fuser " + url + "` names it"
    elif number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        cure = "plug the board in and list the ports: python -m serial.tools.list_ports"
    elif "://" in url:
        cure = "check that the other end is running and that host and port are right"
    else:
        cure = "list the ports: python -m serial.tools.list_ports"
    return LinkError(f"cannot open {url}", why=why, cure=cure)
