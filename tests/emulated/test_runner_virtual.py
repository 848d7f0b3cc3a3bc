# SPDX-License-Identifier: Apache-2.0
"""The runner against the virtual board: real firmware with a stub model, real protocol, virtual time."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from subprocess import DEVNULL, Popen

import pytest

from cm4tiny.benchmarks import DataSet, get_benchmark
from cm4tiny.boards import VirtualBoard
from cm4tiny.errors import DeadlineError, ProtocolError
from cm4tiny.firmware.build import build_firmware
from cm4tiny.firmware.inference_code import InferenceCode, TensorInfo
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.runner import (
    AccuracyResult,
    Dut,
    EnergyResult,
    Job,
    PerformanceResult,
    Rules,
    SessionWriter,
    official_rules,
    run_accuracy,
    run_energy,
    run_jobs,
    run_performance,
)

SHORT = Rules(windows=3, min_window_s=1.0, min_iterations=10, performance_files=3, warmups=official_rules().warmups)
KWS = get_benchmark("kws")
WORK = 20_000
"""Turns of the stub's busy loop: about a millisecond on the board."""


def stub_model(inputs: int, outputs: int) -> InferenceCode:
    """A model that works for a while and then copies the beginning of its input."""
    header = f"""
        #pragma once
        #include <stdint.h>
        #define CM4TINY_MODEL_INPUT_SIZE {inputs}
        #define CM4TINY_MODEL_OUTPUT_SIZE {outputs}
        #define CM4TINY_MODEL_INPUT_SCALE 0x1p-3f
        #define CM4TINY_MODEL_INPUT_ZERO_POINT 83
        #define CM4TINY_MODEL_OUTPUT_SCALE 0x1p-8f
        #define CM4TINY_MODEL_OUTPUT_ZERO_POINT (-128)
        void cm4tiny_model_run(const int8_t *input, int8_t *output);
    """
    source = f"""
        #include "model.h"
        #include <string.h>
        void cm4tiny_model_run(const int8_t *input, int8_t *output) {{
            for (volatile int32_t i = 0; i < {WORK}; i++) {{}}
            memcpy(output, input, {outputs});
        }}
    """
    ends = [TensorInfo((1, size), "int8", 1.0, 0, size) for size in (inputs, outputs)]
    return InferenceCode({"model.c": textwrap.dedent(source), "model.h": textwrap.dedent(header)}, *ends)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    toolchain = find_toolchain("auto", install=False)
    folder = tmp_path_factory.mktemp("firmware")
    return {
        mode: build_firmware(KWS, stub_model(490, 12), mode=mode, toolchain=toolchain, out_dir=folder / mode).elf
        for mode in ("performance", "energy")
    }


