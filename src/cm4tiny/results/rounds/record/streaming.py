# SPDX-License-Identifier: Apache-2.0
"""A streaming-wakeword session's files held against each other.

Sources: ``mlcommons/tiny`` ``benchmark/runner/streaming_ww_utils.py`` (what is computed and printed), ``sww_long_test.json`` (recording and
words, known by digest).
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cm4tiny.results.rounds.detections import detected
from cm4tiny.results.rounds.labels import table
from cm4tiny.results.rounds.model import Mode
from cm4tiny.results.rounds.numbers import numbers_in_json, real
from cm4tiny.results.rounds.record import expected
from cm4tiny.results.rounds.record.expected import Forms
from cm4tiny.results.rounds.record.fields import MODE_LETTERS, FieldFault, keys_of, whole
from cm4tiny.results.rounds.record.log_lines import LogRecord

_ENTRY = ("infer", "dutycycle", "activations", "mode")
_INFER = ("wav_file", "detection_windows", "length_sec", "sample_rate", "detections", "iterations", "warmups")
_DUTY = ("duty_cycle", "period", "processing_time", "start_times_s", "stop_times_s")
_TICK_S = 10e-6
_ORDER = (
    "Playing ",
    "No activation data",
    "[",
    "Duty cycle =",
    "samples:",
    "Power Edition",
    "Median energy",
    "== File",
    "Accuracy:",
    "False negatives:",
    "False positives:",
    "Average duty",
    "Estimated",
)
_NUMBERS = re.compile(r"[-+0-9.e]+")


def faults(entry: Any, mode: Mode, list_id: str = "sww01") -> Iterator[FieldFault]:
    """What is wrong with the entry itself."""
    if not isinstance(entry, dict):
        yield FieldFault("is not an object")
        return
    wanted = (*_ENTRY[:-1], "power", "mode") if mode == "energy" else _ENTRY
    yield from keys_of(entry, wanted, {"simulated", "strict", "division"}, "it")
    if "mode" in entry and entry["mode"] != MODE_LETTERS[mode]:
        yield FieldFault(f"mode is {str(entry['mode'])[:40]!r}")
    if "activations" in entry and numbers_in_json(entry["activations"]) is None:
        yield FieldFault("activations is not a list of numbers")
    infer, duty = entry.get("infer"), entry.get("dutycycle")
    for name, part, keys in (("infer", infer, _INFER), ("dutycycle", duty, _DUTY)):
        if isinstance(part, dict):
            yield from keys_of(part, keys, set(), name)
        elif name in entry:
            yield FieldFault(f"{name} is not an object")
    if isinstance(infer, dict):
        yield from _recording(infer, list_id)
        if "detections" in infer:
            yield from _detections(infer["detections"])
    if isinstance(duty, dict):
        yield from _duty(duty)


def _recording(infer: dict[str, Any], list_id: str) -> Iterator[FieldFault]:
    row = table()["streaming"][list_id]
    for key, right in (("wav_file", row["wav"]), ("length_sec", row["length_s"]), ("sample_rate", row["sample_rate_hz"]),
                       ("iterations", 1), ("warmups", 0)):  # fmt: skip
        if key in infer and (infer[key] != right or isinstance(infer[key], bool)):
            yield FieldFault(f"{key} is {str(infer[key])[:40]!r}, not {right!r}")
    windows = infer.get("detection_windows")
    pairs = [numbers_in_json(pair) for pair in windows] if isinstance(windows, list) else []
    lines = "".join(f"{pair[0]!r},{pair[1]!r}\n" for pair in pairs if pair is not None and len(pair) == 2)
    if "detection_windows" in infer and hashlib.sha256(lines.encode()).hexdigest() != row["digest"]:
        yield FieldFault(f"detection_windows is not the official list of {row['windows']} words")


def _detections(value: Any) -> Iterator[FieldFault]:
    if not isinstance(value, list) or not value or not all(whole(time) and 0 <= time < 10**9 for time in value):
        yield FieldFault("detections is not a list of milliseconds that begins with the start marker")
    elif any(late <= early for early, late in itertools.pairwise(value)):
        yield FieldFault("detections do not come one after the other", sums=True)


def _duty(duty: dict[str, Any]) -> Iterator[FieldFault]:
    on, off = (numbers_in_json(duty.get(key)) for key in ("start_times_s", "stop_times_s"))
    if not on or not off or len(on) != len(off) or len(on) < 2:
        yield FieldFault("start_times_s and stop_times_s are not lists of one length, two or more")
        return
    if any(value != round(value / _TICK_S) * _TICK_S for value in (*on, *off)):
        yield FieldFault("times of the duty cycle are not in steps of 10 us", sums=True)
    edges = [edge for pair in zip(on, off, strict=True) for edge in pair]
    if any(late <= early for early, late in itertools.pairwise(edges)):
        yield FieldFault("starts and stops of the duty cycle do not alternate", sums=True)
    for key, right in zip(("processing_time", "period", "duty_cycle"), _averages(on, off), strict=True):
        if key in duty and (isinstance(duty[key], bool) or duty[key] not in right):
            yield FieldFault(f"{key} is {str(duty[key])[:40]}, its times give {right[0]!r}", sums=True)


def _averages(on: Sequence[float], off: Sequence[float]) -> tuple[tuple[float, ...], ...]:
    """Mean time on, mean period and their quotient; each as numpy and as exact sums give it, which may differ in the last digit."""
    starts, stops = np.array(on), np.array(off)
    busy = (float(np.mean(stops - starts)), math.fsum(stops - starts) / len(on))
    period = (float(np.mean(np.diff(starts))), math.fsum(np.diff(starts)) / (len(on) - 1))
    return busy, period, tuple(one / other for one in busy for other in period if other)


@dataclass(frozen=True)
class Told:
    """What the session's files must say of an entry without faults."""

    results: list[Forms]
    stream: dict[str, Forms]
    missed: tuple[float, ...]
    false: tuple[float, ...]


