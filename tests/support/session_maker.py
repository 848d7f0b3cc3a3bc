# SPDX-License-Identifier: Apache-2.0
"""Sessions for tests: written with the project's own writer in the MLCommons runner's format, or by hand in EEMBC's."""

from __future__ import annotations

import json
import math
import statistics
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from cm4tiny.benchmarks import Sample, get_benchmark, metrics
from cm4tiny.results.rounds import LabelLists
from cm4tiny.results.rounds.labels import Identified
from cm4tiny.runner import report_lines
from cm4tiny.runner.dut import Inference
from cm4tiny.runner.session import SessionWriter

NAMES = {
    "kws": [f"tst_{n:06}_Word_{n % 12}.bin" for n in range(24)],
    "ic": [f"{word}_s_{n:06}.bin" for n, word in enumerate(["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse"] * 3)],
    "ad": [f"{kind}_id_01_{n:08}_hist_librosa.bin" for n in range(4) for kind in ("normal", "anomaly")],
    "vww": [f"{n:012}.bin" for n in range(1, 21)],
}
"""Small stand-ins for the official lists."""

NAMES["ic02"] = NAMES["ic"]


class HostClock:
    """The host's wall clock, which a session's maker moves."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 2, 3, 4, 5)

    def __call__(self) -> datetime:
        return self.time

    def pass_by(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass(frozen=True)
class SmallLists(LabelLists):
    """Label lists for tests: the names above are complete lists, and their labels are known."""

    known: dict[str, dict[str, int]] = field(default_factory=dict)

    def identify(self, benchmark: str, files: Sequence[str], accepted: Sequence[str] = ()) -> Identified:
        """The list whose names these are, as the real ones do."""
        mine = {key: labels for key, labels in self.known.items() if key.startswith(benchmark)}
        if not mine:
            return Identified("", 0, tuple(files), False, np.full(len(files), -1))
        best = max(mine, key=lambda key: (sum(file in mine[key] for file in files), key in accepted))
        labels = np.array([mine[best].get(file, -1) for file in files], dtype=np.int64)
        unknown = tuple(file for file in files if file not in mine[best])
        return Identified(best, len(mine[best]), unknown, set(files) == set(mine[best]), labels)


@cache
def _words() -> dict[str, tuple[tuple[float, float], ...]]:
    return dict(LabelLists.known().windows)


def small_lists() -> SmallLists:
    """The lists for :data:`NAMES`, and an old one for ic."""
    known = {
        "kws01": {name: n % 12 for n, name in enumerate(NAMES["kws"])},
        "ic01": {name: n % 8 for n, name in enumerate(NAMES["ic"])},
        "ad01": {name: n % 2 for n, name in enumerate(NAMES["ad"])},
        "vww01": {name: n % 2 for n, name in enumerate(NAMES["vww"])},
        "ic01-v0.5": {f"old_s_{n:06}.bin": n % 8 for n in range(24)},
    }
    return SmallLists(known=known, source="test", windows=_words())


@cache
def _label(benchmark: str, name: str, otherwise: int = 0) -> int:
    label = int(small_lists().identify(get_benchmark(benchmark).data_set[:-2], [name]).labels[0])
    return label if label >= 0 else otherwise


def _vector(benchmark: str, label: int, right: bool) -> tuple[float, ...]:
    if benchmark == "ad":
        return (12.5 + 10 * label,)
    width = get_benchmark(benchmark).results
    top = label if right else (label + 1) % width
    return tuple(0.996 if n == top else 0.0 for n in range(width))


def _sample(benchmark: str, name: str, label: int) -> Sample:
    row = get_benchmark(benchmark)
    stride = 512 if benchmark == "ad" else 0
    return Sample(name, row.classes, label, length_bytes=row.input_bytes, stride_bytes=stride)


def _greet(session: SessionWriter, benchmark: str) -> None:
    dut: Any = SimpleNamespace(link=SimpleNamespace(name="/dev/ttyACM0"), answer_proof="none", clock_is_exact=False)
    identity: Any = SimpleNamespace(name="board", profile="ULPMark for tinyML Firmware V0.0.1", model_id=get_benchmark(benchmark).model_id)
    report_lines.greet(session, dut, identity)


def performance(
    folder: Path,
    benchmark: str = "kws",
    *,
    seconds: float = 10.5,
    iterations: int = 240,
    windows: int = 5,
    simulated: str = "",
    open_division: str = "",
) -> Path:
    """A performance session of equal windows, each one 100 us longer than the one before."""
    folder.mkdir(parents=True)
    clock = HostClock()
    with SessionWriter(folder, folder=folder, now=clock, simulated=simulated, open_division=open_division) as session:
        _greet(session, benchmark)
        rates, measured, start = [], [], 1_000_000
        for number in range(1, windows + 1):
            name = NAMES[benchmark][number - 1]
            stop = start + round(seconds * 1e6) + 100 * number
            label = _label(benchmark, name)
            inference = Inference(iterations, 10, (start, stop), _vector(benchmark, label, True))
            sample = _sample(benchmark, name, label)
            report_lines.loading(session, sample)
            clock.pass_by(0.4)
            report_lines.loaded(session, 10, iterations)
            clock.pass_by(seconds * (iterations + 10) / iterations)
            report_lines.window(session, number, inference)
            rates.append(iterations / ((stop - start) / 1e6))
            measured.append((sample, inference))
            start = stop + 500_000
        session.log("-" * 20)
        for number, ((sample, inference), rate) in enumerate(zip(measured, rates, strict=True), 1):
            segments = 1 if benchmark == "ad" else None
            session.entry(report_lines.entry(sample, inference, "p", segments=segments, throughput=rate))
            report_lines.performance_window(session, number, inference, rate, seconds >= 10 and iterations >= 10)
        report_lines.median_throughput(session, statistics.median(rates))
        return session.finish()


def accuracy(folder: Path, benchmark: str = "kws", *, wrong: int = 1, names: Sequence[str] | None = None, simulated: str = "") -> Path:
    """An accuracy session over the small list; the last ``wrong`` files get a wrong answer."""
    folder.mkdir(parents=True)
    files = list(names if names is not None else NAMES[benchmark])
    clock = HostClock()
    with SessionWriter(folder, folder=folder, now=clock, simulated=simulated) as session:
        _greet(session, benchmark)
        session.log(f"No loop count specified.  Using full set ({len(dict.fromkeys(files))} test files)")
        rows, labels = [], []
        segments, start = 196 if benchmark == "ad" else 1, 7_000
        for number, name in enumerate(files):
            label = _label(benchmark, name, number % get_benchmark(benchmark).classes)
            values = _vector(benchmark, label, number < len(files) - wrong)
            sample = _sample(benchmark, name, label)
            for segment in range(segments):
                inference = Inference(1, 0, (start, start + 40_000 + number % 7), values)
                report_lines.loading(session, sample, segment)
                clock.pass_by(0.1)
                report_lines.loaded(session, 0, 1)
                report_lines.window(session, number * segments + segment + 1, inference)
                session.entry(report_lines.entry(sample, inference, "a", segments=segments if benchmark == "ad" else None))
                start += 90_000
            rows.append(values)
            labels.append(label)
        scores, truth = np.array([metrics.normalised(row) for row in rows]), np.array(labels)
        top_1 = metrics.anomaly_top_1(scores, truth) if benchmark == "ad" else metrics.top_1(np.array(rows), truth)
        report_lines.accuracy(session, top_1, metrics.auc(scores, truth))
        return session.finish()


def energy(
    folder: Path, benchmark: str = "kws", *, seconds: float = 10.5, iterations: int = 240, watts: float = 0.05, volts: float = 3.0
) -> Path:
    """An energy session of five windows, a sample a millisecond; four values in turn, so that samples differ from their neighbours."""
    folder.mkdir(parents=True)
    clock = HostClock()
    with SessionWriter(folder, folder=folder, now=clock) as session:
        _greet(session, benchmark)
        session.log(f"Power monitor: LPM01A at {volts:g} V")
        costs = []
        some = [round(watts * 0.001 * (1 + 0.01 * number), 12) for number in range(4)]
        for number in range(5):
            name = NAMES[benchmark][number]
            first, last = 100, 100 + round(seconds * 1000) + number
            samples = (some * (last // 4 + 50))[: last + 50]
            label = _label(benchmark, name)
            inference = Inference(iterations, 0, None, _vector(benchmark, label, True))
            sample = _sample(benchmark, name, label)
            report_lines.loading(session, sample)
            clock.pass_by(0.4)
            report_lines.loaded(session, 0, iterations)
            clock.pass_by(seconds + 0.2)
            session.log("done")
            session.log(f"Captured samples:{len(samples)} timestamps:2")
            entry = report_lines.entry(sample, inference, "e", segments=1 if benchmark == "ad" else None)
            mode = entry.pop("mode")
            stamps = [[f"{2 * number:02d}", first], [f"{2 * number + 1:02d}", last]]
            power = {"samples": samples, "timestamps": stamps, "extracted_power": None, "voltage": volts}
            session.entry({**entry, "power": power, "mode": mode})
            costs.append((last / 1000 - first / 1000, math.fsum(samples[first:last])))
        session.log("-" * 20)
        session.result("Power Edition Output")
        for trial, (elapsed, total) in enumerate(costs):
            report_lines.energy_trial(session, trial, elapsed, iterations, total, elapsed < 10)
        report_lines.median_energy(session, statistics.median(total / iterations * 1e6 for _, total in costs))
        return session.finish()


def eembc_performance(folder: Path, benchmark: str = "kws", *, seconds: float = 10.5, iterations: int = 240) -> Path:
    """A performance session as EEMBC's runner writes it."""
    folder.mkdir(parents=True)
    model = get_benchmark(benchmark).model_id
    lines = [
        "00035.099 session: m-session-start-id[20230512185857]",
        "00035.099 parser: m-bmark-run-name[ML Performance 1.0.1]-code[ulp-mlperf]",
    ]
    lines += ["00035.600 dut: m-profile-[ULPMark for tinyML Firmware V0.0.1]", f"00035.700 dut: m-model-[{model}]"]
    script, printed, rates, stamp = [], [], [], 90_000_000
    for number in range(1, 6):
        name, stop = NAMES[benchmark][number - 1], stamp + round(seconds * 1e6) + 100 * number
        lines += [
            f'00040.000 parser: Command "bload dut "C:\\Users\\x\\{model}\\{name}""',
            f'00041.000 parser: Command "dut infer {iterations} 1"',
        ]
        lines += [f"00042.000 dut: m-infer-start-{iterations}", f"00042.000 dut: m-lap-us-{stamp}", f"00052.000 dut: m-lap-us-{stop}"]
        lines += [f"00052.100 dut: m-results-[{','.join(f'{v:.3f}' for v in _vector(benchmark, number - 1, True))}]"]
        script += [
            f"{{ cmd: 'bload dut \"/x/{name}\"', ms: 7840 }}",
            f"{{ cmd: 'dut infer {iterations} 1', ms: -1, ack: /dut.?: m-ready/ }}",
        ]
        rate = iterations * 1e6 / (stop - stamp)
        rates.append(rate)
        printed += [
            f"00053.000 ulp-mlperf: Performance results for window {number}:",
            f"00053.000 ulp-mlperf:   # Inferences : {iterations:>12}",
        ]
        printed += [f"00053.000 ulp-mlperf:   Runtime      : {(stop - stamp) / 1e6:>12.3f} sec."]
        printed += [
            f"00053.000 ulp-mlperf:   Throughput   : {rate:>12.3f} inf./sec.",
            "00053.000 ulp-mlperf: Runtime requirements have been met.",
        ]
        stamp = stop + 500_000
    printed += [f"00054.000 ulp-mlperf: Median throughput is {statistics.median(rates):>10.3f} inf./sec."]
    lines += ["00106.658 session: m-session-stop-id[20230512185857]"]
    (folder / "log.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "results.txt").write_text("\n".join(printed) + "\n", encoding="utf-8")
    (folder / "script.async").write_text(",\n".join(script) + "\n", encoding="utf-8")
    return folder


def eembc_accuracy(folder: Path, benchmark: str = "kws", *, wrong: int = 1) -> Path:
    """An accuracy session as EEMBC's runner writes it."""
    folder.mkdir(parents=True)
    model = get_benchmark(benchmark).model_id
    lines = ["00035.099 session: m-session-start-id[20230512185857]", f"00035.700 dut: m-model-[{model}]"]
    rows, labels = [], []
    for number, name in enumerate(NAMES[benchmark]):
        label = int(small_lists().identify(benchmark, [name]).labels[0])
        values = _vector(benchmark, label, number >= wrong)
        lines += [f'00040.000 parser: Command "bload dut "/x/{name}""', '00041.000 parser: Command "dut infer 1 0"']
        lines += ["00042.000 dut: m-lap-us-1000000", "00042.000 dut: m-lap-us-1040000"]
        lines += [f"00052.100 dut: m-results-[{','.join(f'{v:.3f}' for v in values)}]"]
        rows.append(values)
        labels.append(label)
    scores, truth = np.array(rows), np.array(labels)
    printed = [
        f"03171.459 ulp-mlperf: Top-1: {metrics.top_1(scores, truth):.1f}%",
        f"03171.489 ulp-mlperf: AUC: {metrics.eembc_auc(scores, truth):.2f}",
    ]
    lines += ["00106.658 session: m-session-stop-id[20230512185857]"]
    (folder / "log.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "results.txt").write_text("\n".join(printed) + "\n", encoding="utf-8")
    (folder / "script.async").write_text("{ cmd: 'dut infer 1 0', ms: -1 }\n", encoding="utf-8")
    return folder


def eembc_trace(folder: Path, *, stamps: int = 11) -> None:
    """The trace of an EEMBC energy session: constant 50 uJ a sample."""
    times = [0.018] + [2.0 + 11 * (n // 2) + 10.5 * (n % 2) for n in range(stamps - 1)]
    samples = struct.pack("<f", 50.0) * round(times[-1] * 1000 + 100)
    (folder / "trace1-energy.bin").write_bytes(b"\xf1" + struct.pack("<f", 1000.0) + samples)
    (folder / "trace1-timestamps.json").write_text(json.dumps(times), encoding="utf-8")
