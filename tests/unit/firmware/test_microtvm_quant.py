# SPDX-License-Identifier: Apache-2.0
"""TFLite's integer arithmetic in Python, against the definitions it must satisfy."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm4tiny.firmware.kernels.quant import (
    Multiplier,
    activation_bound,
    convolution_multipliers,
    dense_multiplier,
    high_mul,
    quantize_multiplier,
    requantize,
    round_half_away,
    rounding_shift,
    softmax_table,
)

int32 = st.integers(-(2**31), 2**31 - 1)


@pytest.mark.parametrize(("value", "expected"), [(0.5, 1), (-0.5, -1), (1.5, 2), (2.5, 3), (-2.5, -3), (0.49, 0), (-3.2, -3)])
def test_halves_are_rounded_away_from_zero(value, expected):
    assert round_half_away(value) == expected


@given(st.floats(2.0**-31, 2.0**29))
def test_a_multiplier_is_the_factor_to_31_bits(factor):
    m = quantize_multiplier(factor)
    assert 2**30 <= m.mantissa < 2**31
    assert math.isclose(m.mantissa * 2.0 ** (m.shift - 31), factor, rel_tol=2.0**-30)


def test_a_factor_below_the_smallest_shift_becomes_zero():
    assert quantize_multiplier(2.0**-33) == Multiplier(0, 0)
    assert quantize_multiplier(0.0) == Multiplier(0, 0)
    assert quantize_multiplier(2.0**-32) == Multiplier(2**30, -31)


def test_a_factor_that_rounds_up_to_a_power_of_two_keeps_31_bits():
    assert quantize_multiplier(1.0 - 2.0**-40) == Multiplier(2**30, 1)


def test_a_huge_factor_saturates():
    assert quantize_multiplier(2.0**40) == Multiplier(2**31 - 1, 30)


def test_a_fully_connected_layer_rounds_the_product_of_scales_to_float32():
    a, b, c = (float(np.float32(v)) for v in (0.39101523, 0.00037687499, 0.04945913))
    dense = dense_multiplier(a, b, c)
    conv = convolution_multipliers(a, np.array([b], np.float32), c, 1)[0]
    assert dense.shift == conv.shift
    assert dense.mantissa == quantize_multiplier(float(np.float32(a) * np.float32(b)) / c).mantissa
    assert conv.mantissa == quantize_multiplier(a * b / c).mantissa


def test_one_weight_scale_serves_all_channels():
    assert len(set(convolution_multipliers(0.1, np.array([0.2], np.float32), 0.3, 5))) == 1


@given(int32, st.integers(0, 2**31 - 1))
def test_the_high_multiplication_rounds_to_the_nearest(a, b):
    exact = Fraction(a * b, 2**31)
    assert abs(high_mul(a, b) - exact) <= Fraction(1, 2)


def test_the_high_multiplication_saturates_in_its_only_overflow():
    assert high_mul(-(2**31), -(2**31)) == 2**31 - 1


@given(int32, st.integers(0, 31))
def test_the_rounding_shift_rounds_ties_away_from_zero(x, exponent):
    exact = Fraction(x, 2**exponent)
    away = math.floor(abs(exact) + Fraction(1, 2))
    assert rounding_shift(x, exponent) == (away if x >= 0 else -away)


def test_requantisation_shifts_left_for_factors_above_one():
    assert requantize(100, quantize_multiplier(4.0)) == 400
    assert requantize(-100, quantize_multiplier(0.25)) == -25


@pytest.mark.parametrize(
    ("value", "scale", "zero_point", "expected"), [(6.0, 0.1, -128, -68), (6.0, 2.4, 0, 3), (-1.0, 0.4, 0, -3), (0.0, 0.3, 7, 7)]
)
def test_activation_bounds_round_ties_away_from_zero(value, scale, zero_point, expected):
    assert activation_bound(value, scale, zero_point) == expected


@pytest.mark.parametrize("scale", [0.001, 0.05, 0.14469251, 1.0])
def test_the_softmax_table_is_the_exponential(scale):
    table = softmax_table(scale) / 2.0**31
    for d in range(256):
        expected = math.exp(-d * float(np.float32(scale)))
        if table[d] < 0:
            assert expected < 2e-7  # the reference counts these as zero
        else:
            assert abs(table[d] - expected) < 3e-7


def test_the_softmax_table_starts_at_one():
    assert softmax_table(0.1)[0] == 2**31 - 1
