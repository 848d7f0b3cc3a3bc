# SPDX-License-Identifier: Apache-2.0
"""Every operator against TFLite's reference kernels, on small models built by hand: shapes, strides, paddings, scales and zero points
are drawn at random, and so are the cases that official models only touch at the edges."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import tiny_tflite as tt
from host_model import corner_inputs, host_model

from cm4tiny.firmware.reference import reference_run

CASES = settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
                 phases=[Phase.explicit, Phase.generate])  # fmt: skip
zero_points = st.one_of(st.sampled_from([-128, 127, 0]), st.integers(-128, 127))
activations = st.sampled_from(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
paddings = st.sampled_from(["SAME", "VALID"])
scales = st.floats(2**-9, 1.5, width=32)
seeds = st.integers(0, 2**32 - 1)


def assert_same_as_reference(model: bytes, size: int, *, count: int = 6) -> None:
    inputs = corner_inputs(size, count)
    np.testing.assert_array_equal(host_model(model).run(inputs), reference_run(model, inputs.reshape(-1, size)))


def weights_and_bias(rng: np.random.Generator, shape: tuple[int, ...], channels: int, *, big_bias: bool) -> tuple[np.ndarray, np.ndarray]:
    weights = rng.integers(-127, 128, shape)
    limit = 2**30 if big_bias else 20_000
    return weights, rng.integers(-limit, limit + 1, channels)


def weight_scales(rng: np.random.Generator, channels: int, *, per_channel: bool, extreme: bool) -> list[float] | float:
    if not per_channel:
        return float(np.float32(rng.uniform(1e-4, 0.02)))
    values = rng.uniform(1e-4, 0.02, channels)
    if extreme:  # multipliers of 0, of less than 2**-31, and just above
        values[rng.random(channels) < 0.4] *= float(rng.choice([1e-12, 1e-8, 1e-6]))
    return [float(np.float32(v)) for v in values]


@st.composite
def images(draw: st.DrawFn) -> tuple[int, int, int]:
    return draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(1, 9))


@st.composite
def windows(draw: st.DrawFn) -> dict[str, object]:
    height, width, channels = draw(images())
    padding = draw(paddings)
    limit = (height, width) if padding == "VALID" else (5, 5)
    kernel = draw(st.integers(1, limit[0])), draw(st.integers(1, limit[1]))
    strides = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    return {"x": (height, width, channels), "kernel": kernel, "strides": strides, "padding": padding}


def output_size(w: dict, dilation: tuple[int, int] = (1, 1)) -> tuple[int, int]:
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, w["kernel"], strict=True)]
    if w["padding"] == "SAME":
        return tuple(-(-n // s) for n, s in zip(w["x"][:2], w["strides"], strict=True))
    return tuple((n - r) // s + 1 for n, r, s in zip(w["x"][:2], reach, w["strides"], strict=True))


def conv_model(w: dict, outputs: int, rng: np.random.Generator, *, zx: int, zy: int, activation: str, per_channel: bool, extreme: bool,
               dilation: tuple[int, int] = (1, 1), depthwise: int = 0, out_scale: float | None = None) -> bytes:  # fmt: skip
    height, width, channels = w["x"]
    g = tt.TinyTflite()
    x = g.tensor("x", (1, height, width, channels), "int8", 0.05, zx)
    shape = (1, *w["kernel"], outputs) if depthwise else (outputs, *w["kernel"], channels)
    values, offsets = weights_and_bias(rng, shape, outputs, big_bias=extreme)
    ws = weight_scales(rng, outputs, per_channel=per_channel, extreme=extreme)
    weight = g.tensor("w", shape, "int8", ws, axis=3 if depthwise and per_channel else 0, data=values)
    bias_scale = [0.05 * s for s in ws] if isinstance(ws, list) else 0.05 * ws
    b = g.tensor("b", (outputs,), "int32", bias_scale, data=offsets)
    scale = out_scale or float(np.float32(0.05 * 0.01 * 74 * np.sqrt(np.prod(shape) / outputs) * rng.uniform(0.3, 3)))
    y = g.tensor("y", (1, *output_size(w, dilation), outputs), "int8", scale, zy)
    options = {"padding": w["padding"], "strides": w["strides"], "activation": activation, "dilation": dilation}
    if depthwise:
        tt.depthwise(g, x, weight, b, y, multiplier=depthwise, **options)
    else:
        tt.conv(g, x, weight, b, y, **options)
    return g.build([x], [y])


@CASES
@given(windows(), st.integers(1, 9), seeds, zero_points, zero_points, activations, st.booleans(), st.booleans())
def test_a_convolution_equals_the_reference(w, outputs, seed, zx, zy, activation, per_channel, extreme):
    model = conv_model(w, outputs, np.random.default_rng(seed), zx=zx, zy=zy, activation=activation, per_channel=per_channel,
                       extreme=extreme)  # fmt: skip
    assert_same_as_reference(model, int(np.prod(w["x"])))


@CASES
@given(windows(), seeds, zero_points, zero_points, activations, st.booleans(), st.booleans(), st.sampled_from([1, 1, 1, 2, 3]))
def test_a_depthwise_convolution_equals_the_reference(w, seed, zx, zy, activation, per_channel, extreme, multiplier):
    model = conv_model(w, w["x"][2] * multiplier, np.random.default_rng(seed), zx=zx, zy=zy, activation=activation,
                       per_channel=per_channel, extreme=extreme, depthwise=multiplier)  # fmt: skip
    assert_same_as_reference(model, int(np.prod(w["x"])))


@settings(CASES, max_examples=12)
@given(seeds, st.integers(1, 3), st.integers(1, 3), paddings, st.booleans())
def test_a_dilated_convolution_equals_the_reference(seed, dy, dx, padding, depthwise):
    w = {"x": (9, 8, 3), "kernel": (3, 2), "strides": (1, 1), "padding": padding}
    model = conv_model(w, 3, np.random.default_rng(seed), zx=5, zy=-3, activation="RELU", per_channel=True, extreme=False,
                       dilation=(dy, dx), depthwise=int(depthwise))  # fmt: skip
    assert_same_as_reference(model, 9 * 8 * 3)


@settings(CASES, max_examples=12)
@given(seeds, st.sampled_from([1e-7, 1e-5, 1e-4]), st.booleans())
def test_a_multiplier_above_one_equals_the_reference(seed, out_scale, depthwise):
    """Output scales far below the products: the shift goes to the left and results saturate."""
    w = {"x": (3, 4, 4), "kernel": (2, 2), "strides": (1, 1), "padding": "SAME"}
    model = conv_model(w, 4, np.random.default_rng(seed), zx=0, zy=1, activation="NONE", per_channel=True, extreme=False,
                       depthwise=int(depthwise), out_scale=out_scale)  # fmt: skip
    assert_same_as_reference(model, 48)


def test_the_streaming_wakeword_shapes_equal_the_reference():
    for height, kernel, channels in ((30, 3, 40), (28, 5, 128), (15, 15, 128)):
        w = {"x": (height, 1, channels), "kernel": (kernel, 1), "strides": (1, 1), "padding": "VALID"}
        model = conv_model(w, channels, np.random.default_rng(kernel), zx=-128, zy=3, activation="NONE", per_channel=True, extreme=False,
                           depthwise=1)  # fmt: skip
        assert_same_as_reference(model, height * channels, count=2)


@CASES
@given(st.integers(1, 40), st.integers(1, 13), st.integers(1, 3), seeds, zero_points, zero_points, activations, st.booleans())
def test_a_fully_connected_layer_equals_the_reference(inputs, outputs, rows, seed, zx, zy, activation, bias):
    rng = np.random.default_rng(seed)
    g = tt.TinyTflite()
    input_scale = float(np.float32(rng.uniform(0.001, 0.5)))
    x = g.tensor("x", (rows, inputs), "int8", input_scale, zx)
    values, offsets = weights_and_bias(rng, (outputs, inputs), outputs, big_bias=bool(rng.random() < 0.2))
    scale = float(np.float32(rng.uniform(1e-4, 0.05)))
    w = g.tensor("w", (outputs, inputs), "int8", scale, data=values)
    b = g.tensor("b", (outputs,), "int32", scale * input_scale, data=offsets) if bias else None
    y = g.tensor("y", (rows, outputs), "int8", float(np.float32(rng.uniform(0.001, 1))), zy)
    tt.fully_connected(g, x, w, b, y, activation=activation)
    assert_same_as_reference(g.build([x], [y]), rows * inputs, count=20)


@CASES
@given(st.integers(1, 30), scales, scales, scales, zero_points, zero_points, zero_points, activations, st.booleans())
def test_an_addition_equals_the_reference(count, sa, sb, sy, za, zb, zy, activation, same):
    """The second operand is the first one through a 1x1 depthwise convolution, for a model with one input."""
    g = tt.TinyTflite()
    a = g.tensor("a", (1, 1, 2, count), "int8", sa, za)
    one = g.tensor("one", (1, 1, 1, count), "int8", 0.0078125, data=np.full((1, 1, 1, count), -77))
    b = g.tensor("b", (1, 1, 2, count), "int8", sa if same else sb, zb)
    y = g.tensor("y", (1, 1, 2, count), "int8", sy, zy)
    tt.depthwise(g, a, one, None, b, padding="VALID", strides=(1, 1))
    tt.add(g, a, b, y, activation=activation)
    assert_same_as_reference(g.build([a], [y]), 2 * count, count=30)


@CASES
@given(windows(), zero_points, activations)
def test_an_average_pool_equals_the_reference(w, zp, activation):
    g = tt.TinyTflite()
    x = g.tensor("x", (1, *w["x"]), "int8", 0.05, zp)
    y = g.tensor("y", (1, *output_size(w), w["x"][2]), "int8", 0.05, zp)
    tt.average_pool(g, x, y, size=w["kernel"], strides=w["strides"], padding=w["padding"], activation=activation)
    assert_same_as_reference(g.build([x], [y]), int(np.prod(w["x"])), count=10)


@CASES
@given(st.integers(1, 60), st.integers(1, 3), st.floats(-12, 6), zero_points)
def test_a_softmax_equals_the_reference(count, rows, log_scale, zp):
    g = tt.TinyTflite()
    x = g.tensor("x", (rows, count), "int8", float(np.float32(2.0**log_scale)), zp)
    y = g.tensor("y", (rows, count), "int8", 1 / 256, -128)
    tt.softmax(g, x, y)
    assert_same_as_reference(g.build([x], [y]), rows * count, count=60)


@pytest.mark.parametrize("count", [510, 511])
def test_the_longest_softmax_of_equal_values_equals_the_reference(count):
    g = tt.TinyTflite()
    x = g.tensor("x", (1, count), "int8", 0.1, 0)
    y = g.tensor("y", (1, count), "int8", 1 / 256, -128)
    tt.softmax(g, x, y)
    assert_same_as_reference(g.build([x], [y]), count)


@pytest.mark.parametrize("shape", [(1, 12), (1, -1)])
def test_a_reshape_alone_copies_its_input(shape):
    g = tt.TinyTflite()
    x = g.tensor("x", (1, 2, 3, 2), "int8", 0.1, 4)
    y = g.tensor("y", (1, 12), "int8", 0.1, 4)
    tt.reshape(g, x, y, shape)
    assert_same_as_reference(g.build([x], [y]), 12)


@settings(CASES, max_examples=8)
@given(seeds)
def test_a_small_residual_network_equals_the_reference(seed):
    """Several layers at once: the memory plan must keep a skipped tensor alive."""
    rng = np.random.default_rng(seed)
    g = tt.TinyTflite()
    shape = (1, 5, 5, 6)
    x = g.tensor("x", shape, "int8", 0.05, -4)
    tensors = [x]
    for i in range(3):
        w = g.tensor(f"w{i}", (6, 3, 3, 6), "int8", 0.01, data=rng.integers(-127, 128, (6, 3, 3, 6)))
        b = g.tensor(f"b{i}", (6,), "int32", 0.0005, data=rng.integers(-999, 999, 6))
        y = g.tensor(f"y{i}", shape, "int8", 0.2, int(rng.integers(-128, 128)))
        tt.conv(g, tensors[-1], w, b, y, padding="SAME", strides=(1, 1), activation="RELU")
        total = g.tensor(f"s{i}", shape, "int8", 0.1, int(rng.integers(-128, 128)))
        tt.add(g, tensors[0], y, total)
        tensors.append(total)
    pooled = g.tensor("pooled", (1, 1, 1, 6), "int8", 0.1, g.tensors[tensors[-1]].zero_points[0])
    tt.average_pool(g, tensors[-1], pooled, size=(5, 5), strides=(5, 5))
    flat = g.tensor("flat", (1, 6), "int8", 0.1, g.tensors[tensors[-1]].zero_points[0])
    tt.reshape(g, pooled, flat, (1, 6))
    logits, result = g.tensor("logits", (1, 3), "int8", 0.1, 3), g.tensor("result", (1, 3), "int8", 1 / 256, -128)
    tt.fully_connected(g, flat, g.tensor("fw", (3, 6), "int8", 0.01, data=rng.integers(-127, 128, (3, 6))), None, logits)
    tt.softmax(g, logits, result)
    assert_same_as_reference(g.build([x], [result]), 150, count=20)
