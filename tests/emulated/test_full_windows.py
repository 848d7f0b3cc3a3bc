# SPDX-License-Identifier: Apache-2.0
"""A window of each benchmark, with periodic inferences advanced and with all executed: the same bytes, and a session that says so."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cm4tiny.benchmarks import BENCHMARKS, embedded_data_set, embedded_model, get_benchmark
from cm4tiny.boards import VirtualBoard
from cm4tiny.events import SILENT
from cm4tiny.firmware.build_spec import BuildSpec
from cm4tiny.firmware.engines.catalogue import MICROTVM
from cm4tiny.firmware.microtvm_image import build_microtvm
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.runner.job_pool import Job, JobResult, run_jobs
from cm4tiny.runner.rules import official_rules


def run(folder: Path, elf: Path, benchmark: str, *, mode: str, windows: int, seconds: float, full: bool) -> JobResult:
    rules = replace(official_rules(), min_window_s=seconds, windows=windows)
    job = Job(
        board=lambda: VirtualBoard(elf, full_windows=full),
        benchmark=get_benchmark(benchmark),
        data_set=embedded_data_set(benchmark),
        mode=mode,
        simulated="virtual NUCLEO-L4R5ZI",
        rules=rules,
    )
    (result,) = run_jobs([job], folder / ("full" if full else "short"))
    return result


def image(folder: Path, benchmark: str, mode: str) -> Path:
    spec = BuildSpec(benchmark, MICROTVM, mode, "")
    model = embedded_model(benchmark).read_bytes()
    return build_microtvm(spec, get_benchmark(benchmark), model, find_toolchain("path"), folder, SILENT).image.elf


def compare(folder: Path, benchmark: str, *, mode: str = "performance", windows: int, seconds: float, elf: Path | None = None) -> JobResult:
    elf = elf or image(folder, benchmark, mode)
    short = run(folder, elf, benchmark, mode=mode, windows=windows, seconds=seconds, full=False)
    full = run(folder, elf, benchmark, mode=mode, windows=windows, seconds=seconds, full=True)
    assert (short.session / "results.json").read_bytes() == (full.session / "results.json").read_bytes()
    assert short.result == full.result and short.stall == full.stall and short.power == full.power
    assert short.calls is not None and full.calls is not None and full.calls.count == 0
    assert 0 < short.calls.proven < short.calls.count
    label = f"{short.calls.count} inferences, {short.calls.executed} executed, the rest proven periodic"
    for name in ("log.txt", "results.txt"):
        lines = (short.session / name).read_text(encoding="utf-8").splitlines()
        assert lines.count(label) == 1
        lines.remove(label)
        assert lines == (full.session / name).read_text(encoding="utf-8").splitlines()
    return short


@pytest.fixture(scope="module")
def kws(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    return image(tmp_path_factory.mktemp("kws"), "kws", "performance")


def test_a_short_window_is_the_same_with_and_without(kws: Path, tmp_path: Path) -> None:
    done = compare(tmp_path, "kws", windows=1, seconds=0.3, elf=kws)
    assert done.calls is not None and done.calls.proven > 5


@pytest.mark.long
@pytest.mark.parametrize("mode", ["performance", "energy"])
@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_five_full_windows_are_the_same_with_and_without(benchmark: str, mode: str, tmp_path: Path) -> None:
    done = compare(tmp_path, benchmark, mode=mode, windows=5, seconds=10.0)
    assert done.calls is not None and done.calls.executed < 0.1 * done.calls.count


def test_the_outcome_counts_what_was_executed(kws: Path, tmp_path: Path) -> None:
    from cm4tiny.runner.benchmark_run import BenchmarkRun, _entries

    done = run(tmp_path, kws, "kws", mode="performance", windows=1, seconds=0.3, full=False)
    request = BenchmarkRun(("kws",), ("performance",), "virtual", {}, {}, tmp_path / "short")
    entry = _entries(request, done)[0]
    assert done.calls is not None
    assert entry["inferences"] == {"total": done.calls.count, "executed": done.calls.executed}
    assert "inferences" not in json.loads((done.session / "results.json").read_text(encoding="utf-8"))[0]