def told(entry: dict[str, Any], mode: Mode) -> Told:
    """The lines of log and ``results.txt`` that follow from the entry."""
    infer, duty = entry["infer"], entry["dutycycle"]
    found, missed, false = detected(infer["detections"], [(start, stop) for start, stop in infer["detection_windows"]])
    lines = list(expected.energy([entry])) if mode == "energy" else []
    counts = f"Accuracy: {found} True positives, {len(missed)} False negatives, {len(false)} False positives"
    lines += expected.single([counts, f"Average duty cycle: {duty['duty_cycle']:1.5}", f"Average period: {duty['period']:1.5} s"])
    lines += expected.single([f"Estimated throughput: {1.0 / duty['processing_time']:1.5} inf./sec."])
    stream: dict[str, Forms] = {
        "Playing ": (f"Playing {infer['wav_file']} (length = {infer['length_sec']}s) at",),
        "Duty cycle =": (f"Duty cycle = {duty['duty_cycle']:.3f}, Period = {duty['period'] * 1e3:.3} ms",),
        "== File": (f"== File {infer['wav_file']} ({infer['length_sec']:2.1f} s) ==",),
    }
    if mode == "energy":
        power = entry["power"]
        stream["samples:"] = (f"samples:{len(power['samples'])} timestamps:{len(power['timestamps'])}",)
    return Told(lines, stream, missed, false)


def stream_differences(entry: dict[str, Any], right: Told, log: LogRecord) -> Iterator[tuple[int, str]]:
    """Lines of the log about the recording that the entry does not give: number and text."""
    for kind, forms in right.stream.items():
        lines = log.stream.get(kind, [])
        if len(lines) != 1:
            yield lines[-1][1] if lines else 0, f"{len(lines)} lines {forms[0]!r}, the runner prints one"
        elif not (lines[0][0].startswith(forms) if kind == "Playing " else lines[0][0] in forms):
            yield lines[0][1], f"{lines[0][0][:120]!r}, results.json gives {forms[0]!r}"
    for kind, times in (("False negatives:", right.missed), ("False positives:", right.false)):
        lines = log.stream.get(kind, [])
        printed = [real(text) for text in _NUMBERS.findall(lines[0][0].partition(":")[2])] if lines else []
        digits = [round(time, 3) for time in times] if kind == "False positives:" else list(times)
        if len(lines) != 1 or printed != digits:
            yield lines[0][1] if lines else 0, f"{kind[:-1].lower()} are not those of results.json"
    silent = log.stream.get("No activation data", [])
    if len(silent) != (not entry["activations"]):
        yield (
            silent[-1][1] if silent else 0,
            f"{len(silent)} lines say that there is no activation data, results.json holds {entry['activations']}",
        )
    if len(log.lists) != 1:
        yield log.lists[-1] if log.lists else 0, f"{len(log.lists)} lists of detections, the runner prints one"
    found = {kind: lines[0][1] for kind, lines in log.stream.items()} | ({"[": log.lists[0]} if log.lists else {})
    found |= {kind: number for text, number in log.summary for kind in _ORDER if text.startswith(kind)}
    places = [found[kind] for kind in _ORDER if kind in found]
    if places != sorted(places):
        yield max(places), "lines do not stand in the order in which the runner prints them"
