# SPDX-License-Identifier: Apache-2.0
"""The generated C under the address and undefined-behaviour sanitizers: no stray access, no overflow, and still the right bytes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import tiny_tflite as tt
from host_model import corner_inputs, official_model

from cm4tiny.firmware.microtvm import compile_model
from cm4tiny.firmware.reference import reference_run

MAIN = """
#include "model.h"
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    int8_t *input = malloc(CM4TINY_MODEL_INPUT_SIZE), *output = malloc(CM4TINY_MODEL_OUTPUT_SIZE);
    while (fread(input, 1, CM4TINY_MODEL_INPUT_SIZE, stdin) == CM4TINY_MODEL_INPUT_SIZE) {
        cm4tiny_model_run(input, output);
        fwrite(output, 1, CM4TINY_MODEL_OUTPUT_SIZE, stdout);
    }
    free(input);
    free(output);
    return 0;
}
"""


@pytest.fixture(scope="module")
def sanitizing_compiler(tmp_path_factory):
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    folder = tmp_path_factory.mktemp("probe")
    (folder / "probe.c").write_text("int main(void) { return 0; }\n")
    command = [compiler, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    built = subprocess.run([*command, "probe.c", "-o", "probe"], cwd=folder, capture_output=True, check=False)
    if built.returncode or subprocess.run([folder / "probe"], capture_output=True, check=False).returncode:
        pytest.skip("the C compiler has no sanitizers")
    return command


def assert_clean(command: list[str], folder: Path, model: bytes) -> None:
    compiled = compile_model(model)
    for name, text in (("model.c", compiled.source), ("model.h", compiled.header), ("main.c", MAIN)):
        (folder / name).write_text(text)
    subprocess.run([*command, "model.c", "main.c", "-o", "model"], cwd=folder, check=True)
    inputs = corner_inputs(compiled.input.size, 2)
    done = subprocess.run([folder / "model"], input=inputs.tobytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[:2000]
    np.testing.assert_array_equal(np.frombuffer(done.stdout, np.int8).reshape(len(inputs), -1), reference_run(model, inputs))


def odd_network(channels: int, kernel: int, padding: str) -> bytes:
    """Channel counts and kernels that are no multiple of a quad, at the edges of the caller's buffers."""
    rng = np.random.default_rng(channels * 10 + kernel)
    g = tt.TinyTflite()
    side = 6
    x = g.tensor("x", (1, side, side, channels), "int8", 0.05, -3)
    wd = g.tensor("wd", (1, kernel, kernel, channels), "int8", 0.01, data=rng.integers(-127, 128, (1, kernel, kernel, channels)))
    out = side if padding == "SAME" else side - kernel + 1
    y = g.tensor("y", (1, out, out, channels), "int8", 0.1, 7)
    tt.depthwise(g, x, wd, g.tensor("bd", (channels,), "int32", 0.0005, data=rng.integers(-99, 99, channels)), y, padding=padding,
                 strides=(1, 1))  # fmt: skip
    wc = g.tensor("wc", (3, kernel, kernel, channels), "int8", 0.01, data=rng.integers(-127, 128, (3, kernel, kernel, channels)))
    z = g.tensor("z", (1, out, out, 3), "int8", 0.1, -128)
    tt.conv(g, y, wc, g.tensor("bc", (3,), "int32", 0.001, data=rng.integers(-99, 99, 3)), z, padding="SAME", strides=(1, 1),
            activation="RELU")  # fmt: skip
    return g.build([x], [z])


@pytest.mark.parametrize(
    ("channels", "kernel", "padding"), [(1, 3, "SAME"), (3, 2, "VALID"), (4, 1, "VALID"), (5, 3, "VALID"), (7, 4, "SAME")]
)
def test_odd_sizes_stay_inside_their_memory(sanitizing_compiler, tmp_path, channels, kernel, padding):
    assert_clean(sanitizing_compiler, tmp_path, odd_network(channels, kernel, padding))


@pytest.mark.parametrize("name", ["kws", "sww", "ad"])
def test_official_models_stay_inside_their_memory(sanitizing_compiler, tmp_path, name):
    assert_clean(sanitizing_compiler, tmp_path, official_model(name))


@pytest.mark.long
@pytest.mark.parametrize("name", ["ic", "vww"])
def test_large_official_models_stay_inside_their_memory(sanitizing_compiler, tmp_path, name):
    assert_clean(sanitizing_compiler, tmp_path, official_model(name))
