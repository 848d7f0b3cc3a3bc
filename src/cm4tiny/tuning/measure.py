# SPDX-License-Identifier: Apache-2.0
"""Cycles of every layer of an image, measured on the virtual board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from cm4tiny.benchmarks import Benchmark
from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.boards import default_board
from cm4tiny.boards.virtual.cycle_model import TICKS_PER_CYCLE, CycleModel
from cm4tiny.boards.virtual.trace import TraceKind
from cm4tiny.errors import BoardError
from cm4tiny.firmware.build import build_firmware
from cm4tiny.firmware.build_spec import subject
from cm4tiny.firmware.engines.catalogue import MICROTVM
from cm4tiny.firmware.microtvm import CompileOptions, LayerInfo, compile_model
from cm4tiny.firmware.microtvm.costs import Costs
from cm4tiny.firmware.microtvm_image import CODE_BYTES, harness_ram
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.runner import Dut

ROOT = "cm4tiny_model_run"


def measure_layers(
    benchmark_id: str, model: Path, options: CompileOptions, choice: Mapping[int, str], folder: Path, *, toolchain: str = "auto"
) -> list[tuple[LayerInfo, int]]:
    """Layer and cycles of every action of a model, the border clearings left out, with warm caches.

    Args:
        choice: number of an action -> the candidate that computes it; the others are the planner's choice.

    Raises:
        ImageTooLargeError: the candidates do not fit into the chip together.
        BoardError: the image does not run.
    """
    tflite = model.read_bytes()
    benchmark = subject(benchmark_id, MICROTVM, model.name, tflite)
    chip = default_board().chip
    budget = chip.ram.size - harness_ram(benchmark)
    wanted = replace(options, forced=choice, ram_budget=budget, flash_budget=chip.flash.size - CODE_BYTES)
    compiled = compile_model(tflite, name=benchmark.model_id, options=wanted, costs=Costs(0))
    tools = find_toolchain(toolchain, install=False)
    image = build_firmware(benchmark, compiled, mode="performance", toolchain=tools, out_dir=folder)
    cycles = trace_layers(image.elf, benchmark)
    if len(cycles) != len(compiled.layers):
        raise BoardError(f"the board saw {len(cycles)} layers of {len(compiled.layers)}", hint="report the model")
    return [(layer, count) for layer, count in zip(compiled.layers, cycles, strict=True) if layer.content]


def trace_layers(elf: Path, benchmark: Benchmark, model: CycleModel | None = None) -> list[int]:
    """Cycles of each function that the model calls, in order, in the second inference; ``model`` None: the virtual board's own."""
    with VirtualBoard(elf, exact=True, model=model) as board:
        dut = Dut(board.link)
        dut.connect()
        dut.load(sample_input(benchmark))
        dut.infer(1, 0)
        root = next(symbol for symbol in board.functions if symbol.name == ROOT)
        with board.trace(root) as segments:
            dut.infer(1, 0)
    return [round(s.cost.ticks / TICKS_PER_CYCLE) for s in segments if s.kind is TraceKind.CALLEE]


def sample_input(benchmark: Benchmark) -> bytes:
    """Noise; the kernels' time does not depend on values."""
    rng = np.random.default_rng(1)
    if benchmark.input_kind == "float32":
        return rng.normal(0, 1, benchmark.input_bytes // 4).astype("<f4").tobytes()
    return rng.integers(0, 256, benchmark.input_bytes, np.uint8).tobytes()
