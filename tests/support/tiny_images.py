# SPDX-License-Identifier: Apache-2.0
"""Images of hand-made models: the product's own build, for models that belong to no benchmark."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from cm4tiny.benchmarks import Benchmark, get_benchmark
from cm4tiny.errors import Cm4TinyError
from cm4tiny.firmware.build import FirmwareImage, build_firmware
from cm4tiny.firmware.inference_code import InferenceCode, TensorInfo
from cm4tiny.firmware.microtvm import CompiledModel, CompileOptions, compile_model
from cm4tiny.firmware.toolchain import Toolchain, find_toolchain


@cache
def tool_chain() -> Toolchain:
    """Any tool chain for the board; skips the test without one."""
    try:
        return find_toolchain("auto", install=False)
    except Cm4TinyError as error:
        pytest.skip(f"no tool chain: {error}")


def benchmark_of(model: CompiledModel | InferenceCode) -> Benchmark:
    """kws with the sizes of a model."""
    entry, result = model.input, model.output
    return replace(
        get_benchmark("kws"), input_bytes=entry.size, results=result.size, model_input_shape=entry.shape, model_output_shape=result.shape
    )


def build_image(
    tflite: bytes, folder: Path, options: CompileOptions | None = None, *, damage: tuple[str, str] | None = None
) -> tuple[FirmwareImage, Benchmark, tuple[TensorInfo, TensorInfo]]:
    """Compiles and links; ``damage`` replaces a piece of the generated C first."""
    model = compile_model(tflite, options=options or CompileOptions())
    if damage is not None:
        assert damage[0] in model.source
        model = replace(model, source=model.source.replace(*damage))
    benchmark = benchmark_of(model)
    image = build_firmware(benchmark, model, mode="performance", toolchain=tool_chain(), out_dir=folder)
    return image, benchmark, (model.input, model.output)
