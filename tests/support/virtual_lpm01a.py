# SPDX-License-Identifier: Apache-2.0
"""A virtual LPM01A: the instrument's text protocol for a board whose time and edges it is handed, as a link or on a pseudo terminal.

Spellings: ``mlcommons/tiny`` ``benchmark/runner/power_manager/power_manager_lpm.py``: ``ack COMMAND``, prompt, ``dddd-dd`` samples in
joules, ``TimeStamp: SSSs MMMms, buff NN%`` once for 1,000 samples, ``event NN ris`` for a falling edge.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import tty
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cm4tiny.deadline import Deadline

PERIOD_S = 0.001
PROMPT = "PowerShield > "


@dataclass
class VirtualLpm01a:
    """The instrument. Faults: see the attributes; each is one that users or the fault book report.

    Attributes:
        now: the board's time in seconds.
        edges: times of the time-stamp pin's falling edges.
        watts: power at a time.
        damage: (lines of a stream) -> what reaches the host.
        silent_on: commands that it does not answer.
        refuses: commands that it answers with an error.
        streaming: it was left acquiring by an interrupted run.
        supply_v: what it says when it is asked, in place of what was set.
        version: of its firmware.
        packed: how many values stand in a line.
    """

    now: Callable[[], float]
    edges: Sequence[float] = ()
    watts: Callable[[float], float] = lambda at: 0.03
    damage: Callable[[list[str]], list[str]] = lambda lines: lines
    silent_on: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    streaming: bool = False
    supply_v: float | None = None
    version: str = "1.0.7"
    packed: int = 1
    name: str = "virtual LPM01A"
    asked: list[str] = field(default_factory=list)
    powered: bool = False

    def __post_init__(self) -> None:
        self._out, self._in = b"", b""
        self._set_mv = 3300
        self._began: float | None = self.now() if self.streaming else None
        self._sent = self._events = self._seen = 0
        self._lock = threading.Lock()

    # --- link -----------------------------------------------------------------------------------------------------------------
    def clock(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        with self._lock:
            self._in += data
            *commands, self._in = self._in.split(b"\r\n")
            for command in commands:
                self._obey(command.decode("ascii"))

    def read(self, deadline: Deadline) -> bytes:
        with self._lock:
            self._stream()
            data, self._out = self._out, b""
        if not data:
            time.sleep(min(0.002, deadline.remaining))
        return data

    # --- instrument -----------------------------------------------------------------------------------------------------------
    def _say(self, text: str) -> None:
        self._out += f"{text}\r\n".encode("latin-1")

    def _obey(self, command: str) -> None:
        self.asked.append(command)
        if command == "" or any(command.startswith(word) for word in self.silent_on):
            return
        if any(command.startswith(word) for word in self.refuses):
            self._say(f"{PROMPT}error {command}")
            self._say("Error detail: parameter not supported")
            return
        if command == "stop":
            self._stream()
            if self._began is not None:
                self._say(f"{PROMPT}ack stop")
                self._say("summary beg")
                self._say("summary end")
                self._say("Acquisition completed")
            self._began = None
            return
        self._say(f"{PROMPT}ack {command}" + (f" {self._volts()}" if command == "volt get" else ""))
        if command == "version":
            self._say(f"{PROMPT}{self.version}")
        self._act(command.split())

    def _act(self, words: list[str]) -> None:
        if words[0] == "start":
            self._began, self._sent = self.now(), 0
            self._seen = sum(edge < self._began for edge in self.edges)
        elif words[0] == "volt" and words[1] != "get":
            self._set_mv = int(words[1].removesuffix("m"))
        elif words[0] == "pwr":
            self.powered = words[1] == "on"

    def _volts(self) -> str:
        return f"{round(1000 * self.supply_v) if self.supply_v is not None else self._set_mv}m"

    def _stream(self) -> None:
        """Everything up to now."""
        if self._began is None:
            return
        began, lines = self._began, []
        values: list[str] = []
        edges = [edge - began for edge in self.edges[self._seen :]]
        place = 0
        for number in range(self._sent, int((self.now() - began) / PERIOD_S + 1e-6)):
            while place < len(edges) and edges[place] < (number + 1) * PERIOD_S:
                lines += ["".join(values)] if values else []
                values = []
                lines.append(f"event {self._events % 100:02d} ris")
                self._events += 1
                place += 1
            if number and number % 1000 == 0:
                lines += ["".join(values)] if values else []
                values = []
                lines.append(f"TimeStamp: {number // 1000:03d}s {number % 1000:03d}ms, buff 00%")
            values.append(f"{value_text(self.watts(began + number * PERIOD_S) * PERIOD_S)}")
            if len(values) == self.packed:
                lines.append("".join(values))
                values = []
            self._sent = number + 1
        self._seen += place
        lines += ["".join(values)] if values else []
        for line in self.damage(lines):
            self._say(line)


def value_text(joules: float) -> str:
    """Four digits and an exponent of ten, as the instrument prints."""
    if joules <= 0:
        return "0000-09"
    exponent = 0
    while joules < 1000:
        joules, exponent = joules * 10, exponent - 1
    return f"{round(joules):04d}{exponent:+03d}" if round(joules) < 10000 else f"1000{exponent + 1:+03d}"


class LpmPort:
    """A pseudo terminal with a virtual LPM01A at its other end, served by a thread."""

    def __init__(self, instrument: VirtualLpm01a) -> None:
        self.instrument = instrument
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="virtual-lpm01a", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        pending = b""
        while not self._stop.is_set():
            ready, writable, _ = select.select([self._master], [self._master] if pending else [], [], 0.01)
            try:
                if ready:
                    self.instrument.write(os.read(self._master, 4096))
                pending += self.instrument.read(Deadline(0.0))
                if writable:
                    pending = pending[os.write(self._master, pending[:2048]) :]
            except OSError:
                return

    def close(self) -> None:
        """Ends the thread and the terminal."""
        self._stop.set()
        self._thread.join(5)
        for descriptor in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)
