# SPDX-License-Identifier: Apache-2.0
"""The door of the compiler: what it lets in, and what it says when it does not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))

import tflite
import tiny_tflite as tt

from cm4tiny.errors import ModelError, UnsupportedOpError
from cm4tiny.firmware.microtvm import compile_model
from cm4tiny.firmware.microtvm.importer import check_model


def conv_graph(*, x_type="int8", w_type="int8", channels=2, depth=2, output=(1, 4, 4, 3), scale=0.1, bias_type="int32", batch=1,
               activation="NONE", w_zero=0) -> bytes:  # fmt: skip
    g = tt.TinyTflite()
    quantised = {"scale": scale} if x_type == "int8" else {}
    x = g.tensor("image", (batch, 4, 4, channels), x_type, zero_point=1, **quantised)
    w = g.tensor("filter", (3, 3, 3, depth), w_type, [0.01, 0.02, 0.03], w_zero, data=np.ones((3, 3, 3, depth)))
    b = g.tensor("bias", (3,), bias_type, [0.001, 0.002, 0.003], data=np.zeros(3))
    y = g.tensor("features", output, x_type, zero_point=-5, **quantised)
    tt.conv(g, x, w, b, y, padding="SAME", strides=(1, 1), activation=activation)
    return g.build([x], [y])


GOOD = conv_graph()


def test_a_good_model_reports_its_input_and_output():
    entry, result = check_model(GOOD)
    assert (entry.shape, entry.dtype, entry.zero_point, entry.size) == ((1, 4, 4, 2), "int8", 1, 32)
    assert (result.shape, result.zero_point, result.size) == ((1, 4, 4, 3), -5, 48)
    assert entry.scale == float(np.float32(0.1))


@pytest.mark.parametrize("data", [b"", b"TFL3", b"not a model at all, but long enough", b"\x7fELF" + bytes(100)])
def test_bytes_that_are_no_model_are_refused(data):
    with pytest.raises(ModelError, match=r"not a \.tflite model"):
        check_model(data)


@pytest.mark.parametrize("length", [8, 20, 100, len(GOOD) // 2, len(GOOD) - 40])
def test_a_truncated_model_is_refused(length):
    with pytest.raises(ModelError):
        check_model(GOOD[:length])


@pytest.mark.parametrize(("x_type", "w_type", "text"), [
    ("float32", "float32", "the model is a float model: its input 'image' is float32"),
    ("float32", "int8", "quantised in its weights only"),
    ("int16", "int8", "16-bit activations"),
    ("uint8", "uint8", "quantised to uint8"),
])  # fmt: skip
def test_a_model_of_another_scheme_is_called_by_its_name(x_type, w_type, text):
    with pytest.raises(ModelError, match=text) as caught:
        check_model(conv_graph(x_type=x_type, w_type=w_type))
    assert "full integer quantisation" in caught.value.hint


def test_float_and_uint8_edges_become_the_int8_tensors_that_stand_for_them():
    g = tt.TinyTflite()
    x, q, y = g.tensor("x", (1, 8), "float32"), g.tensor("q", (1, 8), "int8", 0.1, 5), g.tensor("y", (1, 8), "uint8", 0.1, 133)
    g.op(tflite.BuiltinOperator.QUANTIZE, [x], [q])
    g.op(tflite.BuiltinOperator.QUANTIZE, [q], [y])
    entry, result = check_model(g.build([x], [y]))
    assert (entry.dtype, entry.scale, entry.zero_point) == ("int8", float(np.float32(0.1)), 5)
    assert (result.dtype, result.scale, result.zero_point) == ("int8", float(np.float32(0.1)), 5)


def test_float_arithmetic_inside_a_model_is_refused():
    g = tt.TinyTflite()
    x, f, y = g.tensor("x", (1, 8), "int8", 0.1), g.tensor("f", (1, 8), "float32"), g.tensor("y", (1, 8), "int8", 0.1)
    g.op(tflite.BuiltinOperator.DEQUANTIZE, [x], [f])
    g.op(tflite.BuiltinOperator.QUANTIZE, [f], [y])
    with pytest.raises(UnsupportedOpError, match="DEQUANTIZE of float32 tensor 'f': it is not the model's output"):
        check_model(g.build([x], [y]))


def test_everything_in_the_way_of_a_model_is_named_at_once_with_tensor_and_reason():
    g = tt.TinyTflite()
    x, a, b, c, y = (g.tensor(n, (1, 8), "int8", 0.1) for n in "xabcy")
    g.op(tflite.BuiltinOperator.WHILE, [x], [a, b])
    g.op(tflite.BuiltinOperator.RELU, [b], [c])  # follows from the first: not named
    g.op(tflite.BuiltinOperator.TANH, [x], [y])
    with pytest.raises(UnsupportedOpError, match="2 things stand in the way of compiling the model") as caught:
        check_model(g.build([x], [y]))
    first, second = caught.value.obstacles
    assert first == "operator WHILE is not supported: int8 tensor 'x' -> 'a'"
    assert second == "TANH of int8 tensor 'y': its output scale is not 1/128 with zero point 0"
    assert all(part in caught.value.why for part in (first, second, "TFLite has no other"))
    assert "docs/reference/operators.md" in caught.value.hint


def test_an_input_that_is_left_out_is_not_damage():
    g = tt.TinyTflite()
    x, y = g.tensor("x", (1, 4), "int8", 0.1), g.tensor("y", (1, 2), "int8", 0.1)
    w = g.tensor("w", (2, 4), "int8", 0.1, data=np.ones((2, 4)))
    tt.fully_connected(g, x, w, None, y)
    g.ops[0][1][1:2] = [-1, w]
    with pytest.raises(UnsupportedOpError, match="leaves out its input 1"):
        check_model(g.build([x], [y]))


def test_a_quantised_dimension_without_a_meaning_is_ignored():
    g = tt.TinyTflite()
    x = g.tensor("x", (1, 4, 4, 1), "int8", 0.1)
    w = g.tensor("w", (1, 3, 3, 1), "int8", [0.01], axis=3, data=np.ones((1, 3, 3, 1)))  # one channel, as Keras exports it
    b = g.tensor("b", (1,), "int32", [0.001], axis=3, data=np.zeros(1))
    y = g.tensor("y", (1, 4, 4, 1), "int8", 0.1)
    tt.depthwise(g, x, w, b, y, padding="SAME", strides=(1, 1))
    assert compile_model(g.build([x], [y])).output.size == 16


def test_tensors_may_share_a_name_or_have_none():
    g = tt.TinyTflite()
    x, a, y = g.tensor("", (1, 2, 4, 1), "int8", 0.1), g.tensor("t", (1, 8), "int8", 0.1), g.tensor("t", (1, 4, 2, 1), "int8", 0.1)
    tt.reshape(g, x, a, (1, 8))
    tt.reshape(g, a, y, (1, 4, 2, 1))
    assert compile_model(g.build([x], [y])).output.shape == (1, 4, 2, 1)


def test_an_unknown_operator_is_named_with_type_and_tensor():
    g = tt.TinyTflite()
    x, y = g.tensor("sound", (1, 8), "int8", 0.1), g.tensor("loud", (1, 8), "int8", 0.1)
    g.op(tflite.BuiltinOperator.LOG_SOFTMAX, [x], [y])
    with pytest.raises(UnsupportedOpError, match="LOG_SOFTMAX is not supported: int8 tensor 'sound' -> 'loud'"):
        check_model(g.build([x], [y]))


def test_float_weights_are_named_with_operator_and_tensor():
    with pytest.raises(UnsupportedOpError, match=r"CONV_2D of int8 tensor 'features': its weights 'filter' are float32"):
        check_model(conv_graph(w_type="float32"))


@pytest.mark.parametrize(("change", "text"), [
    ({"depth": 1}, "take 1 of 2 channels"),
    ({"batch": 2, "output": (2, 4, 4, 3)}, "2 images"),
    ({"w_zero": 3}, "zero point 0"),
    ({"bias_type": "int8"}, "bias 'bias' is int8"),
])  # fmt: skip
def test_an_unsupported_form_of_an_operator_is_refused(change, text):
    with pytest.raises(UnsupportedOpError, match=text):
        check_model(conv_graph(**change))


def test_an_output_shape_that_contradicts_the_inputs_is_refused():
    with pytest.raises(ModelError, match="output shape"):
        check_model(conv_graph(output=(1, 4, 5, 3)))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_an_impossible_scale_is_refused(scale):
    with pytest.raises(ModelError, match="scale"):
        check_model(conv_graph(scale=scale))


def test_a_missing_scale_is_refused():
    g = tt.TinyTflite()
    x, y = g.tensor("x", (1, 8), "int8"), g.tensor("y", (1, 8), "int8", 1 / 256, -128)
    tt.softmax(g, x, y)
    with pytest.raises(ModelError, match="'x' has no usable scale"):
        check_model(g.build([x], [y]))


def test_a_softmax_with_another_beta_is_refused():
    g = tt.TinyTflite()
    x, y = g.tensor("x", (1, 8), "int8", 0.1), g.tensor("y", (1, 8), "int8", 1 / 256, -128)
    tt.softmax(g, x, y, beta=2.0)
    with pytest.raises(UnsupportedOpError, match="beta"):
        check_model(g.build([x], [y]))


def test_a_softmax_that_overflows_the_reference_is_refused():
    g = tt.TinyTflite()
    x, y = g.tensor("x", (1, 512), "int8", 0.1), g.tensor("y", (1, 512), "int8", 1 / 256, -128)
    tt.softmax(g, x, y)
    with pytest.raises(UnsupportedOpError, match="more than 511"):
        check_model(g.build([x], [y]))


def fully_connected(x_shape, w_shape, y_shape, *, scales=0.01):
    g = tt.TinyTflite()
    x = g.tensor("x", x_shape, "int8", 0.1)
    w = g.tensor("w", w_shape, "int8", scales, data=np.ones(w_shape))
    y = g.tensor("y", y_shape, "int8", 0.1)
    tt.fully_connected(g, x, w, None, y)
    return g.build([x], [y])


def test_a_fully_connected_layer_may_have_a_scale_per_channel_and_take_any_shape_as_vectors():
    check_model(fully_connected((1, 4), (2, 4), (1, 2), scales=(0.01, 0.02)))
    assert check_model(fully_connected((1, 2, 2, 3), (4, 12), (1, 4)))[1].size == 4
    assert check_model(fully_connected((1, 2, 2, 3), (4, 6), (2, 4)))[1].size == 8
    with pytest.raises(ModelError, match="reads 'x' of shape") as caught:
        check_model(fully_connected((1, 2, 2, 3), (4, 5), (2, 4)))
    assert "not whole vectors" in caught.value.why


def test_an_addition_of_shapes_that_do_not_broadcast_is_refused():
    g = tt.TinyTflite()
    a, b, y = g.tensor("a", (1, 4), "int8", 0.1), g.tensor("b", (2, 2), "int8", 0.1), g.tensor("y", (4, 4), "int8", 0.1)
    tt.reshape(g, a, b, (2, 2))
    tt.add(g, a, b, y)
    with pytest.raises(ModelError, match="combines the shapes"):
        check_model(g.build([a], [y]))


def test_an_operator_that_reads_what_nobody_wrote_is_refused():
    g = tt.TinyTflite()
    a, b, y = (g.tensor(n, (1, 4), "int8", 0.1) for n in "aby")
    tt.add(g, a, b, y)
    with pytest.raises(UnsupportedOpError, match="'b' cannot be used"):
        check_model(g.build([a], [y]))


def test_a_tensor_of_impossible_size_is_refused():
    g = tt.TinyTflite()
    x, y = g.tensor("x", (1, 70000, 70000), "int8", 0.1), g.tensor("y", (1, 8), "int8", 0.1)
    tt.reshape(g, x, y, (1, 8))
    with pytest.raises(ModelError, match="too large for a microcontroller"):
        check_model(g.build([x], [y]))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_no_damage_to_the_bytes_gets_past_the_checks_as_anything_but_a_model_error(changes):
    data = bytearray(GOOD)
    for at, value in changes:
        data[at] = value
    try:
        check_model(bytes(data))
    except ModelError as error:
        assert error.what


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD) // 4 - 1), st.sampled_from([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF]))
def test_hostile_offsets_and_lengths_end_in_a_model_error_or_a_checked_model(word, value):
    data = bytearray(GOOD)
    data[4 * word : 4 * word + 4] = value.to_bytes(4, "little")
    try:
        check_model(bytes(data))
    except ModelError as error:
        assert error.what
