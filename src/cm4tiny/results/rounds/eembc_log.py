# SPDX-License-Identifier: Apache-2.0
"""Reads ``log.txt`` of EEMBC's runner (rounds v0.5 to v1.3; performance, accuracy and energy).

A line is ``NNNNN.mmm device: text``; the runner's commands and the device's answers stand in the order of time. The tokens that matter are
looked for anywhere in a line, because logs show echoed commands, prompts and debug text glued in front of them
(``timestampm-lap-us-604250223``, ``infer 1 0%m-warmup-start-0``); the first token of a line decides. Accepted oddities are recorded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from cm4tiny.results.rounds.lines import LineFile, Sink, printable
from cm4tiny.results.rounds.model import LoggedWindow, Mode, Scores, Tolerated
from cm4tiny.results.rounds.numbers import vector, whole
from cm4tiny.results.rounds.scores import ScoreTable

MAX_WINDOWS = 1000
# Bounded repetitions: a hostile line of many openings without an end must not take quadratic time.
_TOKEN = re.compile(
    rb"m-lap-us-(?P<lap>[0-9]+)"
    rb"|m-results-(?:\[(?P<results>[^\]]*)(?P<close>\])?)?(?P<any_results>)"
    rb'|Command "(?:(?:io )?dut infer (?P<infer>[0-9]+)(?: +[0-9]+)? *"|bloadp? (?:dut )?"(?P<load>[^"]*)"(?: (?P<offset>[0-9]+) [0-9]+)?)'
    rb"|m-infer-start-(?P<started>[0-9]+)"
    rb"|m-infer-done(?P<done>)"
    rb"|m-session-(?P<session>start|stop)-id\[(?P<session_id>[^\]]{0,300})\]"
    rb"|m-bm-cfg-name\[[^\]]{0,300}\]-key\[(?P<key>runMode|iterInfer)\]-val\[(?P<value>[^\]]{0,300})\]"
    rb"|m-name-dut-\[(?P<name>[^\]]{0,300})\]"
    rb"|m-profile-\[(?P<profile>[^\]]{0,300})\]"
    rb"|m-model-\[(?P<model>[^\]]{0,300})\]"
    rb"|m-voltage-mv\[(?P<voltage>[^\]]{0,300})\]"
    rb"|(?<![a-z])e-\[(?P<error>[^\]]{0,300})\]?"
)
# A line that holds a token holds one of these.
_WANTED = (
    *(b"m-lap-us-", b"m-results-", b'Command "', b"m-infer-", b"m-session-st", b"-key[", b"m-name-dut", b"m-profile-", b"m-model-"),
    *(b"m-voltage-mv", b"e-["),
)
_TEXTS = ("name", "profile", "model", "voltage")
_HOST_TIME = re.compile(rb"([0-9]{5,7}\.[0-9]{3}) ")
_MONITOR = re.compile(rb" (?:emon|io): m-lap-us-")


@dataclass
class EembcLog:
    """What an EEMBC log says; fields as in :class:`cm4tiny.results.rounds.model.LoggedSession`."""

    session_id: str = ""
    run_mode: str = ""
    iterations_set: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    windows: list[LoggedWindow] = field(default_factory=list)
    scores: Scores | None = None
    infers: int = 0
    vectors: int = 0
    begun: bool = False
    ended: bool = False
    truncated: bool = False
    errors: list[str] = field(default_factory=list)
    tolerated: tuple[Tolerated, ...] = ()
    sha256: str = ""
    size: int = 0


def basename(path: bytes) -> str:
    """The last part of a POSIX or Windows path, printable; nothing of it is ever opened."""
    return printable(re.split(rb"[/\\]", path)[-1], 255)


class _Reader:
    def __init__(self, path: Path, mode: Mode) -> None:
        self.sink = Sink(path.name)
        self.file = LineFile(path, self.sink, _WANTED)
        self.mode = mode
        self.log = EembcLog()
        self.table = ScoreTable(self.sink)
        self._loaded = ""
        self._segment = False
        # Iterations, line, file and whether it was loaded in pieces, of the command whose results are awaited.
        self._infer: tuple[int, int, str, bool] | None = None
        self._laps: list[int] = []
        self._host: dict[str, list[float]] = {"lap": [], "infer": []}  # by the host's clock: time stamps, start and end of the inferences

    def read(self) -> EembcLog:
        search = _TOKEN.search
        for number, line in self.file:
            if match := search(line):
                kind = match.lastgroup
                if kind is None:
                    continue
                self._token(kind, match, line, number)
        if self._infer is not None:
            self._close((), self.file.last)
        log = self.log
        log.scores = self.table.scores() if self.mode == "accuracy" else None
        log.truncated = log.truncated or self.table.full
        log.tolerated, log.sha256, log.size = self.sink.records(), self.file.sha256, self.file.size
        return log

    def _token(self, kind: str, match: re.Match[bytes], line: bytes, number: int) -> None:
        start = match.start()
        if start and line[start - 2 : start] != b": ":
            self.sink.add("glued-line", number, line)
        elif not start:
            self.sink.add("no-prefix", number, line)
        if kind == "lap":
            self._lap(match, line, number)
        elif kind in ("results", "close", "any_results"):
            self._results(match, line, number)
        elif kind == "infer":
            self._command(match, number)
        elif kind == "started":
            self._started(match, line, number)
            self._host_time("infer", line)
        elif kind == "done":
            self._host_time("infer", line)
        elif kind in ("load", "offset"):
            self._loaded, self._segment = basename(match["load"]), match["offset"] is not None
        else:
            self._note(kind, match, line, number)

    def _note(self, kind: str, match: re.Match[bytes], line: bytes, number: int) -> None:
        log = self.log
        if kind == "session_id":
            begins = match["session"] == b"start"
            if begins and log.begun:
                self.sink.add("second-session", number, line)
            log.begun, log.ended = log.begun or begins, log.ended or not begins
            log.session_id = log.session_id or printable(match["session_id"])
        elif kind == "value":
            if match["key"] == b"runMode":
                log.run_mode = printable(match["value"])
            else:
                log.iterations_set = printable(match["value"])
        elif kind == "error":
            if len(log.errors) < 20:
                log.errors.append(printable(match["error"]))
        elif kind in _TEXTS:
            log.texts.setdefault(kind, printable(match[kind]))

    def _command(self, match: re.Match[bytes], number: int) -> None:
        if self._infer is not None:
            self._close((), number)
        self.log.infers += 1
        iterations = whole(match["infer"])
        if iterations is None:
            self.sink.add("bad-count", number, match["infer"])
        self._infer, self._laps = (iterations or 0, number, self._loaded, self._segment), []
        self._host = {"lap": [], "infer": []}

    def _started(self, match: re.Match[bytes], line: bytes, number: int) -> None:
        """The device says how many inferences it measures: another number than the command's makes the window worthless."""
        if self._infer is not None and whole(match["started"]) != self._infer[0]:
            self.sink.add("infer-count", number, line)
            self._infer = (0, *self._infer[1:])

    def _lap(self, match: re.Match[bytes], line: bytes, number: int) -> None:
        if self._infer is None or _MONITOR.search(line):
            return
        if number == self.file.last and not self.file.whole and match.end() == len(line):
            self.sink.add("cut-line", number, line)  # digits may be missing
            return
        lap = whole(match["lap"])
        if lap is None:
            self.sink.add("bad-lap", number, line)
        elif len(self._laps) < 16:
            self._laps.append(lap)
            self._host_time("lap", line)

    def _host_time(self, what: str, line: bytes) -> None:
        time = _HOST_TIME.match(line)
        if self._infer is not None and time is not None and len(self._host[what]) < 16:
            self._host[what].append(float(time[1]))

    def _host_s(self) -> float | None:
        """Length of the window by the host's clock; of two ways to tell it, the time stamps are the closer one."""
        times = next((times for times in self._host.values() if len(times) == 2), None)
        return round(times[1] - times[0], 3) if times else None

    def _results(self, match: re.Match[bytes], line: bytes, number: int) -> None:
        values = vector(match["results"]) if match["close"] else None
        if values is None:
            self.sink.add("bad-vector", number, line)
            values = ()
        else:
            self.log.vectors += 1
        if self._infer is None:
            self.sink.add("vector-without-infer", number, line)
        else:
            self._close(values, number)

    def _close(self, values: tuple[float, ...], number: int) -> None:
        iterations, line, file, segment = self._infer or (0, 0, "", False)
        self._infer = None
        if not values:
            self.sink.add("infer-without-results", line)
        if self.mode == "accuracy":
            if values:
                self.table.add(file, values, number, segment=segment)
            return
        if len(self.log.windows) >= MAX_WINDOWS:
            self.log.truncated = True
            return
        laps = (self._laps[0], self._laps[1]) if len(self._laps) == 2 else None
        if laps is None and self._laps:
            self.sink.add("lap-count", line, f"{len(self._laps)} time stamps in a window")
        window = LoggedWindow(
            number=len(self.log.windows) + 1,
            file=file,
            iterations=iterations,
            lap_us=laps,
            runtime_s=(laps[1] - laps[0]) / 1e6 if laps and laps[1] > laps[0] else None,
            values=values,
            line=line,
            host_s=self._host_s(),
        )
        self.log.windows.append(window)


def read_eembc_log(path: Path, mode: Mode) -> EembcLog:
    """Reads a log of EEMBC's runner. No content makes it fail; what is not understood is left out or recorded.

    Raises:
        OSError: the file cannot be read.
    """
    return _Reader(path, mode).read()
