# SPDX-License-Identifier: Apache-2.0
"""How a layer's accumulators become int8: picks the cheapest helper that is exact for every accumulator the layer can produce.

TFLite's rule (tensorflow/lite/kernels/internal/common.h) is a doubling high multiplication with rounding, then a rounding right shift
with ties away from zero. ``SRDHM(a, m)`` equals ``SMMULR(2 a, m)`` as long as ``2 a`` fits into 32 bits; a bound on every channel's
accumulator decides that at compile time. Official models hold channels with weights near zero and biases up to 2**30, where it does
not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cm4tiny.firmware.kernels.base import Array, Tir
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN, Multiplier

PARAMS_PER_CHANNEL = 3  # bias, mantissa, shift: one row of the constant that a kernel reads


@dataclass(frozen=True)
class Requant:
    """The requantisation of one layer.

    Attributes:
        helper: name of the C function.
        table: int32 [channels, 3]: bias with the input's zero point folded in, mantissa, shift as the helper wants it.
        zero_point, low, high: of the output.
    """

    helper: str
    table: Array
    zero_point: int
    low: int
    high: int

    def emit(self, tir: Tir, acc: Any, params: Any, channel: Any) -> Any:
        """The int8 expression for an accumulator of a channel."""
        row = channel * PARAMS_PER_CHANNEL
        ir = tir.ir
        constants = [ir.int32(v) for v in (self.zero_point, self.low, self.high)]
        return tir.call(self.helper, acc, params[row + 1], params[row + 2], *constants, dtype="int8")


def plan_requant(
    weights: Array, bias: Array, multipliers: Sequence[Multiplier], *, input_zero_point: int, output_zero_point: int, low: int, high: int
) -> Requant:
    """Plans a layer.

    Args:
        weights: int8 [channels, weights per channel].
        bias: int32 [channels], as in the model.
        multipliers: one per channel.
        input_zero_point, output_zero_point: of the activations.
        low, high: clamp of the output, after the zero point.
    """
    w, b = weights.astype(np.int64), bias.astype(np.int64)
    folded = b - input_zero_point * w.sum(axis=1)
    ends = np.stack([w * (INT8_MIN - input_zero_point), w * (INT8_MAX - input_zero_point)])
    top, bottom = b + ends.max(axis=0).sum(axis=1), b + ends.min(axis=0).sum(axis=1)
    mantissas = np.array([m.mantissa for m in multipliers], np.int64)
    # a mantissa of 0 gives 0 under any shift: any valid one will do
    shifts = np.array([m.shift if m.mantissa else -1 for m in multipliers], np.int64)
    limit = 1 << 30
    if (shifts > -1).any():
        helper, stored = "cm4t_requant_any", shifts
    elif (top >= limit).any() or (bottom < -limit).any():
        helper, stored = "cm4t_requant_wide", -shifts - 1
    else:
        helper, stored = ("cm4t_requant_relu" if low >= output_zero_point else "cm4t_requant"), -shifts - 1
    table = np.stack([_wrapped(folded), mantissas, stored], axis=1).astype(np.int32)
    return Requant(helper, table, output_zero_point, low, high)


def _wrapped(x: Array) -> Array:
    """int32 arithmetic is modulo 2**32, in the reference as in the kernels: only the final sum must be right."""
    return (x + (1 << 31)) % (1 << 32) - (1 << 31)
