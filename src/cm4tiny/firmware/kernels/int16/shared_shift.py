# SPDX-License-Identifier: Apache-2.0
"""One shift for all channels where the weights cannot be scaled: the mantissa takes up the difference, and each step is proven.

A value that is stored by ReLU is a staircase over the accumulator: 255 steps, each at one integer. Kernels compute ``usat8((smmla(v, m, r))
asr S)`` of ``v = acc << bits`` with one ``S`` for the layer, that of the channel with the smallest own shift. Channels with larger ones get
a mantissa with as many bits less. Is the staircase still the same? With ``t`` the accumulator of step ``i``, it is if

    floor(v(t) m / 2**32) + r >= i 2**S    and    floor(v(t - 1) m / 2**32) + r < i 2**S

for all of them: two bounds on ``r`` for each step, so a mantissa is good if the largest lower one is not above the smallest upper one. A
few mantissas around the exact one are tried; where none is good, the layer keeps the form of :mod:`.requant`. Sparse models have
channels with factors near zero and biases beyond 2**23; they take few steps, with mantissas too short to tell neighbours apart. Their
biases are others than the layer's: such that a step is at 0, where every mantissa has an edge, and ``r`` does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.kernels.int16.requant import Int16Requant

_TOP = 255
_MAX_SHIFT = 29
_NEIGHBOURS = np.arange(-200, 201, dtype=np.int64)


@dataclass(frozen=True)
class SharedShift:
    """``usat8((smmla((acc + bias) << bits, mantissa, rounding)) asr shift)`` of a channel's sum of products; int32 [channels]."""

    bias: Array
    mantissa: Array
    rounding: Array
    shift: int


def plan_shared_shift(requant: Int16Requant, spans: Array, bits: int) -> SharedShift | None:
    """The form of a layer, or None.

    Args:
        requant: the layer's, with doubled biases; ReLU.
        spans: int64 [channels]: no sum of products is larger.
        bits: see above.
    """
    shifts = requant.shift[requant.mantissa != 0]
    if not requant.relu or not len(shifts):
        return None
    shared = int(shifts.min()) + bits - 1
    if shared > _MAX_SHIFT:
        return None
    limit, rows = 1 << (31 - bits), []
    for c in range(len(requant.shift)):
        if not requant.mantissa[c]:
            rows.append((0, 0, min(max(int(requant.rounding[c]), 0), _TOP) << shared))
            continue
        span, bias = int(spans[c]), int(requant.bias[c]) // 2
        at = [t for t in (t - bias for t in steps(requant, c)) if -span < t <= span]
        for moved in (bias, -at[len(at) // 2] if at else 0):
            row = _channel(requant, c, moved, span, bits, shared) if abs(moved) + span < limit else None
            if row is not None:
                rows.append((moved, *row))
                break
        else:
            return None
    biases, mantissa, rounding = np.array(rows, np.int64).T.astype(np.int32)
    return SharedShift(biases, mantissa, rounding, shared)


def steps(requant: Int16Requant, channel: int) -> list[int]:
    """The least accumulator whose stored value is i or more, for i = 1..255."""
    mantissa, rounding, shift = (int(a[channel]) for a in (requant.mantissa, requant.rounding, requant.shift))
    # floor((2 acc m + 2**31) / 2**32) + rounding >= i << shift
    return [_ceil((((i << shift) - rounding) << 31) - (1 << 30), mantissa) for i in range(1, _TOP + 1)]


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _channel(requant: Int16Requant, channel: int, bias: int, span: int, bits: int, shared: int) -> tuple[int, int] | None:
    low, high, moved = bias - span, bias + span, int(requant.bias[channel]) // 2 - bias
    first = np.array([min(max(t - moved, low), high + 1) for t in steps(requant, channel)], np.int64)
    exact = int(requant.mantissa[channel]) >> (int(requant.shift[channel]) + bits - 1 - shared)
    mantissas = exact + _NEIGHBOURS[np.argsort(np.abs(_NEIGHBOURS), kind="stable")]
    mantissas = mantissas[(mantissas >= 0) & (mantissas < 1 << 31)]
    wanted = np.arange(1, _TOP + 1, dtype=np.int64) << shared
    reached, missed = first <= high, first > low

    def product(acc: Array) -> Array:
        found: Array = (acc[None, :] << bits) * mantissas[:, None] >> 32
        return found

    none = 1 << 40
    least = np.where(reached, wanted - product(np.minimum(first, high)), -none).max(axis=1)
    most = np.where(missed, wanted - 1 - product(np.maximum(first - 1, low)), none).min(axis=1)
    good = np.flatnonzero(least <= most)
    if not len(good):
        return None
    n = int(good[0])
    bottom, top = max(int(least[n]), -(1 << 30)), min(int(most[n]), 1 << 30)
    return (int(mantissas[n]), (bottom + top) // 2) if bottom <= top else None
