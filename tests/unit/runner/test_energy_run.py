# SPDX-License-Identifier: Apache-2.0
"""Energy runs under a scripted power monitor."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from fake_dut import FIXED_NOW, FakeDut, make_data_set

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.errors import ProtocolError
from cm4tiny.runner import Dut, EnergyResult, Rules, SessionWriter, official_rules, run_energy


@dataclass(frozen=True)
class Trace:
    sample_period_s: float
    joules: "np.ndarray[tuple[int], np.dtype[np.float64]]"
    timestamps_s: tuple[float, ...]


class Monitor:
    """Idle draws 5 mW, an inference 30 mW; the watts of a window grow with its number so that windows differ."""

    simulated = True
    name = "scripted monitor"
    voltage_v = 3.0

    def __init__(self, fake: FakeDut, *, extra_edge: bool = False, lost: float = 0.0, watts: Sequence[float] = (0.03,)) -> None:
        self.fake, self.extra_edge, self.lost, self.watts = fake, extra_edge, lost, watts
        self.windows = 0

    def start(self) -> None:
        self.began = self.fake.now
        self.fake.edges.clear()

    def stop(self) -> Trace:
        length = self.fake.now - self.began
        edges = [edge - self.began for edge in self.fake.edges]
        samples = np.full(int(length * 1000) + 1, 0.005 / 1000)
        if len(edges) >= 2:
            samples[int(edges[0] * 1000) : int(edges[1] * 1000)] = self.watts[self.windows % len(self.watts)] / 1000
        self.windows += 1
        stamps = (0.001, *edges) if self.extra_edge else tuple(edges)
        return Trace(0.001, samples[: int(len(samples) * (1 - self.lost))], stamps)


def run(tmp_path: Path, fake: FakeDut, monitor: Monitor, *, simulated: str = "scripted", **options: object) -> tuple[EnergyResult, Path]:
    data_set = make_data_set(tmp_path / "data", fake.benchmark.id, 6)
    with SessionWriter(tmp_path / "s", simulated=simulated, now=lambda: FIXED_NOW) as session:
        return run_energy(Dut(fake), monitor, fake.benchmark, data_set, session, **options), session.folder  # type: ignore[arg-type]


def test_energy_is_that_between_the_last_two_time_stamps(tmp_path: Path) -> None:
    fake = FakeDut(energy=True, running=False)
    result, folder = run(tmp_path, fake, Monitor(fake, extra_edge=True))
    assert len(result.windows) == 5 and result.breaches == () and result.simulated
    assert all(w.elapsed_s >= 10 and w.iterations >= 204 for w in result.windows)
    assert result.microjoules_per_inference == pytest.approx(0.03 * 0.05 * 1e6, rel=1e-3)
    assert all(warmups == 10 for n, warmups in fake.infers if n > 100)
    for entry in json.loads((folder / "results.json").read_text()):
        first, second = (int(captured) for _, captured in entry["power"]["timestamps"][-2:])
        joules = sum(entry["power"]["samples"][first:second])
        assert joules / entry["infer"]["iterations"] == pytest.approx(0.03 * 0.05, rel=1e-3)


def test_the_median_line_is_the_one_that_the_submission_checker_reads(tmp_path: Path) -> None:
    fake = FakeDut(energy=True)
    result, folder = run(tmp_path, fake, Monitor(fake, watts=(0.03, 0.01, 0.05, 0.04, 0.02, 0.06, 0.07)))
    text = (folder / "results.txt").read_text()
    assert re.search(r"Median energy cost is ([\d\.]+) uJ/inf", text)[1] == f"{result.microjoules_per_inference:.4f}"  # type: ignore[index]
    assert result.microjoules_per_inference == sorted(w.microjoules_per_inference for w in result.windows)[2]
    assert text.splitlines()[1] == "Power Edition Output"
    assert text.splitlines()[0].startswith("SIMULATED: scripted;")


def test_entries_have_the_runners_keys_and_time_stamps_are_numbered_through(tmp_path: Path) -> None:
    fake = FakeDut(energy=True)
    entries = json.loads((run(tmp_path, fake, Monitor(fake))[1] / "results.json").read_text())
    assert [[counter for counter, _ in e["power"]["timestamps"]] for e in entries] == [
        [f"{i:02d}", f"{i + 1:02d}"] for i in range(0, 10, 2)
    ]
    assert list(entries[0]) == [
        "file",
        "classes",
        "class",
        "bytes_to_send",
        "stride",
        "total_length",
        "infer",
        "power",
        "mode",
        "load_proof",
        "simulated",
    ]
    assert list(entries[0]["infer"]) == ["results", "total_inferences", "iterations", "warmups"]
    assert list(entries[0]["power"]) == ["samples", "timestamps", "extracted_power", "voltage"]


def test_a_simulated_monitor_needs_a_session_that_says_so(tmp_path: Path) -> None:
    fake = FakeDut(energy=True)
    with pytest.raises(ValueError, match="labelled as simulated"):
        run(tmp_path, fake, Monitor(fake), simulated="")


def test_too_few_time_stamps_name_image_and_wire(tmp_path: Path) -> None:
    fake = FakeDut(energy=True)
    fake._stamp = lambda: None  # type: ignore[method-assign]
    with pytest.raises(ProtocolError, match="0 time stamps during an inference") as error:
        run(tmp_path, fake, Monitor(fake))
    assert "wire" in error.value.hint and "energy image" in error.value.hint


def test_lost_samples_are_an_error_and_not_a_smaller_energy(tmp_path: Path) -> None:
    fake = FakeDut(energy=True)
    with pytest.raises(ProtocolError, match="the power monitor delivered") as error:
        run(tmp_path, fake, Monitor(fake, lost=0.01))
    assert "USB" in error.value.hint


def test_a_performance_image_is_refused(tmp_path: Path) -> None:
    fake = FakeDut(running=False)
    with pytest.raises(ProtocolError, match="image for performance runs"):
        run(tmp_path, fake, Monitor(fake))


def test_short_windows_are_marked(tmp_path: Path) -> None:
    rules = Rules(windows=1, min_window_s=0.5, min_iterations=2, performance_files=1, warmups=official_rules().warmups)
    fake = FakeDut(benchmark=get_benchmark("ad"), energy=True)
    result, folder = run(tmp_path, fake, Monitor(fake), rules=rules)
    assert result.breaches
    assert "<<<< below minimum duration" in (folder / "results.txt").read_text()
    assert "ERROR: Not valid for submission.  1 windows instead of 5" in (folder / "log.txt").read_text()
    assert fake.infers[-1][1] == 0
