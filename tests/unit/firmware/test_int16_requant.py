# SPDX-License-Identifier: Apache-2.0
"""Requantisation of int16 tensors equals TFLite's rule for every accumulator that a layer can produce, or is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cm4tiny.firmware.kernels.int16.requant import Int16Requant, KernelLimitError, plan_int16
from cm4tiny.firmware.kernels.quant import Multiplier, quantize_multiplier, requantize

WEIGHTS = st.lists(st.integers(-127, 127), min_size=1, max_size=12)
FACTORS = st.floats(2.0**-33, 0.49) | st.integers(-24, -2).map(lambda e: 2.0**e)
BIASES = st.integers(-(1 << 20), 1 << 20) | st.sampled_from([1 << 30, -(1 << 30), (1 << 30) - 1, 0])


def plan(weights: list[int], bias: int, factor: float, *, input_zero: int, output_zero: int, relu: bool) -> Int16Requant:
    return plan_int16(
        np.array([weights]), np.array([bias]), [quantize_multiplier(factor)],
        input_zero_point=input_zero, output_zero_point=output_zero, low=output_zero if relu else -128, high=127,
    )  # fmt: skip


def rule(acc: int, factor: float, zero_point: int, low: int) -> int:
    return min(max(requantize(acc, quantize_multiplier(factor)) + zero_point, low), 127) - zero_point


@settings(max_examples=600, deadline=None)
@given(WEIGHTS, BIASES, FACTORS, st.integers(-128, 127), st.integers(-128, 127), st.booleans(), st.randoms(use_true_random=False))
def test_every_accumulator_of_a_planned_layer_gives_tflites_result(weights, bias, factor, input_zero, output_zero, relu, random):
    output_zero = -128 if relu else output_zero
    try:
        found = plan(weights, bias, factor, input_zero=input_zero, output_zero=output_zero, relu=relu)
    except KernelLimitError:
        assume(False)
    w = np.array(weights)
    inputs = [np.full(len(w), v) for v in (-128, 127)] + [np.where(w > 0, 127, -128), np.where(w > 0, -128, 127)]
    inputs += [np.array([random.randint(-128, 127) for _ in weights]) for _ in range(8)]
    for x in inputs:
        dot = int(((x - input_zero) * w).sum())
        stored = found.apply(np.array([2 * dot + int(found.bias[0])]))
        assert stored[0] == rule(dot + bias, factor, output_zero, output_zero if relu else -128)


def test_every_tie_and_its_neighbours_are_right():
    factor = 2.0**-6 * 0.7
    for relu, zero in ((True, -128), (False, -7)):
        found = plan([1], 0, factor, input_zero=0, output_zero=zero, relu=relu)
        acc = np.arange(-40_000, 40_000)
        expected = [rule(int(a), factor, zero, zero if relu else -128) for a in acc]
        np.testing.assert_array_equal(found.apply((2 * acc)[:, None])[:, 0], expected)


def test_a_channel_whose_doubled_sum_overflows_is_proven_constant():
    factor = 1.5 * 2.0**-31
    found = plan([1, -1], 1 << 30, factor, input_zero=3, output_zero=-128, relu=True)
    assert found.mantissa[0] == 0
    assert found.apply(np.array([int(found.bias[0]) + 510]))[0] == rule((1 << 30) + 255, factor, -128, -128) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bias": (1 << 31) - 1}, "overflow"),
        ({"bias": 1 << 30, "factor": 100.5 * 2.0**-30}, "overflow"),
        ({"factor": 3.0}, "1 or more"),
        ({"factor": 0.7, "relu": False, "output_zero": 0}, "1/2 or more"),
    ],
)
def test_what_cannot_be_proven_is_refused_with_a_reason(changes, reason):
    facts = {"weights": [127] * 12, "bias": 0, "factor": 0.01, "input_zero": 0, "output_zero": -128, "relu": True, **changes}
    with pytest.raises(KernelLimitError, match=reason):
        plan(**facts)


def test_a_clamp_inside_the_range_is_refused():
    with pytest.raises(KernelLimitError, match="clamps"):
        plan_int16(np.ones((1, 1)), np.zeros(1), [Multiplier(1 << 30, -3)], input_zero_point=0, output_zero_point=-128, low=-128, high=90)