def make_data_set(root: Path, files: int) -> DataSet:
    """Inputs whose first twelve bytes are the results that the stub will give: the label's stands out, but in every fifth file."""
    root.mkdir(parents=True)
    lines = []
    for index in range(files):
        scores = bytearray(b"\x80" * 12)
        scores[index % 12 if index % 5 else (index + 1) % 12] = 0x7F
        (root / f"{index:03d}.bin").write_bytes(bytes(scores) + bytes([index % 256]) * 478)
        lines.append(f"{index:03d}.bin,12,{index % 12}")
    (root / "y_labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return DataSet.open(root, KWS)


@pytest.fixture
def data_set(tmp_path: Path) -> DataSet:
    return make_data_set(tmp_path / "data", 30)


def test_performance_is_the_same_to_the_byte_and_cycles_agree_with_the_time(
    images: dict[str, Path], data_set: DataSet, tmp_path: Path
) -> None:
    from datetime import datetime

    files = []
    for name in ("a", "b"):
        board = VirtualBoard(images["performance"])
        with SessionWriter(tmp_path / name, simulated=board.link.name, now=lambda: datetime(2026, 1, 1)) as session:
            dut = Dut(board.link)
            result = run_performance(dut, KWS, data_set, session, rules=SHORT, cycles=lambda b=board: b.cycles)  # type: ignore[misc]
        board.close()
        assert dut.timestamp_mode == "performance"
        assert all(w.elapsed_us >= 1_000_000 for w in result.windows) and len(result.windows) == 3
        assert result.cycles_per_inference == pytest.approx(120e6 / result.throughput, rel=1e-3)
        assert dut.statistics.load_restarts == 0
        files.append([(session.folder / file).read_bytes() for file in ("log.txt", "results.txt", "results.json")])
    assert files[0] == files[1]
    assert files[0][1].startswith(b"SIMULATED: ")


def test_accuracy_counts_what_the_inputs_hold(images: dict[str, Path], data_set: DataSet, tmp_path: Path) -> None:
    board = VirtualBoard(images["performance"])
    with SessionWriter(tmp_path / "s", simulated=board.link.name) as session:
        result = run_accuracy(Dut(board.link), KWS, data_set, session, journal=tmp_path / "j.jsonl")
    board.close()
    assert result.top_1 == pytest.approx(80.0)
    entries = json.loads((session.folder / "results.json").read_text())
    assert [max(range(12), key=e["infer"]["results"].__getitem__) == int(e["class"]) for e in entries] == [bool(i % 5) for i in range(30)]
    assert re.search(r"(?m)^.* Top[- ]1%?\s?[:=] 80\.0$", (session.folder / "results.txt").read_text())


def test_energy_is_simulated_and_says_so(images: dict[str, Path], data_set: DataSet, tmp_path: Path) -> None:
    board = VirtualBoard(images["energy"])
    with SessionWriter(tmp_path / "s", simulated=board.power.name) as session:
        result = run_energy(Dut(board.link), board.power, KWS, data_set, session, rules=SHORT)
    board.close()
    assert result.simulated and len(result.windows) == 3
    entries = json.loads((session.folder / "results.json").read_text())
    assert all(e["simulated"] is True and len(e["power"]["timestamps"]) == 2 for e in entries)
    joules_per_cycle = result.microjoules_per_inference * 1e-6 / (120e6 * result.windows[0].elapsed_s / result.windows[0].iterations)
    assert 340e-12 < joules_per_cycle < 400e-12  # images that clock as little took 334 to 390 pJ (docs/energy.md)


def test_the_wrong_image_is_told_apart(images: dict[str, Path], data_set: DataSet, tmp_path: Path) -> None:
    board = VirtualBoard(images["energy"])
    with SessionWriter(tmp_path / "s", simulated="x") as session, pytest.raises(ProtocolError, match="image for energy runs"):
        run_performance(Dut(board.link), KWS, data_set, session)
    with pytest.raises(ProtocolError, match="runs 'kws01', but 'ic01'"):
        Dut(board.link).expect_model("ic01")
    board.close()


def test_a_model_that_never_returns_costs_a_deadline_in_virtual_time(tmp_path: Path) -> None:
    model = stub_model(490, 12)
    model = replace(model, files={**model.files, "model.c": model.files["model.c"].replace("memcpy", "for (;;) {} memcpy")})
    image = build_firmware(KWS, model, mode="performance", toolchain=find_toolchain("auto", install=False), out_dir=tmp_path)
    board = VirtualBoard(image.elf)
    dut = Dut(board.link, first_inference_s=0.5)
    dut.load(bytes(490))
    before = board.time_s
    with pytest.raises(DeadlineError, match=r"'infer 1 0' within 0\.5 s"):
        dut.infer(1)
    assert board.time_s - before < 0.6
    board.close()


def test_boards_side_by_side_give_what_one_gives(images: dict[str, Path], data_set: DataSet, tmp_path: Path) -> None:
    def jobs(label: str) -> list[Job]:
        return [
            Job(lambda: VirtualBoard(images["performance"]), KWS, data_set, "performance", simulated=label, rules=SHORT),
            Job(lambda: VirtualBoard(images["performance"]), KWS, data_set, "accuracy", simulated=label),
            Job(lambda: VirtualBoard(images["energy"]), KWS, data_set, "energy", simulated=label, rules=SHORT),
        ]

    one = run_jobs(jobs("virtual"), tmp_path / "one", workers=1)
    two = run_jobs(jobs("virtual"), tmp_path / "two", workers=2)
    assert [type(r.result) for r in one] == [PerformanceResult, AccuracyResult, EnergyResult]
    assert [r.result for r in one] == [r.result for r in two]


CHILD = """
    import sys
    from pathlib import Path
    from cm4tiny.benchmarks import DataSet, get_benchmark
    from cm4tiny.boards import VirtualBoard
    from cm4tiny.runner import Job, run_jobs
    elf, data, out = map(Path, sys.argv[1:])
    kws = get_benchmark("kws")
    run_jobs([Job(lambda: VirtualBoard(elf), kws, DataSet.open(data, kws), "accuracy", simulated="virtual")], out)
"""


def test_a_killed_accuracy_run_goes_on(images: dict[str, Path], tmp_path: Path) -> None:
    files = make_data_set(tmp_path / "many", 400)
    out = tmp_path / "out"
    journal = out / "journals" / "kws-accuracy.jsonl"
    arguments = [str(images["performance"]), str(tmp_path / "many"), str(out)]
    child = Popen([sys.executable, "-c", textwrap.dedent(CHILD), *arguments], env=dict(os.environ), stderr=DEVNULL)
    try:
        end = time.monotonic() + 120
        while time.monotonic() < end and not (journal.exists() and journal.read_bytes().count(b"\n") > 10):
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
        child.wait(20)
    finally:
        child.kill()
        child.wait()
    measured = journal.read_bytes().count(b"\n") - 1
    assert 10 <= measured < 400
    job = Job(lambda: VirtualBoard(images["performance"]), KWS, files, "accuracy", simulated="virtual")
    result = run_jobs([job], out)[0].result
    assert isinstance(result, AccuracyResult)
    assert (result.resumed, result.samples, result.top_1) == (measured, 400, 80.0)
