# SPDX-License-Identifier: Apache-2.0
"""One shift for all channels gives what the channels' own shifts give."""

from __future__ import annotations

import numpy as np
import pytest

from cm4tiny.firmware.kernels.int16.requant import Int16Requant, plan_int16
from cm4tiny.firmware.kernels.int16.uniform import plan_uniform
from cm4tiny.firmware.kernels.quant import Multiplier, requantize


def relu_plan(weights: np.ndarray, bias: np.ndarray, multipliers: list[Multiplier]) -> Int16Requant:
    return plan_int16(weights, bias, multipliers, input_zero_point=-128, output_zero_point=-128, low=-128, high=127)


@pytest.mark.parametrize("seed", range(6))
def test_every_accumulator_near_a_tie_gets_the_same_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    channels = 8
    weights = rng.integers(-127, 128, (channels, 9)).astype(np.int8)
    bias = rng.integers(-20000, 20000, channels).astype(np.int32)
    multipliers = [Multiplier(int(rng.integers(1 << 30, 1 << 31)), -int(rng.integers(5, 11))) for _ in range(channels)]
    requant = relu_plan(weights, bias, multipliers)
    plan = plan_uniform(weights, requant)
    assert plan is not None
    for c, m in enumerate(multipliers):
        ties = (np.arange(-4, 260) + 0.5) * 2.0 ** (31 - m.shift) / m.mantissa
        acc = np.unique(
            np.concatenate([np.round(ties).astype(np.int64) + i for i in range(-2, 3)] + [rng.integers(-300_000, 300_000, 2000)])
        )
        expected = np.array([min(max(requantize(int(a), m), 0), 255) for a in acc])
        columns = np.zeros((len(acc), channels), np.int64)
        columns[:, c] = acc * plan.scale[c]
        np.testing.assert_array_equal(plan.apply(columns)[:, c], expected)
        columns[:, c] = 2 * acc
        np.testing.assert_array_equal(requant.apply(columns)[:, c], expected)


def test_a_constant_channel_keeps_its_constant() -> None:
    weights = np.ones((3, 9), np.int8)
    bias = np.array([1 << 30, 100, -(1 << 30)], np.int32)
    multipliers = [Multiplier(1 << 30, -1), Multiplier(1 << 30, -8), Multiplier(1 << 30, -1)]
    requant = relu_plan(weights, bias, multipliers)
    plan = plan_uniform(weights, requant)
    assert plan is not None
    values = plan.apply(np.zeros((1, 3), np.int64) + plan.bias.astype(np.int64))
    np.testing.assert_array_equal(values, requant.apply(requant.bias[None].astype(np.int64)))
    assert values[0, 0] == 255
    assert values[0, 2] == 0


def test_a_channel_with_a_tiny_factor_gets_a_shorter_mantissa() -> None:
    weights = np.full((2, 9), 127, np.int8)
    bias = np.array([0, 9 << 19], np.int32)
    multipliers = [Multiplier((1 << 30) + 5, -3), Multiplier((1 << 30) + 77777, -19)]
    requant = relu_plan(weights, bias, multipliers)
    plan = plan_uniform(weights, requant)
    assert plan is not None
    acc = bias[1] + np.arange(-255 * 9 * 127, 255 * 9 * 127, 1)
    scaled = np.stack([acc * 0, plan.bias[1] + (acc - bias[1]) * plan.scale[1]], axis=1)
    expected = requant.apply(np.stack([acc * 0, 2 * acc], axis=1))
    assert len(set(expected[:, 1])) > 1
    np.testing.assert_array_equal(plan.apply(scaled)[:, 1], expected[:, 1])


def test_shifts_too_far_apart_have_no_uniform_plan() -> None:
    weights = np.full((2, 9), 127, np.int8)
    multipliers = [Multiplier((1 << 30) + 5, -1), Multiplier((1 << 30) + 77777, -18)]
    bias = np.array([0, (1 << 23) - 5000], np.int32)
    assert plan_uniform(np.repeat(weights, 64, axis=1), relu_plan(np.repeat(weights, 64, axis=1), bias, multipliers)) is None


def test_a_sum_that_would_not_fit_has_no_uniform_plan() -> None:
    weights = np.full((2, 4096), 64, np.int8)
    multipliers = [Multiplier((1 << 30) + 5, -12), Multiplier((1 << 30) + 5, -6)]
    requant = relu_plan(weights, np.zeros(2, np.int32), multipliers)
    assert plan_uniform(weights, requant) is None


def test_a_linear_layer_has_no_uniform_plan() -> None:
    weights = np.ones((1, 9), np.int8)
    bias = np.zeros(1, np.int32)
    requant = plan_int16(weights, bias, [Multiplier(1 << 30, -8)], input_zero_point=0, output_zero_point=3, low=-128, high=127)
    assert plan_uniform(weights, requant) is None
