# SPDX-License-Identifier: Apache-2.0
"""Serial lines with one fault each, at whose other end benchmark firmware runs: the virtual counterparts of the doctor's tests.

:class:`SickLine` opens like a port at a speed, on the scripted device's own clock; :class:`SickPort` is a pseudo terminal with the same at
its other end, in host time.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import threading
import tty
from collections.abc import Callable
from dataclasses import dataclass, field

from support.scripted_device import ScriptedDevice

from cm4tiny.deadline import Deadline
from cm4tiny.errors import LinkError

Disturb = Callable[[str, bytes], bytes]
NOISE = bytes((0xFE, 0x81, 0xC3, 0x00, 0xF8))


def healthy(**parts: object) -> ScriptedDevice:
    """Firmware without a fault; its buffer takes what the doctor loads."""
    return ScriptedDevice(input_bytes=490, results=12, **parts)  # type: ignore[arg-type]


def dropping(every: int, direction: str) -> Disturb:
    """Loses one byte in so many that go in a direction (``to`` or ``from`` the device)."""
    count = 0

    def disturb(way: str, data: bytes) -> bytes:
        nonlocal count
        if way != direction:
            return data
        kept = bytearray()
        for byte in data:
            count += 1
            if count % every:
                kept.append(byte)
        return bytes(kept)

    return disturb


@dataclass
class SickLine:
    """What an opener returns: ``line(port, baud)``.

    Attributes:
        device: at the other end.
        baud: of its UART.
        fault: empty, or one of ``silent``, ``echo``, ``noise``, ``chatter``, ``console``, ``first-lost``, ``absent``.
        opened: the speeds at which the port was opened.
    """

    device: ScriptedDevice = field(default_factory=healthy)
    baud: int = 115200
    fault: str = ""
    opened: list[int] = field(default_factory=list)

    def __call__(self, port: str, baud: int) -> _Opened:
        if self.fault == "absent":
            raise LinkError(f"cannot open {port}", why="No such file or directory", hint="plug the board in")
        self.opened.append(baud)
        return _Opened(self, port, baud)


class _Opened:
    def __init__(self, line: SickLine, port: str, baud: int) -> None:
        self.line, self.name, self.baud = line, port, baud
        self._own = b""
        self._first = True
        self._ticked = -1.0

    def clock(self) -> float:
        return self.line.device.clock()

    def close(self) -> None:
        pass

    def discard_input(self) -> None:
        self._own = b""
        self.line.device.read(Deadline(0.0, self.clock))

    def write(self, data: bytes) -> None:
        fault = self.line.fault
        if fault == "echo":
            self._own += data
        elif fault == "noise" or self.baud != self.line.baud:
            self._own += NOISE if fault != "silent" else b""
        elif fault == "console":
            self._own += data + b"\r\nuart:~$ name%: command not found\r\n"
        elif fault == "first-lost" and self._first:
            self._first = False
        elif fault != "silent":
            self.line.device.write(data)

    def read(self, deadline: Deadline) -> bytes:
        if self.line.fault == "chatter" and self.line.device.now - self._ticked > 0.1:
            self._ticked = self.line.device.now
            return b"debug: tick\r\n"
        if self._own:
            heard, self._own = self._own, b""
            return heard
        return self.line.device.read(deadline)


SPEEDS = {getattr(termios, name): int(name[1:]) for name in dir(termios) if name[0] == "B" and name[1:].isdigit()}


class SickPort:
    """A pseudo terminal with a :class:`SickLine` at its other end, served by a thread; the speed is what the port was opened with."""

    def __init__(self, line: SickLine) -> None:
        self.line = line
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="sick-port", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        link, speed = None, 0
        while not self._stop.is_set():
            ready, _, _ = select.select([self._master], [], [], 0.01)
            try:
                now = SPEEDS.get(termios.tcgetattr(self._slave)[4], 0)
                if link is None or now != speed:
                    link, speed = self.line(self.device, now), now
                if ready:
                    link.write(os.read(self._master, 4096))
                while said := link.read(Deadline(0.01, link.clock)):
                    os.write(self._master, said)
            except OSError:
                return

    def close(self) -> None:
        """Ends the thread and the terminal."""
        self._stop.set()
        self._thread.join(5)
        for descriptor in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)
