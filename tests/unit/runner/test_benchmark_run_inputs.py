# SPDX-License-Identifier: Apache-2.0
"""A result of MLPerf Tiny's model on this project's samples is marked: in its entry, among the broken rules, in the report's notice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cm4tiny.benchmarks import DataSet, embedded_data_set, get_benchmark
from cm4tiny.results.report import make_report
from cm4tiny.runner.benchmark_run import BenchmarkRun, _entries
from cm4tiny.runner.dut import Identity
from cm4tiny.runner.job_pool import Job, JobResult
from cm4tiny.runner.performance import PerformanceResult, PerformanceWindow


def entries(tmp_path: Path, assets: str, data_set: DataSet) -> list[dict[str, Any]]:
    request = BenchmarkRun(("ic",), ("performance",), "virtual", {}, {"ic": data_set.root}, tmp_path, assets=assets)
    window = PerformanceWindow("a.bin", 60, 5, 10_500_000, 5.7, (0.0,) * 10, 21e6)
    result = PerformanceResult("ic", Identity("dut", "profile", "ic01"), (window,) * 5, 5.7, (), 21e6)
    job = Job(board=lambda: None, benchmark=get_benchmark("ic"), data_set=data_set, mode="performance", image="0" * 64)  # type: ignore[arg-type,return-value]
    return _entries(request, JobResult(job, result, tmp_path / "sessions"))


@pytest.fixture
def own_samples(tmp_path: Path) -> DataSet:
    """A folder of the user's with one sample."""
    (tmp_path / "ic01").mkdir()
    (tmp_path / "ic01" / "emu.bin").write_bytes(bytes(3072))
    (tmp_path / "ic01" / "y_labels.csv").write_text("emu.bin,10,2\n")
    return DataSet.open(tmp_path / "ic01", get_benchmark("ic"))


def notice(found: list[dict[str, Any]], assets: str) -> str:
    report = make_report(board="virtual", engine="microtvm", assets=assets, results=found, files=[], tools={})
    return str(report["notice"])


def test_a_stand_in_is_marked_everywhere(tmp_path: Path) -> None:
    found = entries(tmp_path, "mlcommons", embedded_data_set("ic"))
    assert {entry["inputs"] for entry in found} == {"embedded"}
    assert "the inputs are not MLPerf Tiny's own" in found[0]["broken_rules"]
    assert "MLPerf Tiny's own inputs for ic are not here" in notice(found, "mlcommons")


def test_official_inputs_need_no_mark(tmp_path: Path, own_samples: DataSet) -> None:
    found = entries(tmp_path, "mlcommons", own_samples)
    assert "inputs" not in found[0] and found[0]["broken_rules"] == []
    assert "own inputs" not in notice(found, "mlcommons") and "embedded" not in notice(found, "mlcommons")


def test_embedded_assets_are_marked_as_a_whole(tmp_path: Path) -> None:
    found = entries(tmp_path, "embedded", embedded_data_set("ic"))
    assert "inputs" not in found[0]
    assert "embedded assets" in notice(found, "embedded") and "cannot fetch" not in notice(found, "embedded")
