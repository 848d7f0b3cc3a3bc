# SPDX-License-Identifier: Apache-2.0
"""The fields of an entry of ``results.json``: present, of the right type, of the benchmark, and in agreement with each other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cm4tiny.benchmarks import Benchmark
from cm4tiny.results.rounds.model import Mode
from cm4tiny.results.rounds.numbers import numbers_in_json
from cm4tiny.results.rounds.table import benchmark_facts

MODE_LETTERS: dict[Mode, str] = {"performance": "p", "accuracy": "a", "energy": "e"}
_ENTRY = ("file", "classes", "class", "bytes_to_send", "stride", "total_length", "infer", "mode")
_INFER: dict[Mode, tuple[str, ...]] = {
    "performance": ("start_time", "end_time", "results", "elapsed_time", "total_inferences", "iterations", "warmups", "throughput"),
    "accuracy": ("start_time", "end_time", "results", "elapsed_time", "total_inferences", "iterations", "warmups"),
    "energy": ("results", "total_inferences", "iterations", "warmups"),
}
_SEGMENTS = ("bytes_to_send", "stride", "total_length")
_OPTIONAL = {"simulated", "strict", "division", "load_proof"}  # this project's runner writes them (docs/session-format.md)
_PROOFS = ("crc", "print", "none")
_CLOCK = 2**32


@dataclass(frozen=True)
class FieldFault:
    """Something wrong inside ``results.json``; ``sums`` if fields contradict each other, else a field is missing or malformed."""

    text: str
    sums: bool = False


def whole(value: object) -> bool:
    """True for a JSON integer (a bool is none)."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_label(value: object) -> bool:
    """True for a number as the list of labels has it, in the runner's text form."""
    return isinstance(value, str) and value.strip().isdecimal() and str(int(value)) == value.strip()


def keys_of(entry: Mapping[str, Any], wanted: tuple[str, ...], optional: set[str], what: str) -> Iterator[FieldFault]:
    """Fields that are missing or unknown."""
    missing = [key for key in wanted if key not in entry]
    unknown = [key for key in entry if key not in wanted and key not in optional]
    if missing:
        yield FieldFault(f"{what} lacks {', '.join(missing)}")
    if unknown:
        yield FieldFault(f"{what} has the unknown field {', '.join(map(repr, unknown[:3]))}")


def entry_faults(entry: Any, mode: Mode, benchmark: str) -> Iterator[FieldFault]:
    """What is wrong with an entry of any benchmark but streaming wakeword."""
    if not isinstance(entry, dict):
        yield FieldFault("is not an object")
        return
    if entry.get("error"):
        yield FieldFault(f"records an error of the runner: {str(entry['error'])[:60]!r}")
        return
    wanted = (*_ENTRY[:-1], "power", "mode") if mode == "energy" else _ENTRY
    yield from keys_of(entry, wanted, _OPTIONAL, "it")
    row = benchmark_facts(benchmark)
    # A runner that sends only the first segment may leave out what it needs for the others.
    unsegmented = mode != "accuracy" and all(key in entry and entry[key] is None for key in _SEGMENTS)
    for key, valid in _VALID.items():
        if key in entry and not (unsegmented and key in _SEGMENTS) and not valid(entry[key], row, mode):
            yield FieldFault(f"{key} is {str(entry[key])[:60]!r}")
    infer = entry.get("infer")
    if not isinstance(infer, dict):
        yield FieldFault("infer is not an object")
        return
    yield from keys_of(infer, _INFER[mode], {"start_time", "end_time"}, "infer")
    yield from _infer_faults(infer, mode, row)


def _segment_text(name: str) -> Callable[[Any, Benchmark | None, Mode], bool]:
    def valid(value: Any, row: Benchmark | None, mode: Mode) -> bool:
        if row is None:
            return value is None or _is_label(value)
        if not row.stride_bytes:
            return value is None
        return bool(_is_label(value) and int(value) == (row.stride_bytes if name == "stride" else row.input_bytes))

    return valid


def _total_length(value: Any, row: Benchmark | None, mode: Mode) -> bool:
    if row is None or not row.stride_bytes:
        return value is None or row is None
    return whole(value) and (value == 1 if mode != "accuracy" else value > 0)


_VALID: dict[str, Callable[[Any, Benchmark | None, Mode], bool]] = {
    "file": lambda value, row, mode: isinstance(value, str) and bool(value.strip()),
    "classes": lambda value, row, mode: _is_label(value) and (row is None or int(value) == row.classes),
    "class": lambda value, row, mode: _is_label(value) and (row is None or int(value) < row.classes),
    "bytes_to_send": _segment_text("bytes_to_send"),
    "stride": _segment_text("stride"),
    "total_length": _total_length,
    "mode": lambda value, row, mode: value == MODE_LETTERS[mode],
    "simulated": lambda value, row, mode: value is True,
    "strict": lambda value, row, mode: value is False,
    "division": lambda value, row, mode: value == "open",
    "load_proof": lambda value, row, mode: value in _PROOFS,
}


