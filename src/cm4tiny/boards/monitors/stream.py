# SPDX-License-Identifier: Apache-2.0
"""What an LPM01A sends while it acquires, as samples, time stamps and marks of its own time.

Source: ``mlcommons/tiny`` ``benchmark/runner/power_manager/power_manager_lpm.py`` (patterns, the instrument's list of commands). Upstream
makes a value of what is left of a torn line, and drops lines that it does not know; here nothing that was damaged on its way is dropped.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import numpy as np

from cm4tiny.boards.power import PowerTrace

SAMPLE_HZ = 1000
PROMPT = "PowerShield >"
MAX_LINE_BYTES = 4096
COMPLETED = "Acquisition completed"
EVENTS_WRAP = 100
_VALUE = re.compile(r"([0-9]{4})([+-][0-9]{2})")
_DIGITS = re.compile(r"[0-9+\- ]+")
_TIME = re.compile(r"TimeStamp:\s*[<>]?\s*([0-9]{1,9})s\s+([0-9]{1,3})ms")
_EVENT = re.compile(r"event ([0-9]{1,6}) ris")
_KNOWN = ("ack", "error", "Error detail", COMPLETED, "summary", "end", "Current", "Energy")


@dataclass
class Acquisition:
    """Everything of one acquisition, in the order in which it came.

    Attributes:
        joules: energy of each sample; NaN for one that was torn.
        events: (number, samples before it) of each falling edge on the time-stamp input.
        marks: (samples before it, the instrument's time in seconds).
        strange: lines that are nothing of this.
    """

    joules: list[float] = field(default_factory=list)
    events: list[tuple[int, int]] = field(default_factory=list)
    marks: list[tuple[int, float]] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    def take(self, line: str) -> bool:
        """Takes a line of the stream; False for an answer to a command."""
        event, time = _EVENT.fullmatch(line), _TIME.match(line)
        if event:
            self.events.append((int(event[1]), len(self.joules)))
        elif time:
            self.marks.append((len(self.joules), int(time[1]) + int(time[2]) / 1000))
        elif _DIGITS.fullmatch(line):
            self.joules += values_of(line)
        elif line and not line.startswith(_KNOWN):
            self.strange.append(line[:80])
        else:
            return False
        return True

    def trace(self) -> PowerTrace:
        """The recording; nothing in it has been judged."""
        times = tuple(at / SAMPLE_HZ for _, at in self.events)
        numbers = tuple(number for number, _ in self.events)
        joules = np.asarray(self.joules, dtype=np.float64)
        return PowerTrace(1 / SAMPLE_HZ, joules, times, counters=numbers, counter_wraps=EVENTS_WRAP, marks=tuple(self.marks))


def values_of(line: str) -> list[float]:
    """The values of a line in the order of the line; a NaN for each piece that is not whole.

    ``6409-07`` is 6409e-7; several may stand in a line, with or without blanks between them.
    """
    found: list[float] = []
    place = 0
    for match in _VALUE.finditer(line):
        if line[place : match.start()].strip():
            found.append(math.nan)
        found.append(float(f"{match[1]}e{match[2]}"))
        place = match.end()
    if line[place:].strip() or not found:
        found.append(math.nan)
    return found


class LineSplitter:
    """Bytes to lines: without the prompt, CR, NUL and blanks at the ends; a line without an end is cut and stays damaged."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete now."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            whole.append(self._rest[:MAX_LINE_BYTES])
            self._rest = b""
        return [clean(line) for line in whole]


def clean(line: bytes) -> str:
    """A line as text."""
    text = line.replace(b"\0", b"").decode("ascii", "replace").replace(PROMPT, "")
    return text.strip()
