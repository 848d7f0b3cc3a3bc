# SPDX-License-Identifier: Apache-2.0
"""The lines of a ``log.txt`` that the session's record gives, collected while the log is read.

A *group* is what the log says of one input, from "Loading file" on; the *summary* is what it says at the end, which is ``results.txt`` once
more. Lines are compared without their host time stamps and with single blanks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cm4tiny.results.rounds.lines import printable

MAX_GROUPS = 200_000
MAX_SUMMARY = 20_000
LOADING = "Loading file "
_GROUP = (
    *("Load complete", "Running inference", "done", "Performance results for window", "# Inferences", "Runtime", "Throughput", "m-results"),
    "Captured samples",
)
_STAMPED_SUMMARY = ("-----", "Median throughput", "Top 1%", "AUC")
_SUMMARY = (
    *(
        "Performance results for window",
        "# Inferences",
        "Runtime:",
        "Runtime req",
        "Throughput:",
        "Power Edition",
        "Energy data for",
        "Elapsed time :",
    ),
    *("Inferences :", "Power :", "Total Energy", "Energy/Inf", "Median energy", "Accuracy:", "Average duty", "Average period"),
    *("Estimated throughput", "-" * 57),
)
_ALONE = ("Running inference", "done", "Captured samples")
_STREAM = ("Playing ", "Duty cycle =", "samples:", "== File", "False negatives:", "False positives:", "No activation data", "No duty cycle")
_STAMP = re.compile(rb"[0-9]{4}\.[0-9]{6} ulp-mlperf: *")
_BEGIN, _END = "Logging initialized. Writing output to ", "Session logged in file "
_LABELS = ("SIMULATED:", "OPEN DIVISION:")
_VOLTS = re.compile(r"Power monitor: .* at (.*)V\Z")
_FULL_SET = re.compile(r"No loop count specified\. Using full set \((.*)test files\)")


def without_stamp(line: bytes) -> tuple[str, bool]:
    """A line with single blanks and without the runner's time stamp, and whether it had one."""
    stamp = _STAMP.match(line)
    text = line[stamp.end() :] if stamp else line
    return " ".join(text.decode("ascii", "backslashreplace").split()), stamp is not None


def is_summary(text: str, stamped: bool) -> bool:
    """True for a line of ``results.txt`` or of the log's summary that the record gives."""
    return text.startswith(_STAMPED_SUMMARY if stamped else _SUMMARY)


@dataclass
class LogRecord:
    """What the log says about the session's record.

    Attributes:
        groups: of each input its lines joined by line feeds, and the number of the first one.
        summary: lines at the end with their numbers.
        stream: lines about a recording that was played, by their beginning, with their numbers.
        detections: number of the line with the list of detections; 0 without one.
        begins / ends: the log's own place as its first and last line have it, with the lines' numbers.
        first / last: numbers of the first line that is not a label, and of the last one that says anything.
        volts: supply voltages that this project's runner noted.
        full_set: number of files that the runner announced.
        stray: the first line that belongs to a group and stands in none.
        full: there are more groups than any session has.
    """

    groups: list[tuple[str, int]] = field(default_factory=list)
    summary: list[tuple[str, int]] = field(default_factory=list)
    stream: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    lists: list[int] = field(default_factory=list)
    begins: list[tuple[str, int]] = field(default_factory=list)
    ends: list[tuple[str, int]] = field(default_factory=list)
    first: int = 0
    last: int = 0
    volts: list[str] = field(default_factory=list)
    full_set: list[str] = field(default_factory=list)
    stray: tuple[str, int] | None = None
    full: bool = False
    _open: list[str] = field(default_factory=list)
    _line: int = 0
    _unfinished: str = ""

    def line(self, number: int, raw: bytes) -> None:
        """One line of the log."""
        text, stamped = without_stamp(raw)
        if not text:
            return
        self.last = number
        if not self.first and not text.startswith(_LABELS):
            self.first = number
        if self._unfinished:
            self._continue(text)
        elif stamped and text.startswith(LOADING):
            self.close()
            self._open, self._line = [text], number
        elif text.startswith(_GROUP if stamped else _ALONE):
            self._member(text, number)
        elif is_summary(text, stamped):
            if len(self.summary) < MAX_SUMMARY:
                self.summary.append((text, number))
        elif not stamped:
            self._plain(text, number)

    def close(self) -> None:
        """Ends the open group; also at the end of the log."""
        if self._open:
            self.full = self.full or len(self.groups) >= MAX_GROUPS
            if not self.full:
                self.groups.append(("\n".join(self._open), self._line))
            self._open = []

    def _member(self, text: str, number: int) -> None:
        if self._open:
            self._open.append(text)
        elif self.stray is None:
            self.stray = (printable(text), number)

    def _plain(self, text: str, number: int) -> None:
        kind = next((start for start in _STREAM if text.startswith(start)), "")
        if kind:
            self.stream.setdefault(kind, []).append((text, number))
            if kind == "False positives:" and "]" not in text:
                self._unfinished = kind
        elif text.startswith("[") and text.endswith("]") and text[1:2].isdigit():
            self.lists.append(number)
        elif text.startswith((_BEGIN, _END)):
            places, start = (self.begins, _BEGIN) if text.startswith(_BEGIN) else (self.ends, _END)
            if len(places) < 3:
                places.append((text.removeprefix(start), number))
        elif text.startswith("Power monitor:"):
            found = _VOLTS.match(text)
            self.volts.append(found[1].strip() if found else "")
        elif found := _FULL_SET.match(text):
            self.full_set.append(found[1].strip())

    def _continue(self, text: str) -> None:
        """numpy breaks a long list into several lines."""
        last, number = self.stream[self._unfinished][-1]
        self.stream[self._unfinished][-1] = (f"{last} {text}", number)
        if "]" in text or len(last) > 100_000:
            self._unfinished = ""