def _infer_faults(infer: Mapping[str, Any], mode: Mode, row: Benchmark | None) -> Iterator[FieldFault]:
    results = numbers_in_json(infer.get("results"))
    if "results" in infer and not results:
        yield FieldFault("results is not a list of finite numbers")
    elif results and row is not None and len(results) != row.results:
        yield FieldFault(f"results has {len(results)} values, the benchmark has {row.results}")
    for key, least in (("iterations", 1), ("warmups", 0)):
        if key in infer and not (whole(infer[key]) and infer[key] >= least):
            yield FieldFault(f"{key} is {str(infer[key])[:40]!r}")
    if "total_inferences" in infer and not (whole(infer["total_inferences"]) and infer["total_inferences"] == 1):
        yield FieldFault(f"total_inferences is {str(infer['total_inferences'])[:40]!r}")
    if mode == "accuracy" and whole(infer.get("iterations")) and infer["iterations"] != 1:
        yield FieldFault(f"{infer['iterations']} iterations in an accuracy run")
    yield from _time_faults(infer, mode)


def _time_faults(infer: Mapping[str, Any], mode: Mode) -> Iterator[FieldFault]:
    times = {key: infer[key] for key in ("start_time", "end_time", "elapsed_time") if key in infer}
    wrong = [key for key, value in times.items() if not (whole(value) and 0 <= value < 2**64)]
    for key in wrong:
        yield FieldFault(f"{key} is {str(times[key])[:40]!r}")
    if wrong or len(times) < 3:
        return
    start, end, elapsed = times["start_time"], times["end_time"], times["elapsed_time"]
    wrapped = start > end and start < _CLOCK and end - start + _CLOCK == elapsed
    if not elapsed or (end - start != elapsed and not wrapped):
        yield FieldFault(f"elapsed_time is {elapsed}, from start_time to end_time it is {end - start}", sums=True)
        return
    speed = infer.get("throughput")
    if mode == "performance" and "throughput" in infer and whole(infer.get("iterations")):
        exact = infer["iterations"] / (elapsed / 1e6)
        if isinstance(speed, bool) or speed not in (exact, 1e6 * infer["iterations"] / elapsed):  # either order of the runner's builds
            yield FieldFault(f"throughput is {str(speed)[:40]}, {infer['iterations']} inferences in {elapsed} us are {exact!r}", sums=True)


def power_faults(power: Any) -> Iterator[FieldFault]:
    """What is wrong with the samples and time stamps of one window."""
    if not isinstance(power, dict):
        yield FieldFault("power is not an object")
        return
    yield from keys_of(power, ("samples", "timestamps", "extracted_power", "voltage"), set(), "power")
    samples = numbers_in_json(power.get("samples"))
    if "samples" in power and not samples:
        yield FieldFault("samples is not a list of finite numbers")
    elif samples and min(samples) < 0:
        yield FieldFault(f"{sum(value < 0 for value in samples)} samples are negative", sums=True)
    if power.get("extracted_power") is not None:
        yield FieldFault(f"extracted_power is {str(power['extracted_power'])[:40]!r}")
    volts = power.get("voltage")
    if "voltage" in power and (isinstance(volts, bool) or not isinstance(volts, int | float) or not 0.5 <= volts <= 24):
        yield FieldFault(f"voltage is {str(volts)[:40]!r}")
    yield from _stamp_faults(power.get("timestamps"), len(samples or ()))


def _stamp_faults(stamps: Any, samples: int) -> Iterator[FieldFault]:
    if not isinstance(stamps, list) or not all(
        isinstance(stamp, list) and len(stamp) == 2 and isinstance(stamp[0], str) and stamp[0].isdecimal() and whole(stamp[1])
        for stamp in stamps
    ):
        yield FieldFault("timestamps is not a list of pairs of a counter and a number of samples")
        return
    if len(stamps) < 2:
        yield FieldFault(f"{len(stamps)} time stamps, a window needs two")
        return
    for (before, early), (after, late) in itertools.pairwise(stamps):
        if int(after) != (int(before) + 1) % 10 ** len(before) or len(after) != len(before):
            yield FieldFault(f"the counter of time stamps goes from {before} to {after}: a time stamp is lost", sums=True)
        if late <= early:
            yield FieldFault(f"the time stamp at sample {late} comes after that at sample {early}", sums=True)
    if stamps[0][1] < 0 or (samples and stamps[-1][1] > samples):
        yield FieldFault(f"a time stamp at sample {stamps[-1][1]} of {samples}", sums=True)
