# SPDX-License-Identifier: Apache-2.0
"""Performance runs: five windows of at least ten seconds on the first five inputs, the median counts.

Procedure: MLCommons runner, ``tests_performance.yaml`` (``loop 5: download, infer N W``), with N found by calibration instead of by
hand. Rules and their sources: :mod:`cm4tiny.runner.rules`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from cm4tiny.errors import AssetError, Cm4TinyError, ProtocolError, WitnessError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.runner import report_lines
from cm4tiny.runner.calibration import calibrate, long_enough
from cm4tiny.runner.dut import Dut, Identity, Inference
from cm4tiny.runner.follow import follow_window
from cm4tiny.runner.retry import POLICY
from cm4tiny.runner.rules import Rules, official_rules
from cm4tiny.runner.session import SessionWriter
from cm4tiny.runner.values import check_results

if TYPE_CHECKING:
    from cm4tiny.benchmarks import Benchmark, DataSet, Sample

T = TypeVar("T")
LARGE_SPREAD = 0.05
"""Windows that differ by more from their median are named in the result."""
WINDOW_SPREAD = 0.005
"""Windows that differ by more are measured again where nothing else proves their stamps. A microcontroller's hardly differ (round v1.3's
NUCLEO systems: 0.17 %, one 0.49 %), those of a board under an operating system by some per cent."""


@dataclass(frozen=True)
class PerformanceWindow:
    """One measured window.

    Attributes:
        file: the input's file.
        iterations: measured inferences.
        warmups: unmeasured ones before them.
        elapsed_us: microseconds by the device's clock.
        throughput: inferences per second.
        results: the numbers of the last inference.
        cycles_per_inference: processor cycles, where the board counts them.
    """

    file: str
    iterations: int
    warmups: int
    elapsed_us: int
    throughput: float
    results: tuple[float, ...]
    cycles_per_inference: float | None = None


@dataclass(frozen=True)
class PerformanceResult:
    """The outcome of a performance run.

    Attributes:
        throughput: median over the windows, inferences per second.
        breaches: what breaks a rule; empty for a run that counts.
        cycles_per_inference: median over the windows, where the board counts cycles.
    """

    benchmark: str
    identity: Identity
    windows: tuple[PerformanceWindow, ...]
    throughput: float
    breaches: tuple[str, ...]
    cycles_per_inference: float | None = None


def performance_inputs(data_set: DataSet, rules: Rules) -> list[tuple[Sample, bytes]]:
    """The first inputs of the list: of each file the first segment, as both runners do."""
    samples = data_set.samples[: rules.performance_files]
    if len(samples) < rules.performance_files:
        raise AssetError(
            f"the data set {data_set.id} has {len(samples)} files, a performance run needs {rules.performance_files}",
            why=f"it takes the first {rules.performance_files} lines of {data_set.root / 'y_labels.csv'}",
            hint="use the whole data set",
        )
    return [(sample, next(iter(data_set.segments(sample)))) for sample in samples]


def warn_repeat(events: EventStream, step: str, error: Cm4TinyError) -> None:
    """Reports that a measurement is retried, and why."""
    events.message(step, f"retried after: {error.what}", "warning")


MAX_ZERO_PROBE = 1024
"""Inferences that may take no time by a coarse clock before it counts as standing still."""


def _timed(inference: Inference, *, probe: bool = False) -> Inference:
    if not inference.elapsed_us and not (probe and inference.lap_us and inference.iterations < MAX_ZERO_PROBE):
        raise ProtocolError(
            "the device printed no time between two time stamps" if inference.lap_us else "the device printed no time stamps",
            why=f"its laps are {inference.lap_us}" if inference.lap_us else "an energy image signals them on a pin instead",
            hint="flash the performance image (EE_CFG_ENERGY_MODE=0)",
        )
    return inference


class _Run:
    def __init__(
        self, dut: Dut, benchmark: Benchmark, session: SessionWriter, rules: Rules, cycles: Callable[[], int] | None, events: EventStream
    ) -> None:
        self.dut = dut
        self.benchmark = benchmark
        self.session = session
        self.rules = rules
        self.step = f"{benchmark.id} performance"
        self.events = events
        self._cycles = cycles
        dut.meter = cycles
        self._first_cycles = 0  # cycles of a command with a single inference
        self.warmups = rules.warmups.get("performance", {}).get(benchmark.id, 0)

    def infer(self, iterations: int, warmups: int, *, probe: bool = False) -> tuple[Inference, int]:
        inference = _timed(check_results(self.dut.infer(iterations, warmups), self.benchmark, confirmed=self.dut.confirms), probe=probe)
        return inference, self.dut.metered

    def repeated(self, measure: Callable[[], T]) -> T:
        """What ``measure`` returns; by the retry policy."""
        return POLICY.run(POLICY.measurements, measure, self.dut.recover, lambda e: warn_repeat(self.events, self.step, e))

    def probe(self, iterations: int) -> float:
        inference, cycles = self.infer(iterations, 0, probe=True)
        if iterations == 1:
            self._first_cycles = cycles
        assert inference.elapsed_us is not None
        return inference.elapsed_us * 1e-6

    def calibrate(self, data: bytes) -> int:
        def measure() -> int:
            self.dut.load(data)
            return calibrate(self.probe, self.rules)

        return self.repeated(measure)

    def window(self, number: int, sample: Sample, data: bytes, iterations: int) -> tuple[PerformanceWindow, Inference, int]:
        def run(count: int) -> tuple[Inference, int]:
            report_lines.loading(self.session, sample)
            self.dut.load(data)
            report_lines.loaded(self.session, self.warmups, count)
            return self.infer(count, self.warmups)

        def measure() -> tuple[tuple[Inference, int], int]:
            return long_enough(run, lambda window: (window[0].elapsed_us or 0) * 1e-6, iterations, self.rules)

        (inference, cycles), iterations = self.repeated(measure)
        report_lines.window(self.session, number, inference)
        elapsed_us = inference.elapsed_us or 0
        throughput = iterations / (elapsed_us / 1e6)
        return (
            PerformanceWindow(
                file=sample.file,
                iterations=iterations,
                warmups=self.warmups,
                elapsed_us=elapsed_us,
                throughput=throughput,
                results=inference.results,
                cycles_per_inference=self._per_inference(cycles, iterations),
            ),
            inference,
            iterations,
        )

    def window_again(self, number: int, sample: Sample, data: bytes, first: PerformanceWindow) -> tuple[PerformanceWindow, Inference]:
        """Measures a window that is not like the others a second time, and a third time if the two differ: what two agree on.

        Raises:
            WitnessError: all three differ.
        """
        seen = [first.throughput]
        for _ in range(2):
            self.session.log(f"Window {number} differs from the median throughput and is measured again.")
            window, inference, _ = self.window(number, sample, data, first.iterations)
            if any(abs(window.throughput / other - 1.0) <= WINDOW_SPREAD for other in seen):
                return window, inference
            seen.append(window.throughput)
        raise WitnessError(
            f"window {number} was measured {len(seen)} times with {len(seen)} results",
            why=", ".join(f"{value:.3f} inf/s" for value in seen),
            hint="check that nothing else runs on the board and that its clock is stable",
        )

    def _per_inference(self, cycles: int, iterations: int) -> float | None:
        # A command's own cycles (its texts, its time stamps) are those of the single inference's command: the difference cancels them.
        if self._cycles is None or iterations + self.warmups < 2:
            return None
        return (cycles - self._first_cycles) / (iterations + self.warmups - 1)


def run_performance(
    dut: Dut,
    benchmark: Benchmark,
    data_set: DataSet,
    session: SessionWriter,
    *,
    iterations: int | None = None,
    rules: Rules | None = None,
    cycles: Callable[[], int] | None = None,
    events: EventStream = SILENT,
) -> PerformanceResult:
    """Measures the throughput.

    Args:
        iterations: inferences in a window; measured first when None.
        rules: the rules to hold; the official ones when None. Shorter windows give a result whose ``breaches`` say so.
        cycles: the board's cycle counter, if it has one.
        events: receives ``"<id> performance"``, in seconds of measured time.

    Raises:
        ProtocolError: wrong model, energy image, or an answer that stays damaged.
        WitnessError: the device's time is not that of the link's clock, or a window is another one each time.
        RuleError: windows stay too short.
        DeadlineError, DeviceResetError, LinkError, InterruptedRunError, ResultsError: see there.
    """
    rules = rules if rules is not None else official_rules()
    run = _Run(dut, benchmark, session, rules, cycles, events)
    inputs = performance_inputs(data_set, rules)
    total = rules.min_window_s * rules.windows
    with events.step(run.step, total, "s") as outcome:
        identity = dut.expect_model(benchmark.model_id)
        dut.expect_mode("performance")
        report_lines.greet(session, dut, identity)
        iterations = run.calibrate(inputs[0][1]) if iterations is None else max(iterations, rules.min_iterations)
        windows: list[PerformanceWindow] = []
        inferences: list[tuple[Sample, Inference]] = []
        done, note = 0.0, ""
        for number in range(rules.windows):
            sample, data = inputs[number % len(inputs)]
            follow_window(dut, events, run.step, done_s=done, window_s=rules.min_window_s, note=note)
            window, inference, iterations = run.window(number + 1, sample, data, iterations)
            windows.append(window)
            inferences.append((sample, inference))
            done += window.elapsed_us * 1e-6
            note = f"{window.throughput:.3f} inf/s"
            events.progress(run.step, done, done * rules.windows / len(windows), note)
        dut.on_wait = None
        for number in () if dut.exact else _outliers(windows):
            windows[number], inference = run.window_again(number + 1, *inputs[number % len(inputs)], windows[number])
            inferences[number] = (inferences[number][0], inference)
        result = _summary(benchmark, identity, tuple(windows), unproved(dut))
        _report(session, result, inferences, dut)
        outcome.note = f"{result.throughput:.3f} inf/s"
    return result


def unproved(dut: Dut) -> tuple[str, ...]:
    """What the device gave no means to prove: one sentence each."""
    found = []
    if dut.load_proof == "none":
        found.append("the inputs were not proved to have arrived: the device knows neither 'db crc' nor 'db print'")
    if dut.answer_proof == "none":
        found.append("the results were read once only: the device knows no 'check' and does not repeat them when asked for 'results'")
    return tuple(found)


def _outliers(windows: list[PerformanceWindow]) -> list[int]:
    """Numbers of the windows whose throughput is not like the others'."""
    median = statistics.median(w.throughput for w in windows)
    return [number for number, w in enumerate(windows) if abs(w.throughput / median - 1.0) > WINDOW_SPREAD]


