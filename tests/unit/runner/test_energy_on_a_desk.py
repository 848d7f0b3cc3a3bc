# SPDX-License-Identifier: Apache-2.0
"""Energy on a real board's port: the virtual LPM01A supplies a scripted board, the real client and the real runner measure it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_dut import make_data_set
from support.scripted_device import ScriptedDevice
from support.virtual_lpm01a import VirtualLpm01a

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.boards.monitors import choice
from cm4tiny.boards.monitors.choice import find_monitor, parse_monitor
from cm4tiny.boards.monitors.lpm01a import Lpm01a
from cm4tiny.cm import Step
from cm4tiny.errors import PowerError, ProtocolError, UsageError
from cm4tiny.events import SILENT
from cm4tiny.runner import Dut
from cm4tiny.runner import benchmark_run as module
from cm4tiny.runner.benchmark_run import run_benchmarks
from cm4tiny.runner.energy import EnergyResult, run_energy
from cm4tiny.runner.session import SessionWriter
from cm4tiny.workflows.reproduce_mlperf_tiny import ReproduceOptions, check_reproduce
from cm4tiny.workflows.run_mlperf_tiny import RunOptions, benchmark_run

KWS = get_benchmark("kws")
IDLE_W, ACTIVE_W, INFERENCE_S = 0.005, 0.03, 0.05


def bench(**faults: Any) -> tuple[ScriptedDevice, VirtualLpm01a]:
    """A board that computes while its time-stamp pin says so, and the instrument that supplies it."""
    energy = faults.pop("energy", True)
    device = ScriptedDevice(input_bytes=490, results=12, energy=energy, inference_s=INFERENCE_S)
    return device, VirtualLpm01a(lambda: device.now, device.edges, lambda at: ACTIVE_W, **faults)


def measured(tmp_path: Path, **faults: Any) -> tuple[EnergyResult, Path]:
    device, virtual = bench(**faults)
    data_set = make_data_set(tmp_path / "kws01", "kws", 6)
    with Lpm01a(virtual, 1.8, settles_s=0.0) as monitor, SessionWriter(tmp_path / "sessions") as session:
        monitor.power_on()
        return run_energy(Dut(device), monitor, KWS, data_set, session), session.folder


def test_the_energy_is_that_of_the_samples_between_the_stamps(tmp_path: Path) -> None:
    result, folder = measured(tmp_path)
    assert result.microjoules_per_inference == pytest.approx(ACTIVE_W * INFERENCE_S * 1e6, rel=2e-3)
    assert (result.monitor, result.voltage_v, result.simulated, result.breaches) == ("X-NUCLEO-LPM01A", 1.8, False, ())
    entry = json.loads((folder / "results.json").read_text(encoding="utf-8"))[0]
    assert entry["power"]["voltage"] == 1.8 and "simulated" not in entry
    assert "Power monitor: X-NUCLEO-LPM01A at 1.8 V" in (folder / "log.txt").read_text(encoding="utf-8")


def every(pattern: str, change: Callable[[str], str], at: int) -> Callable[[list[str]], list[str]]:
    def damage(lines: list[str]) -> list[str]:
        places = [number for number, line in enumerate(lines) if re.fullmatch(pattern, line)]
        if len(places) > at:
            lines[places[at]] = change(lines[places[at]])
        return lines

    return damage


@pytest.mark.parametrize(
    ("faults", "error", "says"),
    [
        ({"damage": every(r"\d{4}-\d\d", lambda line: line[1:], 30)}, ProtocolError, "is not a number"),
        ({"damage": every(r"\d{4}-\d\d", lambda line: line[:4] + "-02", 30)}, ProtocolError, "is more than 50 W"),
        ({"damage": every(r"event .*", lambda line: "event 77 ris", 1)}, ProtocolError, "follows on time stamp"),
        ({"damage": lambda lines: [line for line in lines if "event" not in line]}, ProtocolError, "0 time stamps during an inference"),
        ({"damage": lambda lines: lines[: len(lines) // 2] if len(lines) > 5000 else lines}, ProtocolError, "stopped in the middle"),
        ({"supply_v": 3.3}, PowerError, "supplies 3.300 V, 1.8 V were set"),
        ({"energy": False}, ProtocolError, "an image for performance runs"),
    ],
)
def test_a_fault_ends_the_run_with_its_name_and_never_with_another_figure(
    tmp_path: Path, faults: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as caught:
        measured(tmp_path, **faults)
    assert says in str(caught.value)


ENV = {
    "CM_TINY_BENCHMARK": "kws",
    "CM_TINY_MODE": "energy",
    "CM_TINY_BOARD_KIND": "NUCLEO",
    "CM_TINY_FIRMWARE_KWS_ENERGY": "/f/kws.elf",
    "CM_MLPERF_TINY_DATASETS_KWS": "/d/kws01",
}


def asked(env: dict[str, str]) -> Any:
    return benchmark_run(Step(env, SILENT, Path.cwd()).options(RunOptions))


def test_the_step_measures_energy_on_a_real_board_and_keeps_the_raw_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device, virtual = bench()
    opened: list[Any] = []
    monkeypatch.setattr(choice, "open_lpm01a", lambda port, volts, raw: Lpm01a(virtual, volts, raw, settles_s=0.0))
    monkeypatch.setattr(module, "read_record", lambda elf: RECORD)

    def open_board(kind: str, elf: Path, options: Any, *_: Any, **__: Any) -> Any:
        assert virtual.powered, "the board is supplied before it is opened"
        opened.append((kind, options.baud))
        return SimpleNamespace(link=device, close=lambda: opened.append("closed"))

    monkeypatch.setattr(module, "open_board", open_board)
    data_set = make_data_set(tmp_path / "kws01", "kws", 6)
    env = ENV | {"CM_TINY_MONITOR": "lpm01a:/dev/ttyACM1", "CM_TINY_OUTDIR": str(tmp_path / "out"), "CM_TINY_SUPPLY_MV": "3000"}
    path = run_benchmarks(asked(env | {"CM_MLPERF_TINY_DATASETS_KWS": str(data_set.root)}))
    (entry,) = json.loads(path.read_text(encoding="utf-8"))["results"]
    assert (entry["simulated"], entry["supply_v"], entry["derived"], entry["broken_rules"]) == (False, 3.0, False, [])
    assert entry["energy_uj_per_inf"] == pytest.approx(ACTIVE_W * INFERENCE_S * 1e6, rel=2e-3)
    assert opened == [("NUCLEO", 9600), "closed"] and virtual.asked[-2:] == ["pwr off", "hrc"]
    raw = (tmp_path / "out" / "power-traces" / "kws.txt").read_text(encoding="latin-1")
    assert raw.count("Acquisition completed") >= 5 and "# volt 3000m" in raw


RECORD = {
    "engine": "microtvm",
    "elf": {"name": "kws.elf", "sha256": "0" * 64, "bytes": 4},
    "model": {"name": "m", "sha256": "0" * 64, "bytes": 1},
    "tools": {},
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "an energy run on a real board needs a power monitor"),
        ({"CM_TINY_MONITOR": "js220"}, "no driver of a power monitor 'js220'"),
        ({"CM_TINY_MONITOR": "lpm01", "CM_TINY_SUPPLY_MV": "1800"}, "did you mean 'lpm01a'"),
        ({"CM_TINY_MONITOR": "lpm01a", "CM_TINY_BOARD_KIND": "virtual"}, "has a monitor of its own"),
        ({"CM_TINY_MONITOR": "lpm01a", "CM_TINY_BENCH": "bench.yaml"}, "leave out --bench"),
        ({"CM_TINY_SUPPLY_MV": "1800", "CM_TINY_BOARD_KIND": "virtual"}, "add --monitor=lpm01a"),
        ({"CM_TINY_MONITOR": "lpm01a", "CM_TINY_SUPPLY_MV": "5000"}, "5000"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_built(change: dict[str, str], says: str, tmp_path: Path) -> None:
    for ask in (asked, lambda env: check_reproduce(Step(env, SILENT, tmp_path).options(ReproduceOptions), Step(env, SILENT, tmp_path))):
        with pytest.raises(UsageError) as caught:
            ask(ENV | change)
        assert says in str(caught.value)


def test_the_monitor_is_found_by_its_usb_id_or_named() -> None:
    def port(device: str, pid: int = 0x5740) -> SimpleNamespace:
        return SimpleNamespace(device=device, vid=0x0483, pid=pid, serial_number="1", description="")

    assert parse_monitor("LPM01A:/dev/ttyACM1") == ("lpm01a", "/dev/ttyACM1") and parse_monitor("lpm01a") == ("lpm01a", "")
    assert find_monitor("/dev/ttyACM7") == "/dev/ttyACM7"
    assert find_monitor(listed=lambda: [port("/dev/ttyACM0", 0x374B), port("/dev/ttyACM1")]) == "/dev/ttyACM1"
    with pytest.raises(PowerError, match="no X-NUCLEO-LPM01A is plugged in"):
        find_monitor(listed=lambda: [port("/dev/ttyACM0", 0x374B)])
    with pytest.raises(PowerError, match="2 power monitors are plugged in"):
        find_monitor(listed=lambda: [port("/dev/ttyACM1"), port("/dev/ttyACM2")])
