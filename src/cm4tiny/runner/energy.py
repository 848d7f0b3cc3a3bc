"""Energy runs: five windows of at least ten seconds under a power monitor, the median counts.

Procedure: MLCommons runner, ``tests_energy.yaml`` and ``main.py`` (``print_energy_results``): the energy of a window is the sum of the
samples between the last two time stamps, divided by its inferences. An energy image signals its time stamps on a pin, so the monitor
tells the time. What a simulated monitor says is labelled as simulated in every file.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cm4tiny.errors import ProtocolError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.runner import report_lines
from cm4tiny.runner.attempts import with_attempts
from cm4tiny.runner.calibration import calibrate, long_enough
from cm4tiny.runner.dut import Dut, Identity, Inference
from cm4tiny.runner.follow import follow_window
from cm4tiny.runner.performance import check_width, performance_inputs
from cm4tiny.runner.rules import Rules, official_rules
from cm4tiny.runner.session import SessionWriter

if TYPE_CHECKING:
    from cm4tiny.benchmarks import Benchmark, DataSet, Sample
    from cm4tiny.boards import PowerMonitor, PowerTrace


@dataclass(frozen=True)
class EnergyWindow:
    """One measured window.

    Attributes:
        file: the input's file.
        iterations: measured inferences.
        elapsed_s: seconds between the last two time stamps, in whole samples.
        joules: energy between them.
    """

    file: str
    iterations: int
    elapsed_s: float
    joules: float

    @property
    def microjoules_per_inference(self) -> float:
        """Energy of one inference in uJ."""
        return self.joules / self.iterations * 1e6


@dataclass(frozen=True)
class EnergyResult:
    """The outcome of an energy run.

    Attributes:
        microjoules_per_inference: median over the windows.
        monitor: name of the power monitor.
        simulated: True if that monitor is a simulation.
        breaches: what breaks a rule; empty for a run that counts.
    """

    benchmark: str
    identity: Identity
    windows: tuple[EnergyWindow, ...]
    microjoules_per_inference: float
    monitor: str
    voltage_v: float
    simulated: bool
    breaches: tuple[str, ...]


@dataclass(frozen=True)
class _Measured:
    inference: Inference
    samples: npt.NDArray[np.float64]  # joules in each
    events: tuple[int, ...]  # samples captured when each time stamp came
    period_s: float

    @property
    def elapsed_s(self) -> float:
        # The same expression as the official runner's, so that the same digits are printed.
        return self.events[-1] / self.rate - self.events[-2] / self.rate

    @property
    def rate(self) -> float:
        return round(1.0 / self.period_s, 6)

    @property
    def joules(self) -> float:
        return math.fsum(self.samples[self.events[-2] : self.events[-1]])  # the same on every machine, whatever numpy does


def _captured(trace: PowerTrace) -> tuple[int, ...]:
    """Whole samples before each time stamp; :class:`ProtocolError` if there are too few stamps or the trace does not reach them."""
    if len(trace.timestamps_s) < 2:
        raise ProtocolError(
            f"{len(trace.timestamps_s)} time stamps during an inference, a window needs two",
            why="an energy image pulls its time-stamp pin low before and after the inferences",
            cure="flash the energy image (EE_CFG_ENERGY_MODE=1) and check the wire from the time-stamp pin to the monitor",
        )
    counts = tuple(int(at / trace.sample_period_s + 1e-6) for at in trace.timestamps_s)
    if counts[-1] > len(trace.joules):
        raise ProtocolError(
            f"the power monitor delivered {len(trace.joules)} samples, the last time stamp came at sample {counts[-1]}",
            why="samples were lost on the way to the host",
            cure="use another USB port for the monitor and keep the host idle",
        )
    return counts


class _Run:
    def __init__(
        self, dut: Dut, power: PowerMonitor, benchmark: Benchmark, session: SessionWriter, rules: Rules, events: EventStream
    ) -> None:
        self.dut = dut
        self.power = power
        self.benchmark = benchmark
        self.session = session
        self.rules = rules
        self.events = events
        self.step = f"{benchmark.id} energy"
        self.warmups = rules.warmups.get("energy", {}).get(benchmark.id, 0)
        self._stamps = 0

    def infer(self, iterations: int, warmups: int) -> _Measured:
        self.power.start()
        try:
            inference = check_width(self.dut.infer(iterations, warmups), self.benchmark)
        finally:
            trace = self.power.stop()
        return _Measured(inference, np.asarray(trace.joules, dtype=np.float64), _captured(trace), trace.sample_period_s)

    def calibrate(self, data: bytes) -> int:
        def measure() -> int:
            self.dut.load(data)
            return calibrate(lambda n: self.infer(n, 0).elapsed_s, self.rules)

        return with_attempts(self.dut, measure, self.events, self.step)

    def window(self, sample: Sample, data: bytes, iterations: int) -> tuple[_Measured, int]:
        def run(count: int) -> _Measured:
            report_lines.loading(self.session, sample)
            self.dut.load(data)
            report_lines.loaded(self.session, self.warmups, count)
            return self.infer(count, self.warmups)

        def measure() -> tuple[_Measured, int]:
            return long_enough(run, lambda measured: measured.elapsed_s, iterations, self.rules)

        measured, iterations = with_attempts(self.dut, measure, self.events, self.step)
        self.session.log("done")
        self.session.log(f"Captured samples:{len(measured.samples)} timestamps:{len(measured.events)}")
        return measured, iterations

    def entry(self, sample: Sample, measured: _Measured) -> dict[str, Any]:
        """The entry of ``results.json``: samples in joules, time stamps as (counter, samples captured before it)."""
        stamps = []
        for captured in measured.events:
            stamps.append([f"{self._stamps % 100:02d}", captured])
            self._stamps += 1
        entry = report_lines.entry(sample, measured.inference, "e", segments=1 if sample.stride_bytes else None)
        mode = entry.pop("mode")
        volts = self.power.voltage_v
        power = {"samples": measured.samples.tolist(), "timestamps": stamps, "extracted_power": None, "voltage": volts}
        return {**entry, "power": power, "mode": mode}


def run_energy(
    dut: Dut,
    power: PowerMonitor,
    benchmark: Benchmark,
    data_set: DataSet,
    session: SessionWriter,
    *,
    iterations: int | None = None,
    rules: Rules | None = None,
    events: EventStream = SILENT,
) -> EnergyResult:
    """Measures the energy of an inference.

    Args:
        power: the power monitor on the board's supply; a simulated one needs a session that is labelled as simulated.
        iterations: inferences in a window; measured first when None.
        rules: the rules to hold; the official ones when None.
        events: hears ``"<id> energy"``, in seconds of measured time.

    Raises:
        ProtocolError: wrong model, performance image, too few time stamps, lost samples.
        ValueError: a simulated monitor with a session that is not labelled.
        RuleError, DeadlineError, DeviceResetError, LinkError, InterruptedRunError, ResultsError: see there.
    """
    if power.simulated and not session.simulated:
        raise ValueError("what a simulated monitor says belongs into a session that is labelled as simulated")
    rules = rules if rules is not None else official_rules()
    run = _Run(dut, power, benchmark, session, rules, events)
    inputs = performance_inputs(data_set, rules)
    with events.step(run.step, rules.min_window_s * rules.windows, "s") as outcome:
        identity = dut.expect_model(benchmark.model_id)
        dut.expect_mode("energy")
        report_lines.greet(session, dut, identity)
        session.log(f"Power monitor: {power.name} at {power.voltage_v:g} V")
        iterations = run.calibrate(inputs[0][1]) if iterations is None else max(iterations, rules.min_iterations)
        measured: list[tuple[Sample, _Measured]] = []
        done = 0.0
        for number in range(rules.windows):
            sample, data = inputs[number % len(inputs)]
            follow_window(dut, events, run.step, done_s=done, window_s=rules.min_window_s)
            window, iterations = run.window(sample, data, iterations)
            measured.append((sample, window))
            session.entry(run.entry(sample, window))
            done += window.elapsed_s
            events.progress(run.step, done, done * rules.windows / len(measured))
        dut.on_wait = None
        result = _summary(benchmark, identity, power, measured)
        _report(session, result)
        outcome.note = f"{result.microjoules_per_inference:.3f} uJ/inf"
    return result


def _summary(benchmark: Benchmark, identity: Identity, power: PowerMonitor, measured: list[tuple[Sample, _Measured]]) -> EnergyResult:
    windows = tuple(EnergyWindow(s.file, m.inference.iterations, m.elapsed_s, m.joules) for s, m in measured)
    return EnergyResult(
        benchmark=benchmark.id,
        identity=identity,
        windows=windows,
        microjoules_per_inference=statistics.median(w.microjoules_per_inference for w in windows),
        monitor=power.name,
        voltage_v=power.voltage_v,
        simulated=power.simulated,
        breaches=official_rules().breaches([(w.iterations, w.elapsed_s) for w in windows]),
    )


def _report(session: SessionWriter, result: EnergyResult) -> None:
    session.log("-" * 20)
    session.result("Power Edition Output")
    for trial, window in enumerate(result.windows):
        short = window.elapsed_s < official_rules().min_window_s
        report_lines.energy_trial(session, trial, window.elapsed_s, window.iterations, window.joules, short)
    report_lines.median_energy(session, result.microjoules_per_inference)
    for breach in result.breaches:
        session.log(f"ERROR: Not valid for submission.  {breach}")
    session.finish()
