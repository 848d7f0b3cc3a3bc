# SPDX-License-Identifier: Apache-2.0
"""Streaming-wakeword sessions as the MLCommons runner writes them, from figures that a test chooses; shares no code with the readers.

Format: ``mlcommons/tiny`` ``benchmark/runner/{main,script,streaming_ww_utils}.py`` and the sessions of round v1.3.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from cm4tiny.results.rounds import LabelLists

RULE = "-" * 57
LENGTH_S = 1200.0
MARKER_MS = 104


@cache
def words() -> tuple[tuple[float, float], ...]:
    """Beginning and end of each wakeword in the official recording."""
    return LabelLists.known().windows["sww01"]


def detections(missed: int, false: int) -> tuple[list[int], list[float], list[float]]:
    """Times in ms, beginnings of missed words, times of false detections: each found word is detected twice, 32 ms apart."""
    spoken = words()
    silent = [start for start, _ in spoken[:missed]]
    times = [round(1000 * start) + 300 + shift for start, _ in spoken[missed:] for shift in (0, 32)]
    gaps = [round(1000 * (end + 3.0)) for (_, end), (start, _) in itertools.pairwise(spoken) if start - end > 6]
    wrong = gaps[:false]
    return [MARKER_MS, *(MARKER_MS + time for time in sorted(times + wrong))], silent, [time / 1000 for time in wrong]


def _lists(name: str, values: Sequence[float]) -> str:
    with np.printoptions(precision=3):
        return f"{name}: {list(values) if name.endswith('negatives') else np.array(values)}"


def streaming(
    folder: Path,
    mode: str = "performance",
    *,
    missed: int = 4,
    false: int = 3,
    power_mw: float = 4.25,
    busy_ticks: int = 605,
    seconds: float = 1203.2,
) -> Path:
    """Writes a session that is true to its own figures.

    Args:
        busy_ticks: how long the processor is busy for a frame of 3206 ticks of 10 us.
        seconds: length of the energy window.
    """
    folder.mkdir(parents=True)
    times, silent, wrong = detections(missed, false)
    starts = np.array([8522 + 3206 * frame + frame % 2 for frame in range(100)])
    stops = starts + np.array([busy_ticks + frame % 3 for frame in range(100)])
    on, off = starts * 10e-6, stops * 10e-6
    busy, period = np.mean(off - on), np.mean(np.diff(on))
    duty = {
        "duty_cycle": busy / period,
        "period": period,
        "processing_time": busy,
        "start_times_s": on.tolist(),
        "stop_times_s": off.tolist(),
    }
    infer = {
        "wav_file": "long_wav.wav",
        "detection_windows": [list(pair) for pair in words()],
        "length_sec": LENGTH_S,
        "sample_rate": 16000,
        "detections": times,
        "iterations": 1,
        "warmups": 0,
    }
    entry: dict[str, object] = {"infer": infer, "dutycycle": duty, "activations": []}
    found = len(words()) - len(silent)
    accuracy = [f"Accuracy: {found} True positives, {len(silent)} False negatives, {len(wrong)} False positives"]
    claims = [
        f"Average duty cycle: {duty['duty_cycle']:1.5}",
        f"Average period: {period:1.5} s",
        f"Estimated throughput: {1 / busy:1.5} inf./sec.",
    ]
    log = [
        "Logging initialized. Writing output to sessions/20260102_030405/log.txt",
        "Initializing SerialDevice on port: COM26 at 115200 baud",
        "Device name retrieved: board",
        "Device profile retrieved: ULPMark for tinyML Firmware V0.0.1",
        "Device model retrieved: sww01",
        f"Playing long_wav.wav (length = {LENGTH_S}s) at 03:04:05...",
        "... done",
        "No activation data found.",
        str(times),
        f"Duty cycle = {duty['duty_cycle']:.3f}, Period = {period * 1e3:.3} ms",
    ]
    energy: list[str] = []
    if mode == "energy":
        energy, entry["power"] = _energy(power_mw, seconds, log)
    log += [*(line.strip() for line in energy), f"== File long_wav.wav ({LENGTH_S:2.1f} s) ==", *accuracy]
    log += [_lists("False negatives", silent), _lists("False positives", wrong), *claims]
    log += ["Session logged in file sessions/20260102_030405/log.txt"]
    entry["mode"] = mode[0]
    (folder / "log.txt").write_text("\n".join(log) + "\n", encoding="utf-8")
    (folder / "results.txt").write_text("\n".join([*energy, *accuracy, *claims]) + "\n", encoding="utf-8")
    (folder / "results.json").write_text(json.dumps([entry]), encoding="utf-8")
    if mode == "energy":
        (folder / "energy_inf_000.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


def _energy(power_mw: float, seconds: float, log: list[str]) -> tuple[list[str], dict[str, object]]:
    """A window of 1 kHz samples between two time stamps; four values in turn, so that samples differ from their neighbours."""
    first, last = 1503, 1503 + round(seconds * 1000)
    joules = power_mw * 1e-6
    samples = [round(joules * (1 + 0.01 * (number % 4)), 12) for number in range(4)] * ((last + 400) // 4)
    stamps = [["00", first], ["01", last]]
    log.append(f"samples:{len(samples)} timestamps:{len(stamps)}")
    total, elapsed = math.fsum(samples[first:last]), last / 1000 - first / 1000
    lines = ["Power Edition Output", "Energy data for trial 0", f"  Elapsed time  : {elapsed}", "  Inferences    : 1"]
    lines += [f"  Power         : {1e3 * total / elapsed:5.4f} mW.", f"  Total Energy  : {total * 1e6:.3f} uJ"]
    lines += [f"  Energy/Inf    : {total * 1e6:.3f} uJ/inf", RULE, f"Median energy cost is {total * 1e6:5.4f} uJ/inf.", RULE]
    return lines, {"samples": samples, "timestamps": stamps, "extracted_power": None, "voltage": 3.0}
