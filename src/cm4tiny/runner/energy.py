# SPDX-License-Identifier: Apache-2.0
"""Energy runs: five windows of at least ten seconds under a power monitor, the median counts.

Procedure: MLCommons runner, ``tests_energy.yaml`` and ``main.py`` (``print_energy_results``): the energy of a window is the sum of the
samples between the last two time stamps, divided by its inferences. An energy image signals its time stamps on a pin, so the monitor
has the time. What a simulated monitor says is labelled as simulated in every file.

Nothing of that is believed without a second witness. Each recording is checked as a whole (:func:`cm4tiny.boards.power.check_trace`), the
supply voltage before and after it. Before each window the image shows that it is one for energy runs. The time between the two stamps is
held against the link's clock: a published result of round v1.1 lost its first stamp and so measured the pauses between its inferences,
30 % too little; such a window is 6 % off here and is refused.
"""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from cm4tiny.boards.power import CLOCK_TOLERANCE, PowerTrace, ask, check_trace, check_voltage, check_window, stamps_in_samples
from cm4tiny.errors import PowerTraceError, ProtocolError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.runner import report_lines
from cm4tiny.runner.calibration import calibrate, long_enough
from cm4tiny.runner.dut import Dut, Identity, Inference
from cm4tiny.runner.follow import follow_window
from cm4tiny.runner.performance import performance_inputs, unproved, warn_repeat
from cm4tiny.runner.retry import POLICY
from cm4tiny.runner.rules import Rules, official_rules
from cm4tiny.runner.session import SessionWriter
from cm4tiny.runner.values import check_results

if TYPE_CHECKING:
    from cm4tiny.benchmarks import Benchmark, DataSet, Sample
    from cm4tiny.boards import PowerMonitor

