# SPDX-License-Identifier: Apache-2.0
"""What this project's own runner writes passes the comparison of files, whatever happened on the way; and each figure is the right one."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runner"))

from fake_dut import FakeDut, Faults, make_data_set
from support.session_maker import HostClock

from cm4tiny.benchmarks import metrics
from cm4tiny.results.rounds import LoggedSession, Mode, read_session_folder
from cm4tiny.runner import Dut, SessionWriter, run_accuracy, run_energy, run_performance


@dataclass(frozen=True)
class Trace:
    sample_period_s: float
    joules: Any
    timestamps_s: tuple[float, ...]


class Monitor:
    """A monitor that reports one edge too many before the first window, as the MLCommons runner's source says that it happens."""

    simulated = True
    name = "scripted"
    voltage_v = 1.8

    def __init__(self, fake: FakeDut) -> None:
        self.fake = fake
        self.began = 0.0

    def start(self) -> None:
        self.began = self.fake.now
        self.fake.edges.clear()

    def stop(self) -> Trace:
        samples = np.full(int((self.fake.now - self.began) * 1000) + 1, 2e-6)
        edges = tuple(edge - self.began for edge in self.fake.edges)
        return Trace(0.001, samples, (0.001, *edges) if edges and edges[0] > 0.01 else edges)  # after warm-ups only


def run(folder: Path, mode: Mode, benchmark: str = "kws", **device: Any) -> tuple[LoggedSession, Any]:
    from cm4tiny.benchmarks import get_benchmark

    fake = FakeDut(benchmark=get_benchmark(benchmark), energy=mode == "energy", **device)
    data_set = make_data_set(folder / "data", benchmark, 6)
    with SessionWriter(folder / "s", now=HostClock(), simulated="scripted") as writer:
        if mode == "performance":
            result: Any = run_performance(Dut(fake), fake.benchmark, data_set, writer)
        elif mode == "accuracy":
            result = run_accuracy(Dut(fake), fake.benchmark, data_set, writer)
        else:
            result = run_energy(Dut(fake), Monitor(fake), fake.benchmark, data_set, writer)
    return read_session_folder(writer.folder, mode, benchmark), result


@pytest.mark.parametrize("mode", ["performance", "accuracy", "energy"])
@pytest.mark.parametrize("benchmark", ["kws", "ad"])
def test_own_sessions_agree_with_themselves(tmp_path: Path, mode: Mode, benchmark: str) -> None:
    session, _ = run(tmp_path, mode, benchmark)
    assert [str(one) for one in session.discrepancies] == []
    assert session.begun and session.ended and session.simulated


def test_an_attempt_that_broke_off_leaves_no_contradiction(tmp_path: Path) -> None:
    session, _ = run(tmp_path, "accuracy", faults=Faults(garble_results_at=3))
    assert [str(one) for one in session.discrepancies] == []


def test_energy_is_timed_between_the_last_two_stamps(tmp_path: Path) -> None:
    """Not from the first one, which is noise of the pin: the printed time, the record and the result are the same."""
    _, result = run(tmp_path, "energy")
    folder = next((tmp_path / "s").iterdir())
    entries = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    printed = [float(text) for text in re.findall(r"Elapsed time  : ([\d.]+)", (folder / "results.txt").read_text(encoding="utf-8"))]
    for entry, window, seconds in zip(entries, result.windows, printed, strict=True):
        stamps = [at for _, at in entry["power"]["timestamps"]]
        assert len(stamps) == 3
        assert seconds == window.elapsed_s == pytest.approx((stamps[-1] - stamps[-2]) / 1000, abs=1e-9)
        assert window.elapsed_s != pytest.approx((stamps[-1] - stamps[0]) / 1000, abs=1e-3)


def test_of_equal_answers_the_first_counts() -> None:
    """As both runners have it (``numpy.argmax``): in kws, ties are common, and the last one would give another accuracy."""
    scores = np.array([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5], [0.0, 0.4, 0.4]])
    assert metrics.top_1(scores, np.array([0, 2, 1])) == 100.0
    assert metrics.top_1(scores, np.array([1, 2, 2])) == pytest.approx(100 / 3)