def _summary(
    benchmark: Benchmark, identity: Identity, windows: tuple[PerformanceWindow, ...], doubts: tuple[str, ...]
) -> PerformanceResult:
    counted = [w.cycles_per_inference for w in windows if w.cycles_per_inference is not None]
    return PerformanceResult(
        benchmark=benchmark.id,
        identity=identity,
        windows=windows,
        throughput=statistics.median(w.throughput for w in windows),
        breaches=(*window_breaches([(w.iterations, w.elapsed_us) for w in windows]), *doubts),
        cycles_per_inference=statistics.median(counted) if counted else None,
    )


def window_breaches(windows: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """What breaks a rule, or stands out, in windows of (inferences, microseconds)."""
    speeds = [iterations / (elapsed_us / 1e6) for iterations, elapsed_us in windows]
    median = statistics.median(speeds)
    spread = (
        f"window {number} differs from the median throughput by {100 * abs(speed / median - 1.0):.1f} %"
        for number, speed in enumerate(speeds, 1)
        if abs(speed / median - 1.0) > LARGE_SPREAD
    )
    return (*official_rules().breaches([(iterations, elapsed_us * 1e-6) for iterations, elapsed_us in windows]), *spread)


def _report(session: SessionWriter, result: PerformanceResult, inferences: list[tuple[Sample, Inference]], dut: Dut) -> None:
    session.log("-" * 20)
    for number, (window, (sample, inference)) in enumerate(zip(result.windows, inferences, strict=True), 1):
        met = not official_rules().breaches([(window.iterations, window.elapsed_us * 1e-6)] * official_rules().windows)
        report_lines.performance_window(session, number, inference, window.throughput, met)
        segments = 1 if sample.stride_bytes else None
        session.entry(report_lines.entry(sample, inference, "p", segments=segments, throughput=window.throughput, dut=dut))
    for breach in result.breaches:
        session.result(f"e-[{breach}]")
    report_lines.median_throughput(session, result.throughput)
    session.finish()
