# SPDX-License-Identifier: Apache-2.0
"""Requantisation of a scaled sum in two instructions, with its proof: for outputs that are clamped at their zero point of -128.

:mod:`.requant` gives the rule for doubled sums with bias. But the rule is a monotone function of the sum, with 255 steps; any other
monotone function with the same steps is the same function. Here it is ``USAT8(SMMLAR(scale * sum, mantissa, rounding) >> shift)`` with
one shift for all channels, so that USAT does the shift, and with the bias in ``rounding``.

The steps of the rule are found by bisection. Each of them bounds ``rounding``: it is enough at the first sum of the step, and not too
much at the last sum before it. If something is left between the bounds, both functions are equal for every sum that the layer can have.
Often a step lies so close to a sum that SMMLAR's own rounding decides; therefore neighbours of the best mantissa are tried, too. If none
passes, the layer keeps the longer form.

The other rule, for outputs without that clamp, has steps that no such formula gives: it rounds ties away from zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.kernels.int16.requant import Int16Requant

_LIMIT = 1 << 31
_LARGEST_SHIFT, _TRIED_SHIFTS = 24, 2
_STEPS = np.arange(1, 256, dtype=np.int64)[:, None]
_NEIGHBOURS = np.array(sorted(range(-400, 401), key=abs), np.int64)


@dataclass(frozen=True, eq=False)
class ShortRequant:
    """See the module.

    Attributes:
        scale: what sums are multiplied by beforehand.
        shift: of all channels.
        mantissa, rounding: int32 [channels].
    """

    scale: int
    shift: int
    mantissa: Array
    rounding: Array

    def apply(self, sums: Array) -> Array:
        """What the instructions compute: sums without bias [..., channels] -> stored values."""
        return np.clip((_high(self.scale * sums, self.mantissa.astype(np.int64)) + self.rounding.astype(np.int64)) >> self.shift, 0, 255)


def shorten(requant: Int16Requant, scale: int, low: Array, high: Array) -> ShortRequant | None:
    """The short form of a rule for sums from ``low`` to ``high`` (int64 [channels]), for which ``requant`` must hold.

    None if there is none.
    """
    if not requant.relu or scale * max(int(np.abs(low).max()), int(np.abs(high).max())) >= _LIMIT:
        return None
    first = _first_sums(requant, low, high)
    ideal = requant.mantissa.astype(np.float64) * 2.0 ** (1 - requant.shift.astype(np.float64)) / scale
    fitting = [s for s in range(_LARGEST_SHIFT, 0, -1) if ideal.max() * 2.0**s + _NEIGHBOURS.max() < _LIMIT]
    for shift in fitting[:_TRIED_SHIFTS]:
        rows = []
        for c, mantissa in enumerate(np.rint(ideal * 2.0**shift).astype(np.int64)):
            row = _channel(first[:, c : c + 1], scale, shift, int(mantissa), int(low[c]), int(high[c]))
            if row is None:
                break
            rows.append(row)
        else:
            mantissas, roundings = np.array(rows, np.int64).T
            return ShortRequant(scale, shift, mantissas.astype(np.int32), roundings.astype(np.int32))
    return None


def _channel(first: Array, scale: int, shift: int, mantissa: int, low: int, high: int) -> tuple[int, int] | None:
    """Mantissa and rounding; ``first`` [steps, 1] as of :func:`_first_sums`."""
    for tried in (np.array([mantissa]), mantissa + _NEIGHBOURS):
        tried = tried[tried >= 0]
        at_first, before = _high(scale * np.minimum(first, high), tried), _high(scale * np.maximum(first - 1, low), tried)
        least = np.where(first <= high, (_STEPS << shift) - at_first, -_LIMIT).max(axis=0)
        most = np.where(first > low, (_STEPS << shift) - before - 1, _LIMIT - 1).min(axis=0)
        least = np.maximum(least, -_LIMIT - np.minimum(_high(np.array([scale * low]), tried), 0))
        most = np.minimum(most, _LIMIT - 1 - np.maximum(_high(np.array([scale * high]), tried), 0))
        passed = np.flatnonzero(least <= most)
        if len(passed):
            best = passed[0]
            return int(tried[best]), int((least[best] + most[best]) // 2)
    return None


def _first_sums(requant: Int16Requant, low: Array, high: Array) -> Array:
    """[steps, channels]: the first sum whose stored value is at least 1, 2, ... 255; ``high + 1`` if there is none."""
    shape = (len(_STEPS), len(low))
    bottom, top = np.broadcast_to(low, shape).astype(np.int64), np.broadcast_to(high + 1, shape).astype(np.int64)
    bias = requant.bias.astype(np.int64)
    while (bottom < top).any():
        middle = (bottom + top) >> 1
        enough = requant.apply(2 * middle + bias) >= _STEPS
        bottom, top = np.where((bottom < top) & ~enough, middle + 1, bottom), np.where((bottom < top) & enough, middle, top)
    return bottom


def _high(scaled: Array, mantissa: Array) -> Array:
    """SMMULR."""
    return (scaled.astype(np.int64) * mantissa + (1 << 31)) >> 32
