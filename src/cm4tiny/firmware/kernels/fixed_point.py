# SPDX-License-Identifier: Apache-2.0
"""gemmlowp's logistic function and hyperbolic tangent in fixed point, at compile time (gemmlowp/fixedpoint/fixedpoint.h).

Numbers of the form Qm.n have m integer bits and n fractional ones, 32 with the sign.
"""

from __future__ import annotations

from cm4tiny.firmware.kernels.quant import exp_negative, high_mul

_INT32_MIN, _INT32_MAX = -(1 << 31), (1 << 31) - 1
_48_OVER_17, _MINUS_32_OVER_17 = 1515870810, -1010580540  # Q2.29
_ONE = 1 << 29  # Q2.29


def logistic(x: int) -> int:
    """1 / (1 + exp(-x)): Q4.27 -> Q0.31."""
    if x == 0:
        return 1 << 30
    positive = _saturated(_newton(exp_negative(-abs(x), 4)) << 1)
    return positive if x > 0 else _INT32_MAX - positive


def tanh(x: int) -> int:
    """Q4.27 -> Q0.31."""
    if x == 0:
        return 0
    size = _saturated((_newton(exp_negative(-abs(x), 5)) - _ONE) << 2)  # the exponent is 2 x: the same bits as Q5.26
    return size if x > 0 else -size


def _newton(a: int) -> int:
    """2 / (1 + a) for a in [0, 1], Q0.31 -> Q2.29, by Newton's method."""
    half = (a + _INT32_MAX + 1) // 2
    x = _48_OVER_17 + high_mul(half, _MINUS_32_OVER_17)
    for _ in range(3):
        rest = _ONE - high_mul(half, x)
        x += _saturated(high_mul(x, rest) << 2)
    return x


def _saturated(value: int) -> int:
    return max(_INT32_MIN, min(_INT32_MAX, value))
