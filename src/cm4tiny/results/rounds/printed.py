# SPDX-License-Identifier: Apache-2.0
"""Reads ``results.txt``: the claims that a runner printed, kept as text.

EEMBC's lines begin with ``NNNNN.mmm ulp-mlperf:`` (or ``ulp-ml:`` for energy), the MLCommons runner's partly with ``MMDD.HHMMSS
ulp-mlperf:``. A claim that stands several times counts as the last one says, as in the official checker; how often is recorded.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from cm4tiny.results.rounds.lines import LineFile, Sink, printable
from cm4tiny.results.rounds.model import Printed, PrintedWindow

MAX_WINDOWS = 5000
MAX_LINES = 200_000
_NUMBER = r"([0-9]{1,18}(?:\.[0-9]{0,18})?)"
_CLAIMS = {
    "throughput": re.compile(rf"Median throughput is\s+{_NUMBER} inf\./sec\."),
    "top_1": re.compile(rf"(?:\s|^)Top[- ]1%?\s?[:=]\s*{_NUMBER}"),
    "auc": re.compile(rf"(?:\s|^)AUC\s?[:=]\s*{_NUMBER}"),
    "energy": re.compile(rf"Median energy cost is {_NUMBER} uJ/inf"),
    "detections": re.compile(r"Accuracy: ([0-9]{1,9} True positives, [0-9]{1,9} False negatives, [0-9]{1,9} False positives)"),
    "duty_cycle": re.compile(r"Average duty cycle: ([0-9.eE+\-]{1,24})"),
    "period": re.compile(r"Average period: ([0-9.eE+\-]{1,24}) s"),
    "sww_throughput": re.compile(r"Estimated throughput: ([0-9.eE+\-]{1,24}) inf\./sec\."),
}
_HEAD = re.compile(r"(?:Performance results for window|Energy data for (?:window|trial)) ([0-9]{1,9})")
_FIELDS = {
    "iterations": re.compile(r"# Inferences\s*:\s*([0-9]{1,18})|Inferences\s*:\s*([0-9]{1,18})"),
    "runtime": re.compile(rf"(?:Runtime|Elapsed time)\s*:\s*{_NUMBER}"),
    "throughput": re.compile(rf"Throughput\s*:\s*{_NUMBER} inf"),
    "energy_per_inference": re.compile(rf"Energy/Inf\.?\s*:\s*{_NUMBER}"),
    "energy": re.compile(rf"(?:Total )?Energy\s*:\s*{_NUMBER}"),
    "power": re.compile(rf"Power\s*:\s*{_NUMBER}"),
}
_ENERGY_LENGTH = re.compile(rf"Energy data for window [0-9]+ at time [0-9.]+ for {_NUMBER} sec")
_DEVICE_ERROR = re.compile(r"(?<![a-z])e-\[([^\]]*)\]?")
_POWER_MW = re.compile(rf"Power\s+: {_NUMBER} mW")


class _Reader:
    def __init__(self, path: Path, sink: Sink) -> None:
        self.file = LineFile(path, sink)
        self.sink = sink
        self.values: dict[str, str] = {}
        self.lines: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.windows: list[PrintedWindow] = []
        self.energy: list[PrintedWindow] = []
        self.errors: list[str] = []
        self.simulated = False
        self._open: list[PrintedWindow] | None = None

    def read(self) -> Printed:
        for number, raw in self.file:
            line = raw.decode("ascii", "backslashreplace")
            if number > MAX_LINES:
                self.sink.add("too-many-lines", number)
                break
            if self._window(line, number) or self._claim(line, number):
                continue
            if error := _DEVICE_ERROR.search(line):
                if len(self.errors) < 20:
                    self.errors.append(printable(error[1]))
            elif line.startswith("SIMULATED:"):
                self.simulated = True
        return Printed(
            **self.values,
            windows=tuple(self.windows),
            energy_windows=tuple(self.energy),
            repeats=_repeats(self.windows, self.counts.get("throughput", 0)),
            errors=tuple(self.errors),
            tolerated=self.sink.records(),
            lines=self.lines,
            counts=self.counts,
            simulated=self.simulated,
        )

    def _window(self, line: str, number: int) -> bool:
        if head := _HEAD.search(line):
            target = self.windows if head[0].startswith("Performance") else self.energy
            if len(target) >= MAX_WINDOWS:
                self.sink.add("too-many-windows", number, line)
                self._open = None
                return True
            length = _ENERGY_LENGTH.search(line)
            target.append(PrintedWindow(int(head[1]), runtime=length[1] if length else ""))
            self._open = target
            return True
        if self._open is None:
            return False
        for name, pattern in _FIELDS.items():
            if match := pattern.search(line):
                text = next(group for group in match.groups() if group is not None)
                self._open[-1] = _with(self._open[-1], name, text)
                if name == "power" and (power := _POWER_MW.search(line)):
                    self._keep("power_mw", power[1], number)
                return True
        return False

    def _claim(self, line: str, number: int) -> bool:
        found = False
        for name, pattern in _CLAIMS.items():
            if match := pattern.search(line):
                self._keep(name, match[1], number)
                found = True
        if found:
            self._open = None
        return found

    def _keep(self, name: str, text: str, number: int) -> None:
        self.values[name] = text
        self.lines[name] = number
        self.counts[name] = self.counts.get(name, 0) + 1


def _with(window: PrintedWindow, name: str, text: str) -> PrintedWindow:
    changed: dict[str, Any] = {name: text}
    return replace(window, **changed)


def _repeats(windows: list[PrintedWindow], medians: int) -> int:
    """How often the block of windows stands in the file: window numbers that come again, or several medians."""
    numbers = [window.number for window in windows]
    return max(max((numbers.count(n) for n in set(numbers[:50])), default=0), medians)


def read_printed(path: Path) -> Printed:
    """The claims of a ``results.txt``. No content makes it fail.

    Raises:
        OSError: the file cannot be read.
    """
    return _Reader(path, Sink(path.name)).read()
