# SPDX-License-Identifier: Apache-2.0
"""Energy runs under instruments that fail, at supplies that change, with images of the wrong kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from support.faulty_monitor import ACTIVE_W, FAULTS, FaultyMonitor
from support.prompt_dut import PromptDut
from unit.runner.fake_dut import FIXED_NOW, FakeDut, make_data_set

from cm4tiny.boards import power
from cm4tiny.boards.energy import Activity, current_ma, settings_of
from cm4tiny.runner import Dut, Rules, SessionWriter, official_rules, run_energy
from ledger.outcome import Outcome, attempt
from pages.energies import energies, streaming_energies

RULES = Rules(windows=3, min_window_s=1.0, min_iterations=10, performance_files=3, warmups=official_rules().warmups)
INFERENCE_S = 0.05
TRUE_UJ = ACTIVE_W * INFERENCE_S * 1e6


def _run(monitor: FaultyMonitor, folder: Path) -> Outcome:
    def use() -> Outcome:
        data_set = make_data_set(folder / "data", "kws", 4)
        with SessionWriter(folder / "s", simulated="scripted", now=lambda: FIXED_NOW) as session:
            result = run_energy(Dut(monitor.device), monitor, monitor.device.benchmark, data_set, session, rules=RULES)
        figures = [result.microjoules_per_inference, *(window.microjoules_per_inference for window in result.windows)]
        right = all(abs(figure / TRUE_UJ - 1) < 0.005 for figure in figures)
        return Outcome("correct" if right else "wrong", "", f"{figures} uJ/inf")

    return attempt(use)


def recording(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """Recordings from the third on are damaged (``fault``: tests/support/faulty_monitor.py), or only ``once``."""
    monitor = FaultyMonitor(FakeDut(energy=True, inference_s=INFERENCE_S), since=3)
    damage = FAULTS[inputs["fault"]][0]
    once = inputs.get("once", False)
    monitor.damage = lambda trace: damage(trace) if not once or monitor.recordings == 4 else trace
    return _run(monitor, folder)


def real_clock(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """On a link with a clock of its own, windows (or only one, ``once``) are shorter than the inferences by the share ``short``.

    The device keeps its texts until all is done, or sends each when it is due (``prompt``).
    """
    device = (PromptDut if inputs.get("prompt") else FakeDut)(energy=True, inference_s=INFERENCE_S)
    monitor = FaultyMonitor(device, since=3, simulated=False)

    def damage(trace: power.PowerTrace) -> power.PowerTrace:
        first, last = trace.timestamps_s[-2:]
        if inputs.get("once") and monitor.recordings != 5:
            return trace
        return power.PowerTrace(trace.sample_period_s, trace.joules, (first, last - inputs["short"] * (last - first)))

    monitor.damage = damage
    return _run(monitor, folder)


def supply(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """1.8 V are set; the board gets ``volts`` from recording number ``since`` on."""
    return _run(
        FaultyMonitor(
            FakeDut(energy=True, inference_s=INFERENCE_S),
            actual_v=lambda recordings: float(inputs["volts"]) if recordings >= inputs["since"] else 1.8,
        ),
        folder,
    )


def setting(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """Another program sets the supply to ``volts`` in the middle of the run."""
    monitor = FaultyMonitor(FakeDut(energy=True, inference_s=INFERENCE_S), actual_v=lambda recordings: monitor.voltage_v, since=3)

    def damage(trace: power.PowerTrace) -> power.PowerTrace:
        monitor.voltage_v = inputs["volts"]
        return trace

    monitor.damage = damage
    return _run(monitor, folder)


def silent(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The monitor no longer returns from a ``call``, in the middle of the run."""
    monitor = FaultyMonitor(FakeDut(energy=True, inference_s=INFERENCE_S), hang=inputs["call"], since=3)
    with mock.patch.object(power, "MONITOR_S", 0.1):
        outcome = _run(monitor, folder)
    monitor.released.set()
    return outcome


def driver_fails(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The monitor's driver raises an error of its own."""

    def fail(trace: power.PowerTrace) -> power.PowerTrace:
        raise OSError(5, inputs["text"])

    return _run(FaultyMonitor(FakeDut(energy=True, inference_s=INFERENCE_S), fail, since=3), folder)


def image(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The device runs a performance image: ``from`` the start, its banner missed, or after a restart between two windows."""
    device = FakeDut(energy=inputs["from"] != "start", inference_s=INFERENCE_S)
    monitor = FaultyMonitor(device)

    def before(count: int, command: str) -> None:
        if monitor.recordings == 4:
            device.energy = False

    device.faults.before = before
    return _run(monitor, folder)


def clocked(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The simulated monitor's current for a chip with these ``registers`` at ``mhz``, while it does ``activity``."""
    settings = settings_of(inputs["registers"], inputs["mhz"] * 1e6)

    def ask() -> Outcome:
        return Outcome("wrong", "", f"{current_ma(settings, Activity[inputs.get('activity', 'RUN')], 1.8):.2f} mA")

    return attempt(ask)


def published(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """What the model says of a published result, by the end of its ``source``: right within ``within``."""
    rows = [row for row in (*energies(), *streaming_energies()) if row.source.endswith(inputs["source"])]
    texts = [f"{row.source}: {100 * row.error():+.1f} %" for row in rows]
    right = len(rows) == 1 and abs(rows[0].error()) <= inputs["within"]
    return Outcome("correct" if right else "wrong", "", "; ".join(texts))
