# SPDX-License-Identifier: Apache-2.0
"""Rules that hold measured windows against an independent witness: another session, another clock, the length of the recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from cm4tiny.results.audit.rule import Violation, rule
from cm4tiny.results.audit.views import ResultView, SessionView
from cm4tiny.results.replay import formulas
from cm4tiny.results.rounds.labels import table

SPEEDS_AGREE = 0.05
"""Of 132 published energy runs three differ by more (27.9, 39.9, 6.6 %), one by 3.4, all others by less than 2.1 % (docs/replay.md)."""

CLOCKS_AGREE = 0.02
CLOCK_SLACK_S = 0.1
"""Lines reach the host late: of 2,000 published windows whose clocks agree none is off by more than 0.2 s."""

COARSE_SLACK_S = 2.0
"""The MLCommons runner notes whole seconds; the answers are transferred in between."""


@rule(
    "windows.energy-speed",
    "The energy run is as fast as the performance run",
    severity="error",
    scope="result",
    source="docs/replay.md, Witnesses; MLPerfTiny_Rules.adoc, Benchmark Runner: the same code for all modes",
    why=(
        "Energy is a sum over a window: a window that begins or ends at the wrong time stamp gives another energy. In v1.1 a result's "
        "windows are the gaps between its inferences, because the first time stamp is missing."
    ),
    warning_before=(1, 4),
)
def energy_speed(view: ResultView) -> Iterator[Violation]:
    performance, energy = view.session("performance"), view.session("energy")
    if view.result.benchmark == "sww" or performance is None or energy is None:
        return
    speed, other = formulas.throughput(performance.session.windows), formulas.energy_run_throughput(energy.session.energy)
    if speed > 0 and abs(other / speed - 1) > SPEEDS_AGREE:
        yield Violation(
            energy.path, f"{other:.3f} inf/s in the energy run, {speed:.3f} in the performance run: {100 * (other / speed - 1):+.1f} %"
        )


@dataclass(frozen=True)
class _Pair:
    """A window's length by the device's or the monitor's clock, and by the host's, with what the former may be at least and at most."""

    device_s: float
    host_s: float
    least_s: float
    most_s: float

    @property
    def agree(self) -> bool:
        return self.least_s <= self.device_s <= self.most_s


def _pairs(view: SessionView) -> list[_Pair]:
    windows = [window for window in view.session.windows if window.host_s is not None]
    lengths = [window.runtime_s for window in windows]
    if view.mode == "energy" and len(view.session.energy) != len(view.session.windows):
        # Which window lacks its stamps is not known: only the medians compare.
        lengths, windows = [median(one.runtime_s for one in view.session.energy)] if view.session.energy else [], windows[:1]
    found = []
    for window, length in zip(windows, lengths, strict=False):
        host = window.host_s or 0.0
        if length is None or length <= 0:
            continue
        if view.session.runner == "mlc":  # whole seconds, warm-ups within
            share = window.iterations / (window.iterations + window.warmups) if window.iterations else 1.0
            found.append(_Pair(length, host, share * (host - COARSE_SLACK_S) / (1 + CLOCKS_AGREE), host + 1.0))
        else:
            slack = max(CLOCKS_AGREE * length, CLOCK_SLACK_S)
            found.append(_Pair(length, host, host - slack, host + slack))
    return found


@rule(
    "windows.host-clock",
    "Windows are as long by the host's clock as by the device's",
    severity="error",
    scope="session",
    source="docs/replay.md, Witnesses; m-lap-us and m-infer-start/m-infer-done in the log, next to the log's own time stamps",
    why=(
        "A device whose clock runs slow reports a speed that it does not have, and a monitor whose time stamps are paired wrongly measures "
        "something else. The host's clock is right to a few parts in 10,000."
    ),
    warning_before=(1, 4),
)
def host_clock(view: SessionView) -> Iterator[Violation]:
    if view.benchmark == "sww" or view.mode == "accuracy" or view.session.simulated:
        return
    pairs = _pairs(view)
    wrong = [pair for pair in pairs if not pair.agree]
    if wrong:
        worst = max(wrong, key=lambda pair: abs(pair.device_s - pair.host_s) / pair.device_s)
        yield Violation(
            view.path, f"{len(wrong)} of {len(pairs)} windows: {worst.device_s:.3f} s, by the host's clock {worst.host_s:.3f} s"
        )


@rule(
    "windows.recording",
    "Energy of streaming wakeword is measured over the whole recording",
    severity="error",
    scope="session",
    source="MLCommons runner streaming_ww_utils.py, runner main.py: print_energy_results with req_cycles=1; sww_long_test.json: length_sec",
    why="The power of a part says nothing about the whole.",
    since=(1, 3),
)
def recording(view: SessionView) -> Iterator[Violation]:
    if view.benchmark != "sww" or view.mode != "energy":
        return
    length = table()["streaming"]["sww01"]["length_s"]
    printed = view.session.printed
    times = [window.runtime_s for window in view.session.energy]
    times += [float(window.runtime) for window in printed.energy_windows if window.runtime] if printed else []
    if times and min(times) < length:
        yield Violation(view.path, f"measured for {min(times):.3f} s, the recording lasts {length:g} s")
