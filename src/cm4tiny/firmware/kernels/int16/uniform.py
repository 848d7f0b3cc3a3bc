# SPDX-License-Identifier: Apache-2.0
"""One shift for all channels of a layer, so that it needs no instruction of its own.

USAT shifts its operand by a constant. Channels have different shifts ``s``, but a channel's weights and bias may be stored times
``2**d`` more, with ``d = S - s >= 1`` and ``S`` the layer's shift: then ``y = x * 2**d`` for the exact product ``x`` that TFLite rounds
to ``r = floor(x + 1/2)`` first and to ``floor((r + R) / 2**s)`` second. Floors nest, so this is

    floor((x + 1/2 + R) / 2**s) = floor((floor(y) + 2**(d - 1) + R * 2**d) / 2**S)

because ``2**(d - 1)`` is an integer. ``floor(y)`` is what SMMLA computes (without the rounding of SMMLAR). So ``SMMLA; USAT asr #S``
gives the same value, exactly, for every accumulator; two instructions instead of three. Only the form ``relu`` of
:mod:`~cm4tiny.firmware.kernels.int16.requant` has no other step in between. What has to fit: the weights into 16 bits, the sums into 32.

A few channels of sparse models have factors so small that ``2**d`` would not fit. Their values take few steps; they get fewer bits of
mantissa and a bias that puts a step in its place, if that gives the same value for each accumulator that they can have: all are tried.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.kernels.int16.requant import Int16Requant

LARGEST_VALUE = 255
"""No stored value of an int16 tensor is larger: int8 minus a zero point that is int8."""
_MAX_SHIFT = 30
_INT16_MAX = (1 << 15) - 1
_LIMIT = 1 << 31
_TRIED = 1 << 21  # accumulators of a channel, to both sides of its bias


@dataclass(frozen=True)
class UniformRelu:
    """A layer's requantisation with one shift: ``usat8(smmla(acc, mantissa, rounding) asr shift)``.

    Attributes:
        scale: int32 [channels], powers of two: what the int8 weights are multiplied with before they are stored.
        bias, mantissa, rounding: int32 [channels].
        shift: of all channels, 1..30.
    """

    scale: Array
    bias: Array
    mantissa: Array
    rounding: Array
    shift: int

    def apply(self, acc: Array) -> Array:
        """What the instructions compute from scaled accumulators [..., channels] that fit into 32 bits."""
        value = ((acc.astype(np.int64) * self.mantissa) >> 32) + self.rounding
        return np.clip(value >> self.shift, 0, 255)


def plan_uniform(weights: Array, requant: Int16Requant) -> UniformRelu | None:
    """The same requantisation with one shift, or None if something does not fit.

    Args:
        weights: int8 [channels, weights per channel].
        requant: the layer's, with doubled biases.
    """
    if not requant.relu:
        return None
    shifts = {int(s) for s in requant.shift[requant.mantissa != 0]} or {0}
    plans = (_planned(weights.astype(np.int64), requant, largest) for largest in sorted(shifts, reverse=True))
    return next((plan for plan in plans if plan is not None), None)


def _planned(w: Array, requant: Int16Requant, largest: int) -> UniformRelu | None:
    """A plan with the shift ``largest + 1``, or None."""
    shared = largest + 1
    if shared > _MAX_SHIFT:
        return None
    spans = 2 * LARGEST_VALUE * np.abs(w).sum(axis=1)  # of a doubled accumulator around its bias
    peaks = np.abs(w).max(axis=1, initial=0)
    rows = []
    for c in range(len(w)):
        row = _channel(requant, c, int(spans[c]), int(peaks[c]), shared)
        if row is None:
            return None
        rows.append(row)
    scale, bias, mantissa, rounding = np.array(rows, np.int64).T.astype(np.int32)
    return UniformRelu(scale, bias, mantissa, rounding, shared)


def _channel(requant: Int16Requant, channel: int, span: int, peak: int, shared: int) -> tuple[int, int, int, int] | None:
    """Scale, bias, mantissa and rounding of a channel."""
    bias, mantissa, rounding, shift = (int(a[channel]) for a in (requant.bias, requant.mantissa, requant.rounding, requant.shift))
    if not mantissa:
        return 2, bias, 0, min(max(rounding, 0), 255) << shared
    more = shared - shift
    if more < 1:
        return _shortened(bias, mantissa, rounding, shift, span, shared)
    nudged = (rounding << more) + (1 << (more - 1))
    if peak << (more + 1) > _INT16_MAX or (abs(bias) + span) << more >= _LIMIT or nudged >= _LIMIT // 2:
        return None
    return 2 << more, bias << more, mantissa, nudged


def _shortened(bias: int, mantissa: int, rounding: int, shift: int, span: int, shared: int) -> tuple[int, int, int, int] | None:
    """A channel with fewer bits of mantissa: the first attempt that passes for every accumulator."""
    if span > _TRIED or abs(bias) + span >= _LIMIT:
        return None
    acc = np.arange(bias - span, bias + span + 1, 2, dtype=np.int64)
    wanted = np.clip((((acc * mantissa + (1 << 31)) >> 32) + rounding) >> shift, 0, 255)
    constant = int(wanted[0])
    if (wanted == constant).all():
        return 2, bias, 0, constant << shared
    if shift == shared:
        return None
    acc //= 2  # not doubled: one more bit for the mantissa
    steps = np.flatnonzero(np.diff(wanted)) + 1
    short = mantissa >> (shift - shared - 1)
    for m in (short, short + 1):
        for i in sorted({int(steps[0]), int(steps[len(steps) // 2]), int(steps[-1])}):
            first = -(-(int(wanted[i]) << (shared + 32)) // m)  # the smallest accumulator with this value
            moved = first - int(acc[i])
            if (
                m < _LIMIT
                and abs(bias + 2 * moved) + span < _LIMIT
                and (np.clip((acc + moved) * m >> 32 >> shared, 0, 255) == wanted).all()
            ):
                return 1, bias // 2 + moved, m, 0
    return None
