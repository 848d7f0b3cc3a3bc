# SPDX-License-Identifier: Apache-2.0
"""A serial port that breaks: stands in for what ``serial.serial_for_url`` returns, with one fault at one call."""

from __future__ import annotations

import errno
import os
import struct
import termios
import threading
from collections.abc import Callable
from typing import Any

import serial

WAYS: dict[str, Callable[[], Exception]] = {
    "EIO": lambda: OSError(errno.EIO, os.strerror(errno.EIO)),
    "ENXIO": lambda: OSError(errno.ENXIO, os.strerror(errno.ENXIO)),
    "ENODEV": lambda: OSError(errno.ENODEV, os.strerror(errno.ENODEV)),
    "EBADF": lambda: OSError(errno.EBADF, os.strerror(errno.EBADF)),
    "EPIPE": lambda: BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)),
    "reset": lambda: ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)),
    "termios": lambda: termios.error(errno.EIO, "Input/output error"),
    "serial": lambda: serial.SerialException("device reports readiness to read but returned no data (device disconnected?)"),
    "not-open": serial.PortNotOpenError,
    "closed-elsewhere": lambda: TypeError("'NoneType' object cannot be interpreted as an integer"),
    "no-attribute": lambda: AttributeError("'NoneType' object has no attribute 'fileno'"),
    "negative-descriptor": lambda: ValueError("file descriptor cannot be a negative integer (-1)"),
    "short-ioctl": lambda: struct.error("unpack requires a buffer of 4 bytes"),
}
"""How an unplugged port shows itself, by name."""

CALLS = ("open", "write", "flush", "in_waiting", "read", "timeout", "reset_input_buffer", "close")


class FaultyPort:
    """A port whose device is well until ``fault`` is called at ``at``; ``hang`` makes that call block instead."""

    def __init__(self, at: str = "", fault: Callable[[], Exception] | None = None, *, hang: bool = False, empty: bool = False) -> None:
        self.at, self.fault, self.hang, self.empty = at, fault, hang, empty
        self.is_open = False
        self.exclusive: bool | None = None
        self.calls: list[str] = []
        self.released = threading.Event()

    def _do(self, call: str) -> None:
        self.calls.append(call)
        if call == self.at:
            if self.hang:
                self.released.wait(60)
            elif self.fault is not None:
                raise self.fault()

    def open(self) -> None:
        self._do("open")
        self.is_open = True

    def write(self, data: bytes) -> int:
        self._do("write")
        return len(data)

    def flush(self) -> None:
        self._do("flush")

    def read(self, size: int = 1) -> bytes:
        self._do("read")
        if not self.empty:
            threading.Event().wait(self._timeout)
        return b""

    def reset_input_buffer(self) -> None:
        self._do("reset_input_buffer")

    def reset_output_buffer(self) -> None:
        self._do("reset_output_buffer")

    def close(self) -> None:
        self._do("close")
        self.is_open = False

    @property
    def in_waiting(self) -> int:
        self._do("in_waiting")
        return 0

    @property
    def timeout(self) -> float:
        return self._timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._timeout = seconds
        self._do("timeout")

    def url(self, *_: Any, **__: Any) -> FaultyPort:
        """In place of ``serial.serial_for_url``."""
        return self