T = TypeVar("T")
AFTER_ERROR_S = 2.0
"""How long a monitor may take to stop when the run has failed already."""
WITNESS_TOLERANCE, JITTER_S = 0.003, 0.02
"""How far the window may be from the link's clock where only the whole exchange is known: warm-ups may take a little longer than measured
inferences. And what USB frames, serial adapters (16 ms) and the host's scheduler delay."""
WINDOW_SPREAD = 0.005
"""Windows whose time of an inference differs by more from the median are measured again, as in performance runs."""
MAX_LINE_S = 0.05
"""The longest time that one line takes: 20 characters at 9600 baud take 21 ms."""
MAX_TEXTS_S = 1.0
"""The longest time that the texts of one exchange take: 200 bytes at 9600 baud take 0.2 s."""
SAME_CLOCK_TOLERANCE, SAME_CLOCK_S = 0.002, 0.005
"""The same where the link's clock is the monitor's: warm-ups differ a little, and texts by up to five characters at 9600 baud."""


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
    between_s: float  # the last two time stamps, not rounded to samples

    @property
    def elapsed_s(self) -> float:
        # The same expression as the official runner's, so that the same digits are printed.
        return self.events[-1] / self.rate - self.events[-2] / self.rate

    @property
    def each_s(self) -> float:
        return self.elapsed_s / self.inference.iterations

    def like(self, each_s: float) -> bool:
        """Whether an inference takes so long here too."""
        return abs(self.each_s / each_s - 1.0) <= WINDOW_SPREAD

    @property
    def rate(self) -> float:
        return round(1.0 / self.period_s, 6)

    @property
    def joules(self) -> float:
        return math.fsum(self.samples[self.events[-2] : self.events[-1]])  # the same on every machine, whatever numpy does


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
        self.set_v = power.voltage_v
        self._stamps = 0
        self._texts_s: dict[bool, float] = {}  # of one line, or of the whole exchange
        check_voltage(power, self.set_v)

    def infer(self, iterations: int, warmups: int) -> _Measured:
        self.prove_image()
        check_voltage(self.power, self.set_v)
        clock = self.dut.link.clock
        before = clock()
        ask(self.power, "start", self.power.start)
        began = clock()
        try:
            inference = check_results(self.dut.infer(iterations, warmups), self.benchmark, confirmed=self.dut.confirms)
        except BaseException:
            with contextlib.suppress(Exception):  # the first error counts
                ask(self.power, "stop", self.power.stop, AFTER_ERROR_S)
            raise
        took = clock() - began
        trace = PowerTrace.of(ask(self.power, "stop", self.power.stop))
        check_voltage(self.power, self.set_v)
        if inference.lap_us is not None:
            raise _not_an_energy_image(f"it printed the time stamps m-lap-us-{inference.lap_us[0]} and m-lap-us-{inference.lap_us[1]}")
        return self.checked(inference, trace, took, clock() - before)

    def prove_image(self) -> None:
        """An energy image answers ``timestamp`` without a time; what it printed when it started may have been missed."""
        time_us = self.dut.timestamp()
        if time_us is not None:
            raise _not_an_energy_image(f"it answers 'timestamp' with m-lap-us-{time_us}")

    def checked(self, inference: Inference, trace: PowerTrace, took_s: float, recorded_s: float) -> _Measured:
        """The measurement, if the recording is sound and the time stamps agree with the link's clock."""
        check_trace(trace, self.power.name, set_v=self.set_v, recorded_s=(took_s, recorded_s), same_clock=self.power.simulated)
        counts, stamps = stamps_in_samples(trace), trace.timestamps_s
        measured = _Measured(inference, trace.joules, counts, trace.sample_period_s, stamps[-1] - stamps[-2])
        if counts[-1] > counts[-2]:  # a probe may be shorter than a sample
            check_window(trace.joules[counts[-2] : counts[-1]], counts[-2], self.power.name)
        self._witness(measured)
        return measured

    def _witness(self, measured: _Measured) -> None:
        """Compares the window with the link's clock, less what texts take: that is known from the first exchange without warm-ups.

        The link sees the window from ``m-infer-start`` to ``m-infer-done``, or the whole exchange if the device keeps its texts back.
        """
        inference, between = measured.inference, measured.between_s
        seen, whole = inference.between_s or 0.0, False
        if seen < between / 2:
            seen, whole = inference.took_s * inference.iterations / (inference.iterations + inference.warmups), True
        most = MAX_TEXTS_S if whole else MAX_LINE_S
        if not inference.warmups:
            self._texts_s.setdefault(whole, min(max(0.0, seen - between), most))
        texts = self._texts_s.get(whole)  # unknown where the number of inferences was given, and nothing had to be tried
        relative, absolute = (WITNESS_TOLERANCE if whole else CLOCK_TOLERANCE, JITTER_S)
        if self.power.simulated:
            relative, absolute = (SAME_CLOCK_TOLERANCE if whole else 0.0, SAME_CLOCK_S)
        least, expected = seen - (most if texts is None else texts), seen - (texts or 0.0)
        slack = relative * expected + absolute
        if not least - slack <= between <= expected + slack:
            raise PowerTraceError(
                f"the time-stamp pin marks {between:.3f} s, the link's clock says {expected:.3f} s",
                why=f"{inference.iterations} inferences after {inference.warmups} warm-ups lie between the right time stamps; "
                "one was lost, another edge was taken for one, or a clock is wrong",
                hint="check the wire from the time-stamp pin to the monitor, and its ground",
            )

    def _repeated(self, measure: Callable[[], T]) -> T:
        return POLICY.run(POLICY.measurements, measure, self.dut.recover, lambda e: warn_repeat(self.events, self.step, e))

    def calibrate(self, data: bytes) -> int:
        def measure() -> int:
            self.dut.load(data)
            self._texts_s.clear()
            self.infer(1, 0)  # shows what the texts take, the next one confirms it
            return calibrate(lambda n: self.infer(n, 0).elapsed_s, self.rules)

        return self._repeated(measure)

    def window(self, sample: Sample, data: bytes, iterations: int) -> tuple[_Measured, int]:
        def run(count: int) -> _Measured:
            report_lines.loading(self.session, sample)
            self.dut.load(data)
            report_lines.loaded(self.session, self.warmups, count)
            return self.infer(count, self.warmups)

        def measure() -> tuple[_Measured, int]:
            return long_enough(run, lambda measured: measured.elapsed_s, iterations, self.rules)

        measured, iterations = self._repeated(measure)
        self.session.log("done")
        self.session.log(f"Captured samples:{len(measured.samples)} timestamps:{len(measured.events)}")
        return measured, iterations

    def again(self, number: int, sample: Sample, data: bytes, first: _Measured) -> _Measured:
        """Measures a window that is not like the others a second time, and a third time if the two differ: what two agree on.

        Raises:
            PowerTraceError: all three differ.
        """
        seen = [first]
        for _ in range(2):
            self.session.log(f"Window {number} differs from the others and is measured again.")
            self.events.message(self.step, f"window {number} is not like the others and is measured again", "warning")
            measured, _ = self.window(sample, data, first.inference.iterations)
            if any(measured.like(other.each_s) for other in seen):
                return measured
            seen.append(measured)
        raise PowerTraceError(
            f"window {number} was measured {len(seen)} times with {len(seen)} results",
            why=", ".join(f"{1.0 / measured.each_s:.3f} inf/s" for measured in seen),
            hint="check the wire from the time-stamp pin to the monitor and its USB cable, and that nothing else runs on the board",
        )

    def entry(self, sample: Sample, measured: _Measured) -> dict[str, Any]:
        """The entry of ``results.json``: samples in joules, time stamps as (counter, samples captured before it)."""
        stamps = []
        for captured in measured.events:
            stamps.append([f"{self._stamps % 100:02d}", captured])
            self._stamps += 1
        entry = report_lines.entry(sample, measured.inference, "e", segments=1 if sample.stride_bytes else None, dut=self.dut)
        tail: dict[str, Any] = {key: entry.pop(key) for key in ("mode", "load_proof") if key in entry}
        power = {"samples": measured.samples.tolist(), "timestamps": stamps, "extracted_power": None, "voltage": self.set_v}
        return {**entry, "power": power, **tail}


