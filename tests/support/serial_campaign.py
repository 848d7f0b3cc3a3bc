# SPDX-License-Identifier: Apache-2.0
"""Every single-byte fault on the serial line, in a short conversation of each mode: what comes of it.

A fault is one byte lost, doubled, with one bit flipped, replaced or inserted, at one position of what is sent to the device or comes from
it. A run that ends must have measured what the undisturbed run measures, in everything that it wrote: results.json, results.txt, log.txt
and the journal. Otherwise it must end in an error with a hint.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from support.scripted_device import ScriptedDevice

from cm4tiny.benchmarks import Benchmark, DataSet, get_benchmark
from cm4tiny.errors import Cm4TinyError
from cm4tiny.runner import Dut, Rules, SessionWriter, energy, run_accuracy, run_energy, run_performance

MODES = ("performance", "accuracy", "energy")
DIALECTS = ("own", "reference")
DIRECTIONS = ("to", "from")
NOW = datetime(2026, 1, 2, 3, 4, 5)
BENCHMARK: Benchmark = replace(
    get_benchmark("kws"), input_bytes=40, model_input_shape=(1, 40), model_output_shape=(1, 3), classes=3, results=3, labels=("a", "b", "c")
)
RULES = Rules(windows=3, min_window_s=10.0, min_iterations=10, performance_files=3, warmups={m: {"kws": 2} for m in MODES})
TOLERANCE = 0.005
"""How far a figure may be off. Where answers have a checksum every recorded time stamp must also be one that the device printed."""
FILES = 5
LIMIT_S = 100_000.0
"""No single fault may keep a run for so many seconds (of the link's clock)."""


class Fault(NamedTuple):
    """One fault: ``kind`` is ``drop``, ``double``, ``flip`` (``value``: the bit), ``change`` or ``insert`` (``value``: the byte)."""

    mode: str
    dialect: str
    direction: str
    position: int
    kind: str
    value: int = 0

    def apply(self, data: bytes, at: int) -> bytes:
        """The bytes with the fault at index ``at``."""
        byte = data[at]
        new = {
            "drop": b"",
            "double": bytes((byte, byte)),
            "flip": bytes((byte ^ 1 << self.value % 8,)),
            "change": bytes((self.value,)),
            "insert": bytes((self.value, byte)),
        }[self.kind]
        return data[:at] + new + data[at + 1 :]


class Line:
    """Disturbs one byte of one direction; counts what passes."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.fault = fault
        self.passed = {direction: bytearray() for direction in DIRECTIONS}
        self.fired = False

    def __call__(self, direction: str, data: bytes) -> bytes:
        before = len(self.passed[direction])
        self.passed[direction] += data
        fault = self.fault
        if fault is not None and fault.direction == direction and before <= fault.position < before + len(data):
            self.fired = True
            return fault.apply(data, fault.position - before)
        return data


@dataclass(frozen=True)
class _Trace:
    sample_period_s: float
    joules: Any
    timestamps_s: tuple[float, ...]


class _Monitor:
    """1 mW at rest, 30 mW between the time stamps."""

    simulated = True
    name = "scripted monitor"
    voltage_v = 3.0

    def __init__(self, device: ScriptedDevice) -> None:
        self.device = device

    def start(self) -> None:
        self.began = self.device.now
        self.device.edges.clear()

    def stop(self) -> _Trace:
        period = 0.01
        edges = [edge - self.began for edge in self.device.edges]
        length = max(self.device.now - self.began, *edges, 0.0) if edges else self.device.now - self.began
        samples = np.full(min(int(length / period), 1_000_000) + 2, 0.001 * period)
        if len(edges) >= 2:
            samples[int(edges[-2] / period) : int(edges[-1] / period)] = 0.03 * period
        return _Trace(period, samples, tuple(edges))


@dataclass(frozen=True)
class Record:
    """All that a run left behind, and what it returned."""

    headline: float
    entries: list[dict[str, Any]]
    results: list[str]
    log: list[str]
    journal: list[dict[str, Any]]
    laps: set[tuple[int, int]]
    infers: set[tuple[int, int]]


class Bench:
    """Runs conversations in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        root = folder / "kws01"
        root.mkdir(parents=True)
        generator = random.Random(11)
        lines = []
        for index in range(FILES):
            (root / f"s{index}.bin").write_bytes(generator.randbytes(BENCHMARK.input_bytes))
            lines.append(f"s{index}.bin,{BENCHMARK.classes},{index % BENCHMARK.classes}")
        (root / "y_labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.data_set = DataSet.open(root, BENCHMARK)
        self._number = itertools.count()
        self._truths: dict[tuple[str, str], tuple[Record, Line]] = {}

    def device(self, mode: str, dialect: str, line: Line) -> ScriptedDevice:
        return ScriptedDevice(
            model_id=BENCHMARK.model_id,
            input_bytes=BENCHMARK.input_bytes,
            results=BENCHMARK.results,
            dialect=dialect,
            energy=mode == "energy",
            running=mode == "accuracy",
            disturb=line,
        )

    def run(self, mode: str, dialect: str, line: Line, device: ScriptedDevice | None = None) -> Record:
        """One whole run, on ``device`` if there is one; raises what it raises."""
        device = self.device(mode, dialect, line) if device is None else device
        folder = self.folder / f"run{next(self._number)}"
        journal = folder / "journal.jsonl"
        try:
            with SessionWriter(folder / "s", simulated="scripted", now=lambda: NOW) as session:
                dut = Dut(device)
                if mode == "performance":
                    headline = run_performance(dut, BENCHMARK, self.data_set, session, rules=RULES, cycles=lambda: device.cycles).throughput
                elif mode == "accuracy":
                    headline = run_accuracy(dut, BENCHMARK, self.data_set, session, journal=journal, keep_journal=True).top_1
                else:
                    headline = run_energy(dut, _Monitor(device), BENCHMARK, self.data_set, session, rules=RULES).microjoules_per_inference
            if device.now > LIMIT_S:
                raise AssertionError(f"a run of {device.now:.0f} s")
            return self._read(headline, session.folder, journal, device)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _read(headline: float, folder: Path, journal: Path, device: ScriptedDevice) -> Record:
        lines = journal.read_text(encoding="utf-8").splitlines()[1:] if journal.exists() else []
        return Record(
            headline,
            json.loads((folder / "results.json").read_text(encoding="utf-8")),
            (folder / "results.txt").read_text(encoding="utf-8").splitlines(),
            (folder / "log.txt").read_text(encoding="utf-8").splitlines(),
            [json.loads(line) for line in lines],
            set(device.laps),
            set(device.infers),
        )

    def truth(self, mode: str, dialect: str) -> tuple[Record, Line]:
        """What the undisturbed run leaves behind, and the bytes that passed."""
        if (mode, dialect) not in self._truths:
            line = Line()
            self._truths[mode, dialect] = self.run(mode, dialect, line), line
        return self._truths[mode, dialect]

    def judge(self, fault: Fault) -> tuple[str, str]:
        """``("correct" | "refused" | "wrong" | "untouched", text)`` for one fault."""
        truth, _ = self.truth(fault.mode, fault.dialect)
        line = Line(fault)
        try:
            record = self.run(fault.mode, fault.dialect, line)
        except Cm4TinyError as error:
            return ("refused", error.what) if error.hint else ("wrong", f"an error without a hint: {error}")
        except Exception as error:  # a defect, whatever it is
            return "wrong", f"{type(error).__name__}: {error}"
        if not line.fired:
            return "untouched", ""
        difference = differs(record, truth, exact=fault.dialect == "own")
        return ("wrong", difference) if difference else ("correct", "")


def _far(a: float, b: float) -> bool:
    return abs(a - b) > TOLERANCE * abs(b)


def differs(record: Record, truth: Record, *, exact: bool) -> str:
    """The first thing in which a record is not the true one, or an empty text.

    Args:
        exact: every pair of time stamps must be one that the device printed.
    """
    if _far(record.headline, truth.headline):
        return f"headline {record.headline} instead of {truth.headline}"
    if len(record.entries) != len(truth.entries):
        return f"{len(record.entries)} entries instead of {len(truth.entries)}"
    for number, (entry, right) in enumerate(zip(record.entries, truth.entries, strict=True)):
        if why := _entry_differs(entry, right, record, exact):
            return f"entry {number} of results.json: {why}"
    if len(record.journal) != len(truth.journal):
        return f"{len(record.journal)} lines in the journal"
    for entry, right in zip(record.journal, truth.journal, strict=True):
        if any(entry[key] != right[key] for key in ("s", "g", "n", "w", "r")):
            return f"journal {entry} instead of {right}"
        if why := _stamps_differ(entry["t"], right["t"], record.laps, exact):
            return f"journal: {why}"
    return _lines_differ(record.results, truth.results) or _lines_differ(_standing(record), truth.log)


def _stamps_differ(stamps: list[int], right: list[int], printed: set[tuple[int, int]], exact: bool) -> str:
    if (stamps[0], stamps[1]) in printed:
        return ""
    if exact or _far((stamps[1] - stamps[0]) % 2**32, (right[1] - right[0]) % 2**32):
        return f"time stamps {stamps} were not printed"
    return ""


def _entry_differs(entry: dict[str, Any], right: dict[str, Any], record: Record, exact: bool) -> str:
    if {key: entry[key] for key in entry if key not in ("infer", "power")} != {k: right[k] for k in right if k not in ("infer", "power")}:
        return "another input, mode or proof"
    infer, true = entry["infer"], right["infer"]
    if list(infer) != list(true):
        return f"keys {list(infer)}"
    if (infer["iterations"], infer["warmups"]) not in record.infers or abs(infer["iterations"] / true["iterations"] - 1) > 0.02:
        return f"{infer['iterations']} inferences"  # their number follows from a measured time, so it may differ by a few
    for key in ("results", "warmups", "total_inferences"):
        if infer[key] != true[key]:
            return f"{key} {infer[key]} instead of {true[key]}"
    return _measures_differ(entry, right, record, exact)


def _measures_differ(entry: dict[str, Any], right: dict[str, Any], record: Record, exact: bool) -> str:
    infer, true = entry["infer"], right["infer"]
    if "throughput" in infer and _far(infer["throughput"], true["throughput"]):
        return f"throughput {infer['throughput']} instead of {true['throughput']}"
    if "start_time" in infer:
        stamps, wanted = ([i["start_time"], i["end_time"]] for i in (infer, true))
        if (stamps[1] - stamps[0]) % 2**32 != infer["elapsed_time"]:
            return "stamps that are not the elapsed time"
        if why := _stamps_differ(stamps, wanted, record.laps, exact):
            return why
    if "power" in right:
        joules, wanted_joules = (_joules(e["power"]) / e["infer"]["iterations"] for e in (entry, right))
        if _far(joules, wanted_joules):
            return f"{joules} J per inference instead of {wanted_joules}"
    return ""


def _joules(power: dict[str, Any]) -> float:
    first, second = (int(count) for _, count in power["timestamps"][-2:])
    return sum(power["samples"][first:second])


_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MEASURED = re.compile(r"Runtime|Throughput|Median|Elapsed|Power  |Energy|Inferences")
_REPEATED = re.compile(r"Captured samples|measured again")


_BLOCK = re.compile(r"Performance results for window (\d+):$")
_BLOCK_LINES = 5


def _standing(record: Record) -> list[str]:
    """The log without the blocks of windows that it says were measured again, and without true lines about what the device did."""
    ran = {f"Running inference with {warmups}/{count} (warmup/measured) iterations ..." for count, warmups in record.infers}
    log = [line for line in record.log if line not in ran]
    starts: dict[str, int] = {}
    dropped: set[int] = set()
    for at, line in enumerate(log):
        block = _BLOCK.search(line)
        if block is None:
            continue
        before = starts.get(block[1])
        if before is not None and any(f"Window {block[1]} differs" in between for between in log[before:at]):
            dropped.update(range(before, before + _BLOCK_LINES))
        starts[block[1]] = at
    return [line for at, line in enumerate(log) if at not in dropped]


def _lines_differ(lines: list[str], right: list[str]) -> str:
    """A line that the undisturbed run does not have; the figures of measured times may differ a little. Repeated work gives lines twice."""
    wanted = set(right)
    shapes: dict[str, list[list[float]]] = {}
    for line in right:
        shapes.setdefault(_NUMBER.sub("#", line), []).append([float(n) for n in _NUMBER.findall(line)])
    for line in lines:
        if line in wanted or _REPEATED.search(line):
            continue
        numbers = [float(n) for n in _NUMBER.findall(line)]
        like = shapes.get(_NUMBER.sub("#", line), []) if _MEASURED.search(line) else []
        if not any(all(not _far(a, b) or abs(a - b) <= 0.002 for a, b in zip(numbers, one, strict=True)) for one in like):
            return f"line {line!r}"
    return ""


def faults(bench: Bench, generator: random.Random, *, modes: Sequence[str] = MODES, per_position: int = 3) -> Iterator[Fault]:
    """Every position of every conversation with every kind: each bit flipped, and some bytes replaced and inserted."""
    telling = b"%\r\n0123456789 -[].,em\0\x80"
    for mode, dialect, direction in itertools.product(modes, DIALECTS, DIRECTIONS):
        passed = bench.truth(mode, dialect)[1].passed[direction]
        for position in range(len(passed)):
            where = (mode, dialect, direction, position)
            yield Fault(*where, "drop")
            yield Fault(*where, "double")
            yield from (Fault(*where, "flip", bit) for bit in range(8))
            for kind in ("change", "insert"):
                for value in (*generator.sample(telling, per_position - 1), generator.randrange(256)):
                    yield Fault(*where, kind, value)


def sample(bench: Bench, seed: int, tries: int, modes: Sequence[str] = MODES) -> list[Fault]:
    """So many faults, chosen by seed, from all of them."""
    generator = random.Random(seed)
    everything = list(faults(bench, generator, modes=modes))
    return everything if tries >= len(everything) else generator.sample(everything, tries)


@contextlib.contextmanager
def without_sync() -> Iterator[None]:
    """Files are not forced to the disk, the monitor is asked without a thread: not tried here, and most of the time."""

    def ask(power: object, what: str, action: Callable[[], Any], limit_s: float = 0.0) -> Any:
        return action()

    with mock.patch.object(os, "fsync", lambda descriptor: None), mock.patch.object(energy, "ask", ask):
        yield


@dataclass
class Tally:
    """Counts, and every fault with a wrong outcome."""

    counts: Counter[tuple[str, str, str]]
    wrong: list[tuple[Fault, str]]

    @cached_property
    def total(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for (_, _, outcome), count in self.counts.items():
            total[outcome] += count
        return total

    def table(self) -> str:
        rows = [f"{'conversation':24} {'tries':>8} {'correct':>8} {'refused':>8} {'wrong':>8}"]
        for mode, dialect in itertools.product(MODES, DIALECTS):
            found = {outcome: self.counts[mode, dialect, outcome] for outcome in ("correct", "refused", "wrong", "untouched")}
            if sum(found.values()):
                numbers = (sum(found.values()), found["correct"] + found["untouched"], found["refused"], found["wrong"])
                rows.append(f"{mode + ', ' + dialect:24} " + " ".join(f"{n:8d}" for n in numbers))
        total = self.total
        numbers = (sum(total.values()), total["correct"] + total["untouched"], total["refused"], total["wrong"])
        rows.append(f"{'all':24} " + " ".join(f"{n:8d}" for n in numbers))
        return "\n".join(rows)


def try_all(bench: Bench, chosen: Sequence[Fault], on_try: Callable[[], object] = lambda: None) -> Tally:
    """Tries one fault after the other."""
    tally = Tally(Counter(), [])
    with without_sync():
        for fault in chosen:
            outcome, text = bench.judge(fault)
            tally.counts[fault.mode, fault.dialect, outcome] += 1
            if outcome == "wrong":
                tally.wrong.append((fault, text))
            on_try()
    return tally
