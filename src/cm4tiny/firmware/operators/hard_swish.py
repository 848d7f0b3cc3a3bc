# SPDX-License-Identifier: Apache-2.0
"""HARD_SWISH, in the reference's 16-bit arithmetic."""

from __future__ import annotations

import numpy as np

from cm4tiny.firmware.kernels.quant import quantize_multiplier, rounding_shift
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.tables import add_table, ends

_LEAST, _MOST = -(1 << 15), (1 << 15) - 1


def _saturated(value: int) -> int:
    return max(_LEAST, min(_MOST, value))


def _rounding_high(a: int, b: int) -> int:
    """``SaturatingRoundingDoublingHighMul`` of two int16: halves away from zero."""
    if a == b == _LEAST:
        return _MOST
    product = a * b + (1 << 14 if a * b >= 0 else 1 - (1 << 14))
    return int(product / (1 << 15))


def _high(a: int, b: int) -> int:
    """``SaturatingDoublingHighMul``: towards zero."""
    return _MOST if a == b == _LEAST else int(a * b / (1 << 15))


def _multiplier16(factor: float) -> tuple[int, int]:
    """Mantissa of 16 bits and exponent (``DownScaleInt32ToInt16Multiplier``)."""
    whole = quantize_multiplier(factor)
    return min((whole.mantissa + (1 << 15)) >> 16, _MOST), whole.shift


def _lower(site: Site) -> None:
    x, y = ends(site)
    hires = np.float32(1.0 / 128.0) * np.float32(x.scale)
    mantissa, exponent = _multiplier16(float(hires / np.float32(y.scale)))
    reluish, up = _multiplier16(float(hires / (np.float32(3.0) / np.float32(32768.0))))
    if exponent > 0:
        raise site.refuse("its output scale is far below its input's", why="TFLite requires a factor below 1")

    def function(value: int) -> int:
        fine = (value - x.zero_point) * (1 << 7)
        preshift = _rounding_high(fine, mantissa)
        gate = _saturated(fine << (up - 1)) if up > 0 else fine
        gate = _rounding_high(gate, reluish)
        if up > 0:
            gate = _saturated(gate << 1)
        elif up < 0:
            gate = rounding_shift(gate, -up)
        gate = (gate + (1 << 15)) >> 1
        return rounding_shift(_high(gate, preshift), -exponent) + y.zero_point

    add_table(site, x, y, function)


OPERATOR = Operator(
    kinds=("HARD_SWISH",),
    forms="any shape and scales whose factor is below 1",
    kernels="int8 `table`",
    references=("kernels/internal/reference/hard_swish.h:61 HardSwish",),
    lower=_lower,
)
