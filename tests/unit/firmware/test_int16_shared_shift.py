# SPDX-License-Identifier: Apache-2.0
"""Merged weights with one shift for all channels give what the channels' own shifts give, for every accumulator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cm4tiny.firmware.kernels.int16.requant import Int16Requant, plan_int16
from cm4tiny.firmware.kernels.int16.shared_shift import plan_shared_shift, steps
from cm4tiny.firmware.kernels.int16.weights import MERGED_LIMIT, SPAN, plan_merged
from cm4tiny.firmware.kernels.quant import Multiplier


def relu_plan(weights: np.ndarray, bias: np.ndarray, multipliers: list[Multiplier]) -> Int16Requant:
    return plan_int16(weights, bias, multipliers, input_zero_point=-128, output_zero_point=-128, low=-128, high=127)


def check_every_accumulator(weights: np.ndarray, requant: Int16Requant) -> None:
    plan = plan_merged(weights, requant)
    assert plan is not None
    kept = plan.bias.astype(np.int64)
    kept[::2] = (kept[::2] - kept[1::2]) // 256
    for c in range(len(weights)):
        span = SPAN * int(np.abs(weights[c].astype(np.int64)).sum())
        products = np.arange(-span, span + 1)
        doubled = np.zeros((len(products), len(weights)), np.int64)
        doubled[:, c] = 2 * products + int(requant.bias[c])
        scaled = np.zeros_like(doubled)
        scaled[:, c] = 256 * (products + kept[c])
        assert np.abs(scaled).max() < 1 << 31
        np.testing.assert_array_equal(plan.apply(scaled)[:, c], requant.apply(doubled)[:, c])


@pytest.mark.parametrize("seed", range(4))
def test_every_accumulator_of_channels_with_different_shifts_gets_the_same_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-127, 128, (4, 8)).astype(np.int8)
    multipliers = [Multiplier(int(rng.integers(1 << 30, 1 << 31)), -int(rng.integers(6, 9))) for _ in range(4)]
    check_every_accumulator(weights, relu_plan(weights, rng.integers(-20000, 20000, 4).astype(np.int32), multipliers))


def test_channels_with_tiny_factors_and_large_biases_and_constant_ones() -> None:
    weights = np.full((4, 9), 127, np.int8)
    bias = np.array([0, 9 << 23, 1 << 30, 700], np.int32)
    multipliers = [
        Multiplier((1 << 30) + 5, -8),
        Multiplier((1 << 30) + 77777, -23),
        Multiplier(1 << 30, -1),
        Multiplier((1 << 30) + 9, -9),
    ]
    check_every_accumulator(weights, relu_plan(weights, bias, multipliers))


def test_a_step_is_the_least_accumulator_of_its_value() -> None:
    weights = np.full((1, 9), 100, np.int8)
    requant = relu_plan(weights, np.zeros(1, np.int32), [Multiplier(1_500_000_001, -7)])
    for value, first in enumerate(steps(requant, 0), start=1):
        assert requant.apply(np.array([[2 * first - 2], [2 * first]])).reshape(-1).tolist() == [value - 1, value]


def test_what_does_not_fit_has_no_such_form() -> None:
    weights = np.full((2, 9), 127, np.int8)
    requant = relu_plan(weights, np.zeros(2, np.int32), [Multiplier((1 << 30) + 5, -8)] * 2)
    assert plan_merged(weights[:1], requant) is None
    assert plan_merged(weights, replace(requant, relu=False)) is None
    assert plan_merged(weights, replace(requant, shift=np.array([23, 24], np.int32))) is None
    large = np.full((2, MERGED_LIMIT // SPAN // 127 + 1), 127, np.int8)
    assert plan_merged(large, relu_plan(large, np.zeros(2, np.int32), [Multiplier((1 << 30) + 5, -12)] * 2)) is None


def test_a_mantissa_with_too_few_bits_is_refused() -> None:
    """18 bits for all the 255 steps: no neighbour has each of them where it belongs, wherever one of them is put."""
    weights = np.full((2, 60), 127, np.int8)
    requant = relu_plan(weights, np.zeros(2, np.int32), [Multiplier(1_500_000_001, -8), Multiplier(1_700_000_003, -10)])
    spans = np.full(2, SPAN * 127 * 60)
    assert plan_shared_shift(requant, spans, 8) is not None
    assert plan_shared_shift(replace(requant, shift=np.array([0, 12], np.int32)), spans, 8) is None
