# SPDX-License-Identifier: Apache-2.0
"""Reads ``log.txt`` of the MLCommons runner (round v1.3 on; streaming wakeword included) and of this project's runner.

Lines with results begin with ``MMDD.HHMMSS ulp-mlperf:``; the summary at the end repeats the windows without that stamp and is not read
again. Sources: ``mlcommons/tiny`` ``benchmark/runner/{main,script,streaming_ww_utils}.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from cm4tiny.results.rounds.eembc_log import MAX_WINDOWS, basename
from cm4tiny.results.rounds.lines import LineFile, Sink, printable
from cm4tiny.results.rounds.model import LoggedWindow, Mode, Scores, Tolerated
from cm4tiny.results.rounds.numbers import real, vector, whole
from cm4tiny.results.rounds.record.log_lines import LogRecord
from cm4tiny.results.rounds.scores import ScoreTable

MAX_DETECTIONS = 100_000
_STAMPED = re.compile(rb"[0-9]{2}(?P<day>[0-9]{2})\.(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2}) ulp-mlperf:\s+(?P<text>.*)")
_LOADING = re.compile(rb"Loading file (?P<file>.+) segment (?P<segment>[0-9]+)\Z")
_WINDOW = re.compile(rb"Performance results for window [0-9]+:")
_VALUE = re.compile(rb"(?P<key># Inferences|Runtime|Throughput|m-results)\s*:(?P<value>.*)")
_RUNNING = re.compile(rb"Running inference with (?P<warmups>[0-9]+)/(?P<measured>[0-9]+) ")
_DEVICE = re.compile(rb"Device (?P<key>name|profile|model) retrieved: (?P<value>.*)")
_LIST = re.compile(rb"\[[0-9][0-9, ]*\]\Z")
_DUTY = re.compile(rb"(?:RX:)?\s*Duty cycle (?P<which>start|stop) times")
_DUTY_VALUES = re.compile(rb"(?:RX:)?(?P<values>[0-9, ]*)(?P<end>m-ready)?\Z")
_SESSION = re.compile(rb"(?P<what>Writing output to|Session logged in file) (?P<path>.*)")
_DUTY_TICK_S = 10e-6
_ROUNDING = 0.00051


@dataclass
class MlcLog:
    """What an MLCommons log says; fields as in :class:`cm4tiny.results.rounds.model.LoggedSession`."""

    session_id: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    windows: list[LoggedWindow] = field(default_factory=list)
    scores: Scores | None = None
    detections_ms: tuple[int, ...] = ()
    duty_s: dict[str, list[float]] = field(default_factory=dict)
    infers: int = 0
    vectors: int = 0
    begun: bool = False
    ended: bool = False
    truncated: bool = False
    simulated: bool = False
    errors: list[str] = field(default_factory=list)
    tolerated: tuple[Tolerated, ...] = ()
    sha256: str = ""
    size: int = 0
    record: LogRecord = field(default_factory=LogRecord)


class _Reader:
    def __init__(self, path: Path, mode: Mode) -> None:
        self.sink = Sink(path.name)
        self.file = LineFile(path, self.sink)
        self.mode = mode
        self.log = MlcLog()
        self.table = ScoreTable(self.sink)
        self._loaded = ""
        self._segments: set[str] = set()
        self._open: dict[str, bytes] | None = None  # the window whose lines are being read
        self._infer: tuple[int, int, int] | None = None  # iterations, line, warm-ups of an inference that has no window lines yet
        self._duty = ""
        self._hosts: list[int] = []  # the host's clock at each stamped line: the first, the latest
        self._complete: int | None = None  # when the last input had arrived

    def read(self) -> MlcLog:
        for number, line in self.file:
            self.log.record.line(number, line)
            if stamped := _STAMPED.match(line):
                self._hosts = [*self._hosts[:1], _seconds(stamped)]
                self._stamped(stamped["text"], number)
            else:
                self._plain(line, number)
        self._complete = None  # no line follows that would say when the last inference of an energy run ended
        self._finish_infer()
        self.log.record.close()
        log = self.log
        if len(set(self._hosts)) < 2:  # the clock stands still: it witnesses nothing
            log.windows = [replace(window, host_s=None) for window in log.windows]
        log.scores = self.table.scores() if self.mode == "accuracy" else None
        log.truncated = log.truncated or self.table.full
        log.tolerated, log.sha256, log.size = self.sink.records(), self.file.sha256, self.file.size
        return log

    # --- lines with a time stamp --------------------------------------------------------------------------------------------
    def _stamped(self, text: bytes, number: int) -> None:
        self._duty = ""
        if loading := _LOADING.match(text):
            self._finish_infer()
            self._loaded = basename(loading["file"])
            self._complete = None
            if loading["segment"].strip(b"0"):
                self._segments.add(self._loaded)
        elif text.startswith(b"Load complete"):
            self._complete = self._hosts[-1]
        elif _WINDOW.match(text):
            self._open = {}
        elif (value := _VALUE.match(text)) and self._open is not None:
            self._open[value["key"].decode("ascii")] = value["value"].strip()
            if value["key"] == b"m-results":
                self._close(number)
        elif text.startswith(b"ERROR"):
            self._error(text)

    def _close(self, number: int) -> None:
        lines, self._open = self._open or {}, None
        _, at, warmups = self._infer or (0, number, 0)
        self._infer = None
        iterations = whole(lines.get("# Inferences", b""))
        runtime = real(lines.get("Runtime", b"").decode("ascii", "replace").removesuffix("sec.").strip())
        speed = real(lines.get("Throughput", b"").decode("ascii", "replace").removesuffix("inf./sec.").strip())
        if not _consistent(iterations, runtime, speed):
            self.sink.add("bad-window", number)
            runtime = speed = None
        text = lines["m-results"]
        values = vector(text[1:-1]) if text.startswith(b"[") and text.endswith(b"]") else None
        if values is None:
            self.sink.add("bad-vector", number, text)
        else:
            self.log.vectors += 1
            if self.mode == "accuracy":
                self.table.add(self._loaded, values, number, segment=self._loaded in self._segments)
        self._window(LoggedWindow(0, self._loaded, iterations or 0, None, runtime, values or (), at, speed, self._host_s(), warmups))

    def _window(self, window: LoggedWindow) -> None:
        if self.mode == "accuracy":
            return
        if len(self.log.windows) >= MAX_WINDOWS:
            self.log.truncated = True
            return
        self.log.windows.append(replace(window, number=len(self.log.windows) + 1))

    # --- lines without one --------------------------------------------------------------------------------------------------
    def _plain(self, line: bytes, number: int) -> None:
        if running := _RUNNING.match(line):
            self._finish_infer()
            self.log.infers += 1
            self._infer = (whole(running["measured"]) or 0, number, whole(running["warmups"]) or 0)
        elif device := _DEVICE.match(line):
            self.log.texts.setdefault(device["key"].decode("ascii"), printable(device["value"].strip()))
        elif session := _SESSION.search(line):
            begins = session["what"] == b"Writing output to"
            self.log.begun, self.log.ended = self.log.begun or begins, self.log.ended or not begins
            parts = re.split(rb"[/\\]", session["path"].strip())
            self.log.session_id = self.log.session_id or printable(parts[-2] if len(parts) > 1 else parts[-1])
        elif duty := _DUTY.match(line):
            self._duty = "on" if duty["which"] == b"start" else "off"
            self.log.duty_s[self._duty] = []
        elif self._duty:
            self._duty_values(line, number)
        elif _LIST.match(line):
            self._detections(line, number)
        elif line.startswith(b"SIMULATED:"):
            self.log.simulated = True
        elif line.startswith((b"WARNING", b"Warning")):
            self.sink.add("runner-warning", number, line)
        elif line.startswith(b"ERROR"):
            self._error(line)

    def _error(self, text: bytes) -> None:
        if len(self.log.errors) < 20:
            self.log.errors.append(printable(text))

    def _finish_infer(self) -> None:
        """An inference without window lines: an energy session's, whose time stamps are elsewhere."""
        if self._infer is None:
            return
        iterations, line, warmups = self._infer
        self._infer = None
        if self.mode == "energy":
            self._window(LoggedWindow(0, self._loaded, iterations, None, None, (), line, host_s=self._host_s(), warmups=warmups))
        else:
            self.sink.add("infer-without-results", line)

    def _host_s(self) -> float | None:
        """Seconds by the host's clock since the input had arrived; none over the end of a month, where it jumps back."""
        if self._complete is None or not self._hosts or self._hosts[-1] < self._complete:
            return None
        return float(self._hosts[-1] - self._complete)

    def _detections(self, line: bytes, number: int) -> None:
        values = [whole(part.strip()) for part in line[1:-1].split(b",")]
        if any(value is None or value >= 10**9 for value in values) or len(values) > MAX_DETECTIONS:
            self.sink.add("bad-detections", number, line)
        else:
            self.log.detections_ms = tuple(value for value in values if value is not None)

    def _duty_values(self, line: bytes, number: int) -> None:
        match = _DUTY_VALUES.match(line.strip())
        target = self.log.duty_s[self._duty]
        if match is None or len(target) > MAX_DETECTIONS:
            self._duty = ""
            return
        for part in filter(None, map(bytes.strip, match["values"].split(b","))):
            ticks = whole(part)
            if ticks is None:
                self.sink.add("bad-duty-cycle", number, line)
            else:
                target.append(ticks * _DUTY_TICK_S)
        if match["end"]:
            self._duty = ""


def _seconds(stamp: re.Match[bytes]) -> int:
    """The host's clock within a month."""
    day, hour, minute, second = (int(stamp[part]) for part in ("day", "hour", "minute", "second"))
    return ((day * 24 + hour) * 60 + minute) * 60 + second


def _consistent(iterations: int | None, runtime: float | None, speed: float | None) -> bool:
    """True if a window's three figures are there and are those of one window, as far as their three decimals show."""
    if not iterations or runtime is None or speed is None or runtime <= 0:
        return False
    slowest = iterations / (runtime + _ROUNDING)
    fastest = iterations / (runtime - _ROUNDING) if runtime > _ROUNDING else float("inf")
    return slowest - _ROUNDING <= speed <= fastest + _ROUNDING


def read_mlc_log(path: Path, mode: Mode) -> MlcLog:
    """Reads a log of the MLCommons runner. No content makes it fail; what is not understood is left out or recorded.

    Raises:
        OSError: the file cannot be read.
    """
    return _Reader(path, mode).read()
