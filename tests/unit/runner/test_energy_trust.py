# SPDX-License-Identifier: Apache-2.0
"""Energy runs under monitors that fail: each fault is an error or leaves the figure as it is, and none takes long."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fake_dut import FIXED_NOW, FakeDut, make_data_set
from support.faulty_monitor import ACTIVE_W, FAULTS, FaultyMonitor, shifted_stamps
from support.prompt_dut import PromptDut

from cm4tiny.boards import power
from cm4tiny.errors import Cm4TinyError, LinkError, PowerError, PowerTraceError, ProtocolError
from cm4tiny.runner import Dut, EnergyResult, Rules, SessionWriter, energy, official_rules, run_energy
from cm4tiny.runner.dut import Inference

SHORT = Rules(windows=3, min_window_s=1.0, min_iterations=10, performance_files=3, warmups=official_rules().warmups)
TRUE_UJ = ACTIVE_W * 0.05 * 1e6


def run(folder: Path, monitor: FaultyMonitor, *, simulated: str = "scripted") -> EnergyResult:
    data_set = make_data_set(folder / "data", "kws", 4)
    with SessionWriter(folder / "s", simulated=simulated, now=lambda: FIXED_NOW) as session:
        return run_energy(Dut(monitor.device), monitor, monitor.device.benchmark, data_set, session, rules=SHORT)


def test_a_sound_run_under_a_monitor_that_tells_everything_is_right(tmp_path: Path) -> None:
    result = run(tmp_path, FaultyMonitor(FakeDut(energy=True)))
    assert result.microjoules_per_inference == pytest.approx(TRUE_UJ, rel=2e-3) and result.voltage_v == 1.8


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("since", [0, 3], ids=["always", "later"])
def test_a_damaged_recording_is_an_error_and_never_a_figure(tmp_path: Path, name: str, since: int) -> None:
    damage, text = FAULTS[name]
    with pytest.raises(PowerTraceError, match=text if since else None) as caught:  # a probe of 50 ms may fail in another way
        run(tmp_path, FaultyMonitor(FakeDut(energy=True), damage, since=since))
    assert caught.value.hint
    assert not list((tmp_path / "s").rglob("results.*"))


@pytest.mark.parametrize("name", FAULTS)
def test_one_damaged_recording_is_measured_again(tmp_path: Path, name: str) -> None:
    monitor = FaultyMonitor(FakeDut(energy=True))
    damage = FAULTS[name][0]
    monitor.damage = lambda trace: damage(trace) if monitor.recordings == 4 else trace
    assert run(tmp_path, monitor).microjoules_per_inference == pytest.approx(TRUE_UJ, rel=2e-3)


@pytest.mark.parametrize("simulated", [True, False])
def test_the_damaged_published_result_cannot_happen_here(tmp_path: Path, simulated: bool) -> None:
    """Windows 6.6 % shorter than the inferences, as in round v1.1, are refused on a real link's tolerance too."""
    monitor = FaultyMonitor(FakeDut(energy=True), shifted_stamps(0.0, -0.075), since=3, simulated=simulated)
    with pytest.raises(PowerTraceError, match="the time-stamp pin marks"):
        run(tmp_path, monitor)


# --- the supply --------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("moment", [0, 1, 4])
def test_a_supply_that_is_not_what_was_set_is_an_error(tmp_path: Path, moment: int) -> None:
    monitor = FaultyMonitor(FakeDut(energy=True), actual_v=lambda recordings: 3.3 if recordings >= moment else 1.8)
    with pytest.raises(PowerError, match=r"supplies 3\.300 V, 1\.8 V were set"):
        run(tmp_path, monitor)
    assert monitor.recordings <= moment + 1


@pytest.mark.parametrize("volts", [float("nan"), 0.0, 1.75])
def test_a_voltage_that_cannot_be_read_or_is_off_is_an_error(tmp_path: Path, volts: float) -> None:
    with pytest.raises(PowerError, match="supplies"):
        run(tmp_path, FaultyMonitor(FakeDut(energy=True), actual_v=lambda recordings: volts))


def test_a_voltage_that_is_set_anew_during_the_run_is_an_error(tmp_path: Path) -> None:
    monitor = FaultyMonitor(FakeDut(energy=True), actual_v=lambda recordings: monitor.voltage_v)

    def damage(trace: power.PowerTrace) -> power.PowerTrace:
        monitor.voltage_v = 3.0
        return trace

    monitor.damage, monitor.since = damage, 4
    with pytest.raises(PowerError, match=r"changed from 1\.8 V to 3 V"):
        run(tmp_path, monitor)


@pytest.mark.parametrize("volts", [float("nan"), 0.0, -1.8, None])
def test_a_voltage_that_cannot_be_set_is_an_error(tmp_path: Path, volts: float) -> None:
    with pytest.raises(PowerError, match="is set to"):
        run(tmp_path, FaultyMonitor(FakeDut(energy=True), voltage_v=volts))


