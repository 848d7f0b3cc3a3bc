# SPDX-License-Identifier: Apache-2.0
"""The official kws model on the official kws01 inputs: our firmware on the virtual board against the reference kernels on the host."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cm4tiny.benchmarks import DataSet, get_benchmark
from cm4tiny.boards import VirtualBoard
from cm4tiny.firmware.build import build_firmware
from cm4tiny.firmware.microtvm import compile_model
from cm4tiny.firmware.reference import reference_run
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.runner import Dut, SessionWriter, run_accuracy

KWS = get_benchmark("kws")
OUTPUT_SCALE, OUTPUT_ZERO_POINT = 1 / 256, -128

pytestmark = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc")


@pytest.fixture(scope="module")
def model(shared: Path) -> bytes:
    return next(shared.glob("mirror/**/kws_ref_model.tflite")).read_bytes()


@pytest.fixture(scope="module")
def kws01(shared: Path) -> DataSet:
    return DataSet.open(next(shared.glob("mirror/github/eembc/**/kws01")), KWS)


@pytest.fixture
def board(model: bytes, tmp_path: Path) -> Iterator[VirtualBoard]:
    image = build_firmware(
        KWS, compile_model(model, name="kws01"), mode="performance", toolchain=find_toolchain("path"), out_dir=tmp_path / "firmware"
    )
    with VirtualBoard(image.elf) as board:
        yield board


def reference_numbers(model: bytes, data: bytes) -> list[str]:
    output = reference_run(model, np.frombuffer(data, dtype=np.int8).reshape(1, 49, 10, 1)).reshape(-1)
    return [f"{(int(value) - OUTPUT_ZERO_POINT) * OUTPUT_SCALE:.3f}" for value in output]


def test_the_board_prints_what_the_reference_kernels_compute(board: VirtualBoard, model: bytes, kws01: DataSet) -> None:
    dut = Dut(board.link)
    dut.connect()
    for sample in kws01.samples[:100]:
        (data,) = kws01.segments(sample)
        dut.load(data)
        assert [f"{value:.3f}" for value in dut.infer(1).results] == reference_numbers(model, data), sample.file


@pytest.mark.long
def test_the_accuracy_on_all_of_kws01_is_that_of_the_reference_kernels(board: VirtualBoard, kws01: DataSet, tmp_path: Path) -> None:
    with SessionWriter(tmp_path / "sessions", simulated="virtual NUCLEO-L4R5ZI") as session:
        result = run_accuracy(Dut(board.link), KWS, kws01, session)
    assert result.samples == 1000
    assert result.top_1 == pytest.approx(90.1)  # with the reference kernels: 0.901
