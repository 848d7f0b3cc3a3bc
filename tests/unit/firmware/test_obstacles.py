# SPDX-License-Identifier: Apache-2.0
"""A model that no engine takes: one message with all that is in the way, each with its place, its reason and what helps."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import tflite
from support.predictions import small_model
from support.tiny_tflite import TinyTflite, conv, fully_connected

from cm4tiny.errors import ModelError, UnsupportedOpError
from cm4tiny.firmware.build_spec import checked_ends
from cm4tiny.firmware.obstacles import file_obstacles

FLASH = 2 << 20
OP = tflite.BuiltinOperator


def dense(graph: TinyTflite, x: int, *, dtype: str = "int8", weights: str = "int8", units: int = 4, scale: float = 0.1) -> int:
    size = int(np.prod(graph.tensors[x].shape))
    w = graph.tensor("w", (units, size), weights, scale=0.01, data=np.ones((units, size)))
    y = graph.tensor("y", (1, units), dtype, scale=scale)
    fully_connected(graph, x, w, None, y)
    return y


def refusal(engine: str, data: bytes) -> ModelError:
    with pytest.raises(ModelError) as caught:
        checked_ends(engine, data)
    return caught.value


def test_a_sound_model_has_none() -> None:
    assert file_obstacles(small_model(), flash_bytes=FLASH, supported={"CONV_2D", "RESHAPE", "FULLY_CONNECTED"}) == ()
    assert checked_ends("microtvm", small_model())[0].shape == (1, 8, 8, 3)


@pytest.mark.parametrize(
    ("x", "w", "says", "helps"),
    [
        ("float32", "float32", "is a float model", "TFLITE_BUILTINS_INT8"),
        ("float32", "int8", "weights only", "representative_dataset"),
        ("int16", "int8", "16-bit activations", "TFLITE_BUILTINS_INT8"),
        ("uint8", "uint8", "quantised to uint8", "inference_input_type"),
    ],
)
def test_another_scheme_is_named_with_the_converters_option(x: str, w: str, says: str, helps: str) -> None:
    graph = TinyTflite()
    entry = graph.tensor("in", (1, 6), x, scale=0.1)
    error = refusal("microtvm", graph.build([entry], [dense(graph, entry, dtype=x, weights=w)]))
    assert says in error.what and "FULLY_CONNECTED" in error.why and helps in error.hint


@pytest.mark.parametrize("engine", ["microtvm", "tflm"])
def test_all_obstacles_are_named_at_once_before_anything_is_compiled(engine: str) -> None:
    """A float model with a custom operator, a batch, an unknown size and 64-bit indices."""
    graph = TinyTflite()
    entry = graph.tensor("images", (3, 8, 8, 1), "float32")
    other = graph.tensor("other", (0, 5), "float32")
    w = graph.tensor("w", (2, 3, 3, 1), "float32", data=np.ones((2, 3, 3, 1)))
    bias = graph.tensor("b", (2,), "float32", data=np.ones(2))
    y, top, boxes = graph.tensor("y", (3, 8, 8, 2), "float32"), graph.tensor("top", (1,), "int64"), graph.tensor("boxes", (1, 4), "float32")
    conv(graph, entry, w, bias, y, padding="SAME", strides=(1, 1))
    graph.op(OP.ARG_MAX, [y], [top])
    graph.op(OP.CUSTOM, [y, other], [boxes])
    error = refusal(engine, graph.build([entry, other], [boxes, top]))
    lines = error.why.splitlines()
    assert error.what == f"{len(lines)} things stand in the way of compiling the model"
    for number, words in enumerate(("float model", "custom operator", "size of tensor 'other'", "3 images at once", "int64 tensor 'top'")):
        assert sum(words in line for line in lines) == 1, (number, words)
    for helps in ("TFLITE_BUILTINS_INT8", "allow_custom_ops", "batch_size=1", "output_type=tf.int32"):
        assert helps in error.hint
    if engine == "tflm":
        assert "operator ARG_MAX is not supported" in error.why


def test_what_an_engine_says_of_single_operators_stands_with_the_rest() -> None:
    graph = TinyTflite()
    x = graph.tensor("in", (1, 6), scale=0.1)
    y, loud = dense(graph, x, scale=1e-30), graph.tensor("loud", (1, 4), scale=0.1)
    graph.op(OP.SELECT_V2, [y], [loud])
    error = refusal("microtvm", graph.build([x], [loud]))
    assert isinstance(error, UnsupportedOpError)
    assert "factor of 1e+27" in error.why and "SELECT_V2" in error.why


def test_weights_that_no_flash_holds_are_found_before_the_compiler_runs() -> None:
    graph = TinyTflite()
    x = graph.tensor("in", (1, 1100), scale=0.1)
    data = graph.build([x], [dense(graph, x, units=2000)])
    assert "2,200,000 bytes" in refusal("microtvm", data).what
    assert file_obstacles(data, flash_bytes=1 << 22) == ()


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), -1.0])
def test_a_scale_that_is_no_positive_number_is_named_with_its_tensor(scale: float) -> None:
    graph = TinyTflite()
    x = graph.tensor("in", (1, 6), scale=0.1)
    error = refusal("microtvm", graph.build([x], [dense(graph, x, scale=scale)]))
    assert "tensor 'y' has a scale" in error.what and "quantise" in error.hint


def test_a_long_list_is_cut_and_names_cannot_break_a_line() -> None:
    graph = TinyTflite()
    tensors = [graph.tensor(f"t{i}\n\x1b[2J", (1, 6), scale=-1.0) for i in range(40)]
    error = refusal("microtvm", graph.build([tensors[0]], [tensors[1]]))
    assert "and 28 more" in error.why and len(error.why.splitlines()) == 13
    assert "\x1b" not in str(error)


def test_damaged_files_are_errors_of_the_file_and_never_of_python() -> None:
    sound = bytearray(small_model())
    rng = np.random.default_rng(5)
    for _ in range(300):
        broken = bytearray(sound)
        for at in rng.integers(0, len(broken), 3):
            broken[at] = rng.integers(0, 256)
        broken[4:8] = b"TFL3"
        cut: Any = bytes(broken[: rng.integers(9, len(broken) + 1)])
        try:
            checked_ends("tflm", cut)
        except ModelError as error:
            assert re.search(r"\w", error.what)
