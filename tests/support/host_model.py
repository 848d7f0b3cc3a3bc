# SPDX-License-Identifier: Apache-2.0
"""Builds a compiled model's portable C on the host and calls it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cm4tiny.firmware.microtvm import CompiledModel, compile_model

MIRROR = Path(__file__).resolve().parents[2].parent / "shared" / "mirror" / "github"
_TRAINING = "mlcommons/tiny/*/benchmark/training"
OFFICIAL = {
    "ad": f"{_TRAINING}/anomaly_detection/trained_models/ad01_int8.tflite",
    "ic": f"{_TRAINING}/image_classification/trained_models/pretrainedResnet_quant.tflite",
    "kws": f"{_TRAINING}/keyword_spotting/trained_models/kws_ref_model.tflite",
    "vww": f"{_TRAINING}/visual_wake_words/trained_models/vww_96_int8.tflite",
    "sww": f"{_TRAINING}/streaming_wakeword/trained_models/str_ww_ref_model.tflite",
}


def mirrored(pattern: str) -> list[Path]:
    """Files of the mirror of upstream repositories next to the checkout; skips the test if there are none."""
    found = sorted(MIRROR.glob(pattern)) if MIRROR.is_dir() else []
    if not found:
        pytest.skip(f"no mirror with {pattern} next to the checkout")
    return found


def official_model(name: str) -> bytes:
    """An official model's bytes; skips the test if the mirror is absent."""
    return mirrored(OFFICIAL[name])[0].read_bytes()


class HostModel:
    """A compiled model as a shared library of the host. ``guard`` bytes around both buffers catch stray reads and writes."""

    GUARD = 64

    def __init__(self, model: CompiledModel, *flags: str) -> None:
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler on this machine")
        self.model = model
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "model.c").write_text(model.source)
            (folder / "model.h").write_text(model.header)
            command = [compiler, "-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-Wno-unused-function", "-Werror", *flags]
            subprocess.run([*command, "-o", "model.so", "model.c"], cwd=folder, check=True)
            self._library = ctypes.CDLL(str(folder / "model.so"))

    def run(self, inputs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """[n, ...] int8 -> [n, outputs] int8."""
        size, results = self.model.input.size, []
        for row in inputs.reshape(-1, size):
            data = np.full(size + 2 * self.GUARD, 85, np.int8)
            data[self.GUARD : self.GUARD + size] = row
            out = np.full(self.model.output.size + 2 * self.GUARD, 42, np.int8)
            self._library.cm4tiny_model_run(_address(data, self.GUARD), _address(out, self.GUARD))
            assert (out[: self.GUARD] == 42).all(), "wrote in front of the output"
            assert (out[-self.GUARD :] == 42).all(), "wrote behind the output"
            results.append(out[self.GUARD : -self.GUARD].copy())
        return np.stack(results)


def _address(array: npt.NDArray[Any], offset: int) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data + offset)


def host_model(tflite: bytes, *flags: str) -> HostModel:
    """Compiles a model and builds it for the host."""
    return HostModel(compile_model(tflite), *flags)


def corner_inputs(size: int, count: int, seed: int = 0) -> npt.NDArray[np.int8]:
    """Random and extreme int8 inputs, [count + 6, size]."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(-128, 128, size) for _ in range(count)]
    rows += [np.full(size, v) for v in (-128, 127, 0, -1)]
    rows += [np.where(np.arange(size) % 2 == 0, -128, 127), rng.choice([-128, 127], size)]
    return np.stack(rows).astype(np.int8)
