# SPDX-License-Identifier: Apache-2.0
"""Fully connected layers on int16 tensors: the assembly on the emulated core, its portable version and TFLite's rule give the same bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.int16_layers import Int16Layer, fill, images, int16_layer, interior, untouched_border
from support.micro_runner import run_host, run_target

from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.dense import candidates, shared_shift
from cm4tiny.firmware.kernels.int16.requant import plan_int16
from cm4tiny.firmware.kernels.int16.storage import nhwc
from cm4tiny.firmware.kernels.quant import Multiplier

SHAPES = [
    (128, 24, True),
    (128, 16, False),
    (640, 8, True),
    (8, 128, True),
    (64, 12, False),
    (256, 2, False),
    (127, 5, True),
    (1, 1, False),
    (3, 7, True),
]


@pytest.mark.parametrize(("inputs", "outputs", "relu"), SHAPES)
def test_assembly_portable_and_reference_agree(inputs: int, outputs: int, relu: bool) -> None:
    rng = np.random.default_rng(inputs + outputs)
    layer = int16_layer(rng, Window(1, 1, inputs, (1, 1), (1, 1)), outputs, relu=relu)
    source, target = nhwc(1, 1, inputs), nhwc(1, 1, outputs)
    found = candidates(1, layer.weights.reshape(outputs, inputs), layer.requant, source, target)
    assert len(found) >= 2
    for candidate in found:
        kernel = candidate.make()
        for i, image in enumerate(images(rng, layer)):
            cells = fill(source, image)
            host = run_host(kernel, cells, cells=target.elements).buffers[0]
            np.testing.assert_array_equal(interior(target, host), layer.expected(image), err_msg=candidate.id)
            assert untouched_border(target, host)
            if i < 2:
                core = run_target(kernel, cells, cells=target.elements, strict=i == 0)
                np.testing.assert_array_equal(core.buffers[0], host, err_msg=candidate.id)
        assert max(f.loop_bytes for f in kernel.code) <= ICACHE_BYTES
        assert abs(core.cycles - candidate.cycles) < 0.1 * core.cycles + 200, (candidate.id, core.cycles, candidate.cycles)


@pytest.mark.parametrize(("inputs", "outputs", "relu", "bias"), [(128, 24, True, 3000), (64, 13, False, 3000), (27, 6, True, 9_000_000)])
def test_channels_that_share_one_factor(inputs: int, outputs: int, relu: bool, bias: int) -> None:
    """Large biases leave no room in merged sums: then each channel has its own again."""
    rng = np.random.default_rng(inputs)
    layer = one_factor(int16_layer(rng, Window(1, 1, inputs, (1, 1), (1, 1)), outputs, relu=relu, bias=bias))
    source, target = nhwc(1, 1, inputs), nhwc(1, 1, outputs)
    flat = layer.weights.reshape(outputs, inputs)
    assert shared_shift(flat, layer.requant, merged=False) == 8
    assert shared_shift(flat, layer.requant, merged=True) == (0 if bias > 1 << 23 else 15 if relu else 8)
    for candidate in candidates(1, flat, layer.requant, source, target):
        kernel = candidate.make()
        for i, image in enumerate(images(rng, layer)):
            cells = fill(source, image)
            host = run_host(kernel, cells, cells=target.elements).buffers[0]
            np.testing.assert_array_equal(interior(target, host), layer.expected(image), err_msg=candidate.id)
            if i < 2:
                core = run_target(kernel, cells, cells=target.elements, strict=i == 0)
                np.testing.assert_array_equal(core.buffers[0], host, err_msg=candidate.id)
        assert abs(core.cycles - candidate.cycles) < 0.1 * core.cycles + 200, (candidate.id, core.cycles, candidate.cycles)


def test_channels_with_factors_of_their_own_share_nothing() -> None:
    layer = int16_layer(np.random.default_rng(0), Window(1, 1, 64, (1, 1), (1, 1)), 8, relu=True)
    assert shared_shift(layer.weights.reshape(8, 64), layer.requant, merged=False) == 0


def one_factor(layer: Int16Layer) -> Int16Layer:
    """The same layer with one factor for all channels, as FULLY_CONNECTED layers have it."""
    multipliers = (Multiplier(1_500_000_001, -8),) * len(layer.weights)
    zeros = {"input_zero_point": layer.input_zero_point, "output_zero_point": layer.output_zero_point}
    requant = plan_int16(layer.weights.reshape(len(layer.weights), -1), layer.bias, multipliers, **zeros, low=-128, high=127)
    return replace(layer, multipliers=multipliers, requant=requant)


def test_outputs_may_lie_far_apart() -> None:
    rng = np.random.default_rng(3)
    layer = int16_layer(rng, Window(1, 1, 16, (1, 1), (1, 1)), 6, relu=True)
    source, target = nhwc(1, 1, 16), nhwc(1, 1, 6, (1, 1, 1, 1))
    candidate = candidates(1, layer.weights.reshape(6, 16), layer.requant, source, target)[0]
    image = images(rng, layer)[0]
    core = run_target(candidate.make(), fill(source, image), cells=target.elements).buffers[0]
    np.testing.assert_array_equal(interior(target, core), layer.expected(image))
    assert untouched_border(target, core)


def test_several_vectors_are_a_convolution() -> None:
    rng = np.random.default_rng(4)
    layer = int16_layer(rng, Window(5, 1, 16, (1, 1), (1, 1)), 6, relu=False)
    source, target = nhwc(5, 1, 16), nhwc(5, 1, 6)
    found = candidates(5, layer.weights.reshape(6, 16), layer.requant, source, target)
    image = images(rng, layer)[0]
    core = run_target(found[0].make(), fill(source, image), cells=target.elements).buffers[0]
    np.testing.assert_array_equal(interior(target, core), layer.expected(image))


@pytest.mark.parametrize(("inputs", "outputs", "most"), [(128, 128, 1.31), (640, 128, 1.24)])
def test_layers_of_the_anomaly_detector_stay_below_their_documented_cost(inputs: int, outputs: int, most: float) -> None:
    rng = np.random.default_rng(0)
    weights = np.clip(rng.normal(0, 30, (outputs, 1, 1, inputs)), -127, 127).astype(np.int8)
    layer = int16_layer(rng, Window(1, 1, inputs, (1, 1), (1, 1)), outputs, relu=True, weights=weights)
    source, target = nhwc(1, 1, inputs), nhwc(1, 1, outputs)
    best = candidates(1, layer.weights.reshape(outputs, inputs), layer.requant, source, target)[0]
    assert best.ram_bytes < 0.6 * 2 * inputs * outputs + 16 * outputs
    run = run_target(best.make(), fill(source, images(rng, layer)[0]), cells=target.elements, strict=False, runs=2)
    assert run.cycles / (inputs * outputs) < most
