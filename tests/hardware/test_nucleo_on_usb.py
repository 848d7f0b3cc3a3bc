# SPDX-License-Identifier: Apache-2.0
"""A NUCLEO-L4R5ZI on a USB port: flashed, asked for its name, and compared with the virtual board. Run with ``pytest -m hardware``."""

from __future__ import annotations

from pathlib import Path

import pytest

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.benchmarks.embedded import embedded_data_set, embedded_model
from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.boards import find_board
from cm4tiny.boards.nucleo import BoardOptions, NucleoBoard
from cm4tiny.boards.nucleo.ports import ports
from cm4tiny.firmware.build import build_firmware
from cm4tiny.firmware.microtvm import compile_model
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.runner import Dut

pytestmark = pytest.mark.hardware
KWS = get_benchmark("kws")


def test_the_real_board_answers_as_the_virtual_one(tmp_path: Path) -> None:
    if not ports(find_board()):
        pytest.skip("no NUCLEO-L4R5ZI is plugged in")
    model = compile_model(embedded_model("kws").read_bytes(), name="kws01")
    image = build_firmware(KWS, model, mode="performance", toolchain=find_toolchain(), out_dir=tmp_path)
    data_set = embedded_data_set("kws")
    real, virtual = NucleoBoard(image.elf, BoardOptions(baud=image.baud)), VirtualBoard(image.elf)
    try:
        duts = [Dut(real.link), Dut(virtual.link)]
        assert duts[0].connect() == duts[1].connect()
        for sample in data_set.samples[:20]:
            (data,) = data_set.segments(sample)
            for dut in duts:
                dut.load(data)
            assert duts[0].infer(1).results == duts[1].infer(1).results, sample.file
    finally:
        real.close()
        virtual.close()
