# SPDX-License-Identifier: Apache-2.0
"""The very images for the board against TFLite's reference kernels, byte by byte: assembly kernels, linked code, memory plan.

Every official model, with the default plan and with each option that changes the code. ``pytest -m long`` compares 1000 inputs per model.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from board_model import BoardModel
from host_model import OFFICIAL, corner_inputs, mirrored, official_model

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.errors import Cm4TinyError
from cm4tiny.events import SILENT
from cm4tiny.firmware.build_spec import BuildSpec
from cm4tiny.firmware.microtvm_image import build_microtvm
from cm4tiny.firmware.reference import oracle_name, reference_run
from cm4tiny.firmware.toolchain import find_toolchain

VARIANTS = {
    "default": {},
    "keep_zeros": {"skip_zero": False},
    "low_ram": {"ram_budget": 128 * 1024},
    "prune_channels": {"prune_channels": True},
}
CASES = [(name, "default") for name in (*OFFICIAL, "ic02")] + [
    ("vww", "keep_zeros"),
    ("kws", "low_ram"),
    ("ic", "low_ram"),
    ("vww", "prune_channels"),
]
FEW, MANY = 6, 1000


@lru_cache(maxsize=4)
def built(name: str, variant: str, folder: Path) -> BoardModel:
    spec = BuildSpec(benchmark=name, engine="microtvm", mode="performance", model="", **VARIANTS[variant])
    try:
        toolchain = find_toolchain("auto", install=False)
    except Cm4TinyError as error:
        pytest.skip(f"no tool chain: {error}")
    own = build_microtvm(spec, get_benchmark(name), model_of(name), toolchain, folder / name / variant, SILENT)
    assert not [layer.name for layer in own.model.layers if layer.fallback]
    return BoardModel(own.image.elf, own.model.input.size, own.model.output.size)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("board-models")


def inputs_of(name: str, count: int) -> np.ndarray:
    """Real keywords for kws; for the others noise, extremes and smooth waves."""
    size = np.prod(get_benchmark(name).model_input_shape)
    if name == "kws":
        return np.stack([np.frombuffer(f.read_bytes(), np.int8) for f in mirrored("eembc/energyrunner/*/datasets/kws01/*.bin")[:count]])
    rng = np.random.default_rng(17)
    at = np.arange(size) / size
    waves = [sum(rng.normal() * np.cos(2 * np.pi * (rng.uniform(0, 40) * at + rng.random())) for _ in range(4)) for _ in range(count // 2)]
    smooth = np.clip(np.stack(waves) * 60 + rng.normal(0, 30, (len(waves), 1)), -128, 127).astype(np.int8)
    return np.concatenate([corner_inputs(size, count - len(smooth), seed=19), smooth])


def model_of(name: str) -> bytes:
    """ic02 is the larger image classification model of round v1.4, whose constants do not fit into flash in their fastest form."""
    if name != "ic02":
        return official_model(name)
    (path,) = mirrored("mlcommons/tiny/*/benchmark/training/image_classification/trained_models/pretrainedResnet_large_int8.tflite")[:1]
    return path.read_bytes()


def compare(name: str, variant: str, folder: Path, count: int) -> None:
    inputs = inputs_of(name, count)
    mine = built(name, variant, folder).run(inputs)
    reference = reference_run(model_of(name), inputs).reshape(mine.shape)
    if oracle_name(model_of(name)).startswith("tflite_micro"):  # see test_bit_exact_models.py
        difference = np.abs(mine.astype(int) - reference.astype(int))
        assert difference.max() <= 1
        assert np.count_nonzero(difference) <= 1e-4 * difference.size
    else:
        np.testing.assert_array_equal(mine, reference)


@pytest.mark.parametrize(("name", "variant"), CASES)
def test_an_image_equals_the_reference(name, variant, folder):
    compare(name, variant, folder, FEW)


@pytest.mark.long
@pytest.mark.parametrize(("name", "variant"), CASES)
def test_an_image_equals_the_reference_on_a_thousand_inputs(name, variant, folder):
    compare(name, variant, folder, MANY)