def _not_an_energy_image(why: str) -> ProtocolError:
    return ProtocolError(
        "the device runs an image for performance runs, but the energy image is needed",
        why=why,
        hint="build and flash the energy image (EE_CFG_ENERGY_MODE=1)",
    )


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
        events: receives ``"<id> energy"``, in seconds of measured time.

    Raises:
        ProtocolError: wrong model, performance image.
        PowerTraceError: too few time stamps, lost or impossible samples, or a window that the link's clock contradicts, in every attempt.
        PowerError: the monitor does not answer, or its supply is not what was set.
        ValueError: a simulated monitor with a session that is not labelled.
        RuleError, DeadlineError, DeviceResetError, LinkError, InterruptedRunError, ResultsError: see there.
    """
    if power.simulated and not session.simulated:
        raise ValueError("what a simulated monitor says belongs into a session that is labelled as simulated")
    rules = rules if rules is not None else official_rules()
    inputs = performance_inputs(data_set, rules)
    with events.step(f"{benchmark.id} energy", rules.min_window_s * rules.windows, "s") as outcome:
        identity = dut.expect_model(benchmark.model_id)
        dut.expect_mode("energy")
        run = _Run(dut, power, benchmark, session, rules, events)
        report_lines.greet(session, dut, identity)
        session.log(f"Power monitor: {power.name} at {run.set_v:g} V")
        iterations = run.calibrate(inputs[0][1]) if iterations is None else max(iterations, rules.min_iterations)
        measured: list[tuple[Sample, _Measured]] = []
        done = 0.0
        for number in range(rules.windows):
            sample, data = inputs[number % len(inputs)]
            follow_window(dut, events, run.step, done_s=done, window_s=rules.min_window_s)
            window, iterations = run.window(sample, data, iterations)
            measured.append((sample, window))
            done += window.elapsed_s
            events.progress(run.step, done, done * rules.windows / len(measured))
        dut.on_wait = None
        each_s = statistics.median(window.each_s for _, window in measured)
        for number, (_, window) in enumerate(measured):
            if not window.like(each_s):
                sample, data = inputs[number % len(inputs)]
                measured[number] = (sample, run.again(number + 1, sample, data, window))
        for sample, window in measured:
            session.entry(run.entry(sample, window))
        result = _summary(run, identity, measured)
        _report(session, result)
        outcome.note = f"{result.microjoules_per_inference:.3f} uJ/inf"
    return result


def _summary(run: _Run, identity: Identity, measured: list[tuple[Sample, _Measured]]) -> EnergyResult:
    windows = tuple(EnergyWindow(s.file, m.inference.iterations, m.elapsed_s, m.joules) for s, m in measured)
    return EnergyResult(
        benchmark=run.benchmark.id,
        identity=identity,
        windows=windows,
        microjoules_per_inference=statistics.median(w.microjoules_per_inference for w in windows),
        monitor=run.power.name,
        voltage_v=run.set_v,
        simulated=run.power.simulated,
        breaches=(*official_rules().breaches([(w.iterations, w.elapsed_s) for w in windows]), *unproved(run.dut)),
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