# --- a monitor that stops ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "text"), [("start", "did not start"), ("stop", "did not stop"), ("voltage", "did not report its voltage")]
)
@pytest.mark.parametrize("since", [0, 4])
def test_a_monitor_that_no_longer_answers_is_an_error_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, text: str, since: int
) -> None:
    monkeypatch.setattr(power, "MONITOR_S", 0.2)
    monitor = FaultyMonitor(FakeDut(energy=True), hang=call, since=since)
    began = time.monotonic()
    with pytest.raises(PowerError, match=text) as caught:
        run(tmp_path, monitor)
    monitor.released.set()
    assert time.monotonic() - began < 20 and "cable" in caught.value.hint


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), RuntimeError("jsdrv_device_close"), ValueError("no such device")])
def test_what_a_monitors_driver_raises_is_an_error_with_a_hint(tmp_path: Path, error: Exception) -> None:
    def fail(trace: power.PowerTrace) -> power.PowerTrace:
        raise error

    with pytest.raises(PowerError, match="did not stop") as caught:
        run(tmp_path, FaultyMonitor(FakeDut(energy=True), fail))
    assert type(error).__name__ in caught.value.why and caught.value.hint


def test_a_monitor_that_fails_after_the_device_does_not_hide_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "AFTER_ERROR_S", 0.1)
    device = FakeDut(energy=True)
    monitor = FaultyMonitor(device, hang="stop")

    def unplugged(count: int, command: str) -> None:
        if command.startswith("infer"):
            raise LinkError("the device is gone", hint="plug it in")

    device.faults.before = unplugged
    with pytest.raises(LinkError, match="is gone"):
        run(tmp_path, monitor)
    monitor.released.set()


# --- the image ---------------------------------------------------------------------------------------------------------------------
def test_a_performance_image_whose_banner_was_missed_is_refused(tmp_path: Path) -> None:
    device = FakeDut(energy=False, running=True)
    with pytest.raises(ProtocolError, match="image for performance runs, but the energy image is needed") as caught:
        run(tmp_path, FaultyMonitor(device))
    assert "'timestamp' with m-lap-us" in caught.value.why and device.infers == []


def flips_to_performance(device: FakeDut, when: Callable[[], bool]) -> None:
    def before(count: int, command: str) -> None:
        if when():
            device.energy = False

    device.faults.before = before


def test_an_image_that_changes_between_two_windows_is_refused(tmp_path: Path) -> None:
    device = FakeDut(energy=True)
    monitor = FaultyMonitor(device)
    flips_to_performance(device, lambda: monitor.recordings == 4)
    with pytest.raises(Cm4TinyError, match="image for performance runs"):
        run(tmp_path, monitor)
    assert monitor.recordings == 4


def test_an_image_that_prints_time_stamps_in_a_window_is_refused(tmp_path: Path) -> None:
    device = FakeDut(energy=True)

    def before(count: int, command: str) -> None:
        device.energy = not (command.startswith("infer") and len(device.infers) >= 3)

    device.faults.before = before
    with pytest.raises(ProtocolError, match="image for performance runs") as caught:
        run(tmp_path, FaultyMonitor(device))
    assert "printed the time stamps" in caught.value.why


# --- a device that sends each text when it is due -------------------------------------------------------------------------------------
@pytest.mark.parametrize("simulated", [True, False])
def test_the_texts_around_the_inferences_are_the_witness(tmp_path: Path, simulated: bool) -> None:
    result = run(tmp_path, FaultyMonitor(PromptDut(energy=True), simulated=simulated))
    assert result.microjoules_per_inference == pytest.approx(TRUE_UJ, rel=2e-3)


@pytest.mark.parametrize(("simulated", "shift_s"), [(True, 0.006), (False, 0.04)])
@pytest.mark.parametrize("stamp", [0, 1])
def test_a_window_that_the_texts_contradict_is_refused(tmp_path: Path, simulated: bool, shift_s: float, stamp: int) -> None:
    shifts = [0.0, 0.0]
    shifts[stamp] -= shift_s
    with pytest.raises(PowerTraceError, match="the time-stamp pin marks"):
        run(tmp_path, FaultyMonitor(PromptDut(energy=True), shifted_stamps(*shifts), since=3, simulated=simulated))


class SlowToWarmUp(PromptDut):
    """A warm-up takes twice as long as a measured inference."""

    def _infer(self, n: int, warmups: int) -> None:
        super()._infer(n, 2 * warmups)
        said = f"m-warmup-start-{2 * warmups}".encode()
        assert said in self._out or not warmups
        self._out[:] = self._out.replace(said, f"m-warmup-start-{warmups}".encode().ljust(len(said)))


