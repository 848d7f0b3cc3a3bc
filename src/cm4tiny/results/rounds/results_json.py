# SPDX-License-Identifier: Apache-2.0
"""Reads the MLCommons runner's ``results.json``: exact times, vectors, energy samples and streaming data of a session.

A list of one entry an inference: ``{"file", "class", "infer": {"start_time", "end_time", "elapsed_time", "results", "iterations",
"throughput"}, "power": {"samples", "timestamps", "voltage"}, "dutycycle": {"start_times_s", "stop_times_s"}, "mode"}``. Nothing is
trusted: an entry that is not so is left out and recorded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cm4tiny.results.rounds.eembc_log import basename
from cm4tiny.results.rounds.lines import Sink
from cm4tiny.results.rounds.model import LoggedEnergyWindow, LoggedWindow, Mode, Scores, Tolerated
from cm4tiny.results.rounds.numbers import number_in_json, numbers_in_json
from cm4tiny.results.rounds.record.strict_json import LoadedJson, load_json
from cm4tiny.results.rounds.scores import ScoreTable

RATE_HZ = 1000


@dataclass
class MlcJson:
    """What a ``results.json`` says; fields as in :class:`cm4tiny.results.rounds.model.LoggedSession`."""

    problem: str = ""
    windows: list[LoggedWindow] = field(default_factory=list)
    scores: Scores | None = None
    energy: list[LoggedEnergyWindow] = field(default_factory=list)
    entries: int = 0
    detections_ms: tuple[int, ...] = ()
    on_s: tuple[float, ...] = ()
    off_s: tuple[float, ...] = ()
    power_mw: float | None = None
    voltage_mv: str = ""
    simulated: bool = False
    classes: dict[tuple[str, int], None] = field(default_factory=dict)
    tolerated: tuple[Tolerated, ...] = ()


class _Reader:
    def __init__(self, path: Path, mode: Mode, loaded: LoadedJson) -> None:
        self.loaded = loaded
        self.mode = mode
        self.sink = Sink(path.name)
        self.table = ScoreTable(self.sink)
        self.found = MlcJson()

    def read(self) -> MlcJson:
        self.found.problem = self.loaded.problem
        for number, entry in enumerate(self.loaded.entries, start=1):
            infer = entry.get("infer") if isinstance(entry, dict) else None
            if not isinstance(infer, dict) or entry.get("error"):
                self.sink.add("bad-entry", number)
                continue
            self.found.entries += 1
            self.found.simulated = self.found.simulated or entry.get("simulated") is True
            if "detections" in infer:
                self._streaming(entry, infer, number)
            else:
                self._inference(entry, infer, number)
        self.found.scores = self.table.scores() if self.mode == "accuracy" else None
        self.found.tolerated = self.sink.records()
        return self.found

    def _inference(self, entry: dict[str, Any], infer: dict[str, Any], number: int) -> None:
        file = entry.get("file")
        name = basename(file.encode("utf-8", "replace")) if isinstance(file, str) else ""
        stated = entry.get("class")
        if isinstance(stated, str) and stated.strip().isdecimal() and len(stated) < 9:
            self.found.classes[name, int(stated)] = None
        values = numbers_in_json(infer.get("results"))
        if not values:
            self.sink.add("bad-vector", number)
        elif self.mode == "accuracy":
            self.table.add(name, values, number, segment=entry.get("stride") is not None)
        if self.mode == "accuracy":
            return
        iterations = _count(infer.get("iterations"))
        elapsed = _elapsed_us(infer)
        if iterations is None or (elapsed is None and self.mode == "performance"):
            self.sink.add("bad-window", number)
        runtime = elapsed / 1e6 if elapsed else None
        speed = _throughput(iterations, elapsed)
        self.found.windows.append(
            LoggedWindow(len(self.found.windows) + 1, name, iterations or 0, None, runtime, values or (), number, speed)
        )
        if "power" in entry:
            self._power(entry["power"], iterations or 0, number)

    def _power(self, power: object, iterations: int, number: int) -> None:
        window = _energy_window(power, iterations)
        if window is None:
            self.sink.add("bad-power", number)
            return
        self.found.energy.append(window)
        self._voltage(power)

    def _voltage(self, power: object) -> None:
        voltage = number_in_json(power.get("voltage")) if isinstance(power, dict) else None
        if voltage is not None and not self.found.voltage_mv:
            self.found.voltage_mv = f"{voltage * 1000:.0f}"

    def _streaming(self, entry: dict[str, Any], infer: dict[str, Any], number: int) -> None:
        found = self.found
        detections = numbers_in_json(infer.get("detections"))
        if detections is None or any(not 0 <= value < 1e9 for value in detections):
            self.sink.add("bad-detections", number)
        else:
            found.detections_ms = tuple(int(value) for value in detections)
        duty = entry.get("dutycycle")
        on = numbers_in_json(duty.get("start_times_s")) if isinstance(duty, dict) else None
        off = numbers_in_json(duty.get("stop_times_s")) if isinstance(duty, dict) else None
        if on is None or off is None:
            self.sink.add("bad-duty-cycle", number)
        else:
            found.on_s, found.off_s = on, off
        if "power" in entry:
            window = _energy_window(entry["power"], 1)
            if window is None or window.runtime_s <= 0:
                self.sink.add("bad-power", number)
            else:
                found.energy.append(window)
                self._voltage(entry["power"])
                found.power_mw = 1e-3 * window.energy_uj / window.runtime_s


def _count(value: object) -> int | None:
    number = number_in_json(value)
    return int(number) if number is not None and 0 < number < 1e15 and number == int(number) else None


def _elapsed_us(infer: dict[str, Any]) -> float | None:
    """The window's length; the difference of the time stamps and the stated length must be one."""
    start, end = number_in_json(infer.get("start_time")), number_in_json(infer.get("end_time"))
    elapsed = number_in_json(infer.get("elapsed_time"))
    if elapsed is None or elapsed <= 0:
        return None
    if start is not None and end is not None and end - start != elapsed:
        return None
    return elapsed


def _throughput(iterations: int | None, elapsed_us: float | None) -> float | None:
    return 1e6 * iterations / elapsed_us if iterations and elapsed_us else None


def _energy_window(power: object, iterations: int) -> LoggedEnergyWindow | None:
    """The samples between the last two time stamps; stamps before them are noise of the pin, as the runner's source says."""
    if not isinstance(power, dict):
        return None
    samples, stamps = numbers_in_json(power.get("samples")), power.get("timestamps")
    if samples is None or not isinstance(stamps, list) or len(stamps) < 2:
        return None
    marks = [_count(stamp[1]) if isinstance(stamp, list) and len(stamp) == 2 else None for stamp in stamps[-2:]]
    start, stop = marks
    if start is None or stop is None or not start < stop <= len(samples):
        return None
    return LoggedEnergyWindow(start / RATE_HZ, stop / RATE_HZ, iterations, math.fsum(samples[start:stop]) * 1e6)


def read_mlc_json(path: Path, mode: Mode, loaded: LoadedJson | None = None) -> MlcJson:
    """Reads a ``results.json``. No content makes it fail.

    Args:
        loaded: the file's content, where it was loaded before.

    Raises:
        OSError: the file cannot be read.
    """
    return _Reader(path, mode, loaded if loaded is not None else load_json(path)).read()
