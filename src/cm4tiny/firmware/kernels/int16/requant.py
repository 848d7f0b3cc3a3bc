# SPDX-License-Identifier: Apache-2.0
"""Requantisation in three or four instructions, exact, with its proof at build time.

TFLite's rule (tensorflow/lite/kernels/internal/common.h, ``MultiplyByQuantizedMultiplier``): ``q = SRDHM(acc, mantissa)``, then a rounding
right shift with ties away from zero, then the zero point and the clamp. ``SRDHM(a, m) == SMMULR(2 a, m)``, so kernels keep doubled
accumulators: weights and biases are stored times two. Then

* ``relu`` (output zero point -128, clamp at or above it; the stored value is 0..255): ``USAT8((SMMLAR(2a, m, rounding)) >> shift)`` with
  ``rounding = 1 << (shift - 1)``: a negative tie rounds to zero either way and is clamped;
* ``linear`` (no clamp but int8's own; the stored value is q - zero point): ``v = SMMULR(2a, m)``; ``v += v >> 31`` (ties of negative
  values away from zero); ``SSAT8((v + rounding) >> shift) - zero_point`` with ``rounding = (1 << (shift - 1)) + (zero_point << shift)``.

A doubled accumulator may not leave 32 bits. Official models hold channels with weights near zero and biases up to 2**30, where it does;
such a channel is constant over its whole range of accumulators, which is proven here by its end points (the rule is monotone), and gets
mantissa 0 and the constant as ``rounding``. Its dot product is computed as any other. If there is no proof, the layer gets another kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN, Multiplier, requantize

_LIMIT = 1 << 31
_MAX_SHIFT = 31


@dataclass(frozen=True)
class Int16Requant:
    """The requantisation of one layer, for doubled accumulators.

    Attributes:
        relu: which of the two forms, see the module.
        zero_point: of the output; -128 if ``relu``.
        bias: int32 [channels], doubled; the input has no zero point any more, so nothing is folded into it.
        mantissa, rounding, shift: int32 [channels].
    """

    relu: bool
    zero_point: int
    bias: Array
    mantissa: Array
    rounding: Array
    shift: Array

    def apply(self, doubled: Array) -> Array:
        """What the instructions compute, bit for bit: doubled accumulators [..., channels] -> stored values (q - zero point)."""
        acc = _wrapped(np.asarray(doubled, np.int64))
        product = acc * self.mantissa.astype(np.int64)
        if self.relu:
            value = _wrapped((product + (self.rounding.astype(np.int64) << 32) + (1 << 31)) >> 32) >> self.shift
            return np.clip(value, 0, 255)
        value = (product + (1 << 31)) >> 32
        value = _wrapped(value + (value >> 31) + self.rounding) >> self.shift
        return np.clip(value, INT8_MIN, INT8_MAX) - self.zero_point


class KernelLimitError(Exception):
    """A layer is outside a kernel's limits; the message says which, for the report of the build."""


def plan_int16(
    weights: Array, bias: Array, multipliers: Sequence[Multiplier], *, input_zero_point: int, output_zero_point: int, low: int, high: int
) -> Int16Requant:
    """Plans a layer.

    Args:
        weights: int8 [channels, weights per channel].
        bias: int32 [channels], as in the model.
        multipliers: one per channel.
        input_zero_point, output_zero_point: of the activations.
        low, high: clamp of the output, after the zero point.

    Raises:
        KernelLimitError: the layer needs another kernel.
    """
    relu = low == output_zero_point == INT8_MIN and high == INT8_MAX
    if not relu and (low, high) != (INT8_MIN, INT8_MAX):
        raise KernelLimitError(f"it clamps its output to {low}..{high}")
    w, b = weights.astype(np.int64), bias.astype(np.int64)
    ends = np.stack([w * (INT8_MIN - input_zero_point), w * (INT8_MAX - input_zero_point)])
    tops, bottoms = b + ends.max(axis=0).sum(axis=1), b + ends.min(axis=0).sum(axis=1)
    spans = np.maximum(np.abs(ends[0]), np.abs(ends[1])).sum(axis=1)
    rows = [
        _channel(int(b[c]), (int(bottoms[c]), int(tops[c])), int(spans[c]), multipliers[c], output_zero_point, low, high, relu)
        for c in range(len(b))
    ]
    columns = np.array(rows, np.int64).T
    return Int16Requant(relu, output_zero_point, *(column.astype(np.int32) for column in columns))


def _channel(
    bias: int, acc: tuple[int, int], span: int, multiplier: Multiplier, zero_point: int, low: int, high: int, relu: bool
) -> tuple[int, int, int, int]:
    """Doubled bias, mantissa, rounding and shift of a channel whose accumulators lie in ``acc``; no partial sum leaves ``span``."""
    if not -_LIMIT <= acc[0] <= acc[1] < _LIMIT:
        raise KernelLimitError("an accumulator may overflow 32 bits")
    fits = 2 * (abs(bias) + span) < _LIMIT
    shift = -multiplier.shift
    if fits and multiplier.mantissa and 0 <= shift <= _MAX_SHIFT:
        rounding = (1 << (shift - 1)) if shift else 0
        if shift == 0 and not relu:
            raise KernelLimitError("its factor is 1/2 or more")  # there the nudge of negative ties must not be applied
        if relu:
            return 2 * bias, multiplier.mantissa, rounding, shift
        rounding += zero_point << shift
        if abs(rounding) + (1 << 30) < _LIMIT:
            return 2 * bias, multiplier.mantissa, rounding, shift
    if shift < 0 and multiplier.mantissa:
        raise KernelLimitError("its factor is 1 or more")
    ends = {min(max(requantize(a, multiplier) + zero_point, low), high) for a in acc}
    if len(ends) > 1:
        raise KernelLimitError("a doubled accumulator may overflow 32 bits")
    constant = ends.pop() - (zero_point if relu else 0)
    return int(_wrapped(np.array(2 * bias))), 0, constant, 0


def _wrapped(x: Array) -> Array:
    """int32 arithmetic is modulo 2**32."""
    return (x + (1 << 31)) % (1 << 32) - (1 << 31)