def test_warm_ups_may_take_longer_than_measured_inferences(tmp_path: Path) -> None:
    device = SlowToWarmUp(energy=True)
    assert run(tmp_path, FaultyMonitor(device, simulated=False)).microjoules_per_inference == pytest.approx(TRUE_UJ, rel=2e-3)


# --- windows against each other ------------------------------------------------------------------------------------------------------
def test_a_window_that_is_not_like_the_others_is_measured_again(tmp_path: Path) -> None:
    monitor = FaultyMonitor(PromptDut(energy=True), simulated=False)
    monitor.damage = lambda trace: shifted_stamps(0.0, -0.015)(trace) if monitor.recordings == 5 else trace
    result = run(tmp_path, monitor)
    assert [w.elapsed_s / w.iterations for w in result.windows] == pytest.approx([0.05] * 3, rel=2e-3)
    counts = [n for n, warmups in monitor.device.infers if warmups]
    assert len(counts) == 5  # three windows, and two more until two agree
    log = next((tmp_path / "s").rglob("log.txt")).read_text()
    assert "differs from the others and is measured again" in log


def test_a_window_that_is_another_one_each_time_is_refused(tmp_path: Path) -> None:
    monitor = FaultyMonitor(PromptDut(energy=True), simulated=False)
    shifts = {5: 0.018, 7: 0.008, 8: -0.012}
    monitor.damage = lambda trace: shifted_stamps(-shifts.get(monitor.recordings, 0.0), 0.0)(trace)
    with pytest.raises(PowerTraceError, match="was measured 3 times with 3 results"):
        run(tmp_path, monitor)


# --- limits ----------------------------------------------------------------------------------------------------------------------------
REAL, VIRTUAL = False, True
WITNESSED = [
    # monitor, between_s and took_s of the link, warm-ups, what texts take: the shortest and the longest window that agrees
    (REAL, 10.0, 10.6, 10, {}, 9.91, 10.04),
    (REAL, 10.0, 10.6, 10, {False: 0.01}, 9.95002, 10.02998),
    (REAL, 10.0, 10.6, 0, {}, 9.9101, 10.04),
    (REAL, None, 10.5, 10, {}, 8.95, 10.05),
    (REAL, None, 10.5, 10, {True: 0.1}, 9.8503, 9.9497),
    (REAL, 4.9, 10.5, 10, {}, 9.8, 10.05),  # in less than half of the time: texts were kept back
    (VIRTUAL, 10.0, 10.6, 10, {False: 0.01}, 9.985, 9.995),
    (VIRTUAL, 10.0, 10.6, 0, {}, 9.945, 10.005),
    (VIRTUAL, None, 10.5, 10, {True: 0.1}, 9.8752, 9.9248),
]


@pytest.mark.parametrize(("simulated", "between_s", "took_s", "warmups", "texts_s", "least", "most"), WITNESSED)
def test_a_window_agrees_with_the_links_clock_up_to_each_limit(
    simulated: bool, between_s: float | None, took_s: float, warmups: int, texts_s: dict[bool, float], least: float, most: float
) -> None:
    def agrees(window_s: float) -> bool:
        known = SimpleNamespace(power=SimpleNamespace(simulated=simulated), _texts_s=dict(texts_s))
        inference = Inference(200, warmups, None, (), took_s, between_s)
        try:
            energy._Run._witness(known, energy._Measured(inference, np.zeros(1), (0, 1), 1e-3, window_s))  # type: ignore[arg-type]
        except PowerTraceError as error:
            assert f"marks {window_s:.3f} s" in str(error)
            return False
        return True

    assert [agrees(at) for at in (least - 1e-5, least + 1e-5, most - 1e-5, most + 1e-5)] == [False, True, True, False]


def test_windows_are_alike_within_half_a_percent() -> None:
    window = energy._Measured(Inference(100, 0, None, ()), np.full(20_000, 1e-3), (5_000, 15_000), 1e-3, 10.0)
    assert (window.rate, window.elapsed_s, window.each_s, window.joules) == (1000.0, 10.0, 0.1, 10.0)
    assert [window.like(0.1 / ratio) for ratio in (0.9949, 0.9951, 1.0049, 1.0051)] == [False, True, True, False]


def test_a_monitor_may_take_two_seconds_to_stop_after_another_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float | None] = []

    def ask(monitor: object, what: str, call: Callable[[], object], limit_s: float | None = None) -> object:
        limits.append(limit_s)
        return call()

    monkeypatch.setattr(energy, "ask", ask)
    device = FakeDut(energy=True)

    def unplugged(count: int, command: str) -> None:
        if command.startswith("infer"):
            raise LinkError("the device is gone", hint="plug it in")

    device.faults.before = unplugged
    with pytest.raises(LinkError, match="is gone"):
        run(tmp_path, FaultyMonitor(device))
    assert limits == [None, 2.0]
