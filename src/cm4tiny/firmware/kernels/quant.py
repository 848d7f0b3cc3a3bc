# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite's integer arithmetic, exactly, at compile time.

Sources: tensorflow/lite/kernels/internal/quantization_util.cc (``QuantizeMultiplier``, ``PreprocessSoftmaxScaling``,
``CalculateInputRadius``), tensorflow/lite/kernels/internal/common.h (``MultiplyByQuantizedMultiplier`` with double rounding),
tensorflow/lite/kernels/kernel_util.cc (``PopulateConvolutionQuantizationParams``, ``GetQuantizedConvolutionMultipler``,
``CalculateActivationRangeQuantized``) and gemmlowp/fixedpoint/fixedpoint.h (``exp_on_negative_values``). Numbers in comments of the
form Qm.n are gemmlowp's fixed-point formats of 32 bits with m integer bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

INT8_MIN, INT8_MAX = -128, 127
_INT32_MAX = (1 << 31) - 1
SOFTMAX_INTEGER_BITS = 5
MAX_SOFTMAX_VALUES = 511  # one more and the reference shifts by 32 bits, which C leaves undefined


@dataclass(frozen=True)
class Multiplier:
    """A real factor as ``mantissa * 2**(shift - 31)``; the mantissa is 0 or in [2**30, 2**31)."""

    mantissa: int
    shift: int


def round_half_away(x: float) -> int:
    """C's ``std::round``: Python's ``round`` goes to the even neighbour on a tie."""
    return math.floor(abs(x) + 0.5) * (1 if x >= 0 else -1)


def quantize_multiplier(factor: float) -> Multiplier:
    """``QuantizeMultiplier``: a factor below 2**-32 becomes 0, one of 2**30 or more saturates."""
    if factor == 0.0:
        return Multiplier(0, 0)
    fraction, shift = math.frexp(factor)
    mantissa = round_half_away(fraction * (1 << 31))
    if mantissa == 1 << 31:
        mantissa, shift = mantissa // 2, shift + 1
    if shift < -31:
        return Multiplier(0, 0)
    if shift > 30:
        return Multiplier(_INT32_MAX, 30)
    return Multiplier(mantissa, shift)


def convolution_multipliers(
    input_scale: float, weight_scales: npt.NDArray[np.float32], output_scale: float, channels: int
) -> tuple[Multiplier, ...]:
    """One multiplier per output channel; the scales are float32 values, their product is taken in double."""
    scales = np.broadcast_to(weight_scales.reshape(-1), (channels,))
    return tuple(quantize_multiplier(float(input_scale) * float(w) / float(output_scale)) for w in scales)


def dense_multiplier(input_scale: float, weight_scale: float, output_scale: float) -> Multiplier:
    """FULLY_CONNECTED with one weight scale: here the product of the scales is rounded to float32 first."""
    product = float(np.float32(input_scale) * np.float32(weight_scale))
    return quantize_multiplier(product / float(output_scale))


def activation_bound(value: float, scale: float, zero_point: int) -> int:
    """The quantised value of an activation's bound: the quotient is rounded to float32, ties go away from zero."""
    return zero_point + round_half_away(float(np.float32(value) / np.float32(scale)))


def high_mul(a: int, b: int) -> int:
    """``SaturatingRoundingDoublingHighMul`` of two int32."""
    if a == b == -(1 << 31):
        return _INT32_MAX
    return (a * b + (1 << 30)) >> 31


def rounding_shift(x: int, exponent: int) -> int:
    """``RoundingDivideByPOT``: ties go away from zero."""
    mask = (1 << exponent) - 1
    return (x >> exponent) + int((x & mask) > (mask >> 1) + (x < 0))


def requantize(acc: int, multiplier: Multiplier) -> int:
    """``MultiplyByQuantizedMultiplier`` of an int32 accumulator, before the zero point and the clamp."""
    left, right = max(multiplier.shift, 0), max(-multiplier.shift, 0)
    return rounding_shift(high_mul(_wrap(acc << left), multiplier.mantissa), right)


def _wrap(x: int) -> int:
    return (x + (1 << 31)) % (1 << 32) - (1 << 31)


# --- softmax ------------------------------------------------------------------------------------------------------------------
def softmax_table(input_scale: float) -> npt.NDArray[np.int32]:
    """exp(-d * scale) for the differences d = 0..255 to the row's maximum, Q0.31; -1 marks differences that count as zero.

    The reference computes the same values one by one; they only depend on d.
    """
    factor = min(float(np.float32(input_scale)) * (1 << (31 - SOFTMAX_INTEGER_BITS)), float(_INT32_MAX))
    multiplier = quantize_multiplier(factor)
    radius = math.floor(((1 << SOFTMAX_INTEGER_BITS) - 1) * (1 << (31 - SOFTMAX_INTEGER_BITS)) / (1 << max(multiplier.shift, 0)))
    table = [exp_negative(high_mul(_wrap(-d << max(multiplier.shift, 0)), multiplier.mantissa)) if d <= radius else -1
             for d in range(256)]  # fmt: skip
    return np.array(table, np.int32)


def exp_negative(a: int, integer_bits: int = SOFTMAX_INTEGER_BITS) -> int:
    """``exp_on_negative_values``: a number with up to 5 integer bits -> Q0.31."""
    if a == 0:
        return _INT32_MAX
    fractional = 31 - integer_bits
    quarter = 1 << (fractional - 2)
    remainder_of_quarter = (a & (quarter - 1)) - quarter
    result = _exp_quarter(remainder_of_quarter << integer_bits)
    remainder = remainder_of_quarter - a
    barrel = ((-2, 1672461947), (-1, 1302514674), (0, 790015084), (1, 290630308), (2, 39332535), (3, 720401), (4, 242))
    for exponent, factor in barrel:  # exp(-2**exponent)
        if integer_bits > exponent and remainder & (1 << (fractional + exponent)):
            result = high_mul(result, factor)
    return result


def _exp_quarter(a: int) -> int:
    """``exp_on_interval_between_negative_one_quarter_and_0_excl``: a Taylor series around -1/8, Q0.31."""
    exp_minus_eighth, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    x3, x4 = high_mul(x2, x), high_mul(x2, x2)
    series = rounding_shift(high_mul(rounding_shift(x4, 2) + x3, third) + x2, 1)
    return exp_minus_eighth + high_mul(exp_minus_eighth, x + series)
