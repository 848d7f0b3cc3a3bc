# SPDX-License-Identifier: Apache-2.0
"""Weights and parameters in the order in which micro-kernels read them.

Merged weights: a 16-bit value holds ``256 a + b`` for the weights a and b of two neighbouring channels. A sum of products with it is
``256 A + B`` for the sums A and B of both; its low byte, sign-extended (SXTB16), is b, which gives B. So ``256 A`` is known modulo
2**32, and A itself if it fits into 24 bits. :func:`mergeable` proves that from the weights: stored values span 255 and zero is among
them, so no sum is larger than 255 times the sum of the positive weights, or of the negative ones.
"""

from __future__ import annotations

import numpy as np

from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.kernels.int16.geometry import Geometry
from cm4tiny.firmware.kernels.int16.requant import Int16Requant
from cm4tiny.firmware.kernels.int16.shared_shift import plan_shared_shift
from cm4tiny.firmware.kernels.int16.uniform import UniformRelu

SPAN = 255
MERGED_LIMIT = 1 << 23
_MERGED_BITS = 8  # of merged channels, sums times 256 are what is left


def mergeable(weights: Array) -> bool:
    """Whether channels 2 i and 2 i + 1 of int8 [channels, weights per channel] can be merged, for every input."""
    even, merged = weights[::2].astype(np.int64), merge(weights.astype(np.int64))
    largest = max(int(np.maximum(even, 0).sum(axis=1).max()), int(np.maximum(-even, 0).sum(axis=1).max()))
    return int(merged.min()) >= -(1 << 15) and int(merged.max()) < 1 << 15 and SPAN * largest < MERGED_LIMIT


def merge(weights: Array) -> Array:
    """[channels, ...] -> [channels / 2, ...], the same type."""
    merged: Array = 256 * weights[::2] + weights[1::2]
    return merged


def plan_merged(weights: Array, requant: Int16Requant) -> UniformRelu | None:
    """One shift for all channels of merged weights, or None: then biases and shifts are applied at the end (:mod:`.block`).

    Biases start the sums: ``256 a + b`` that of the first channel of a pair, ``b`` that of the other one. So sums with bias, not only
    those without, must fit into 24 bits.

    Args:
        weights: int8 [channels, weights per channel].
        requant: the layer's, with doubled biases.
    """
    if len(weights) % 2:
        return None
    w = weights.astype(np.int64)
    spans = SPAN * np.maximum(np.maximum(w, 0).sum(axis=1), np.maximum(-w, 0).sum(axis=1))
    found = plan_shared_shift(requant, spans, _MERGED_BITS)
    if found is None:
        return None
    bias = found.bias.astype(np.int64)
    bias[::2] = 256 * bias[::2] + bias[1::2]
    return UniformRelu(np.ones(len(w), np.int32), bias.astype(np.int32), found.mantissa, found.rounding, found.shift)


def packed_weights(weights: Array, geometry: Geometry, order: tuple[int, ...], words: int) -> Array:
    """int16 [blocks, pairs, words per pair, 2] from int16 [channels, or pairs of them, taps of the window]."""
    out, runs = weights.shape[0], len(geometry.runs)
    padded = np.zeros((out, runs, 2 * geometry.pairs), np.int16)
    padded[:, :, geometry.early : geometry.taps] = weights.reshape(out, runs, geometry.taps - geometry.early)
    by_offset = {2 * (run + 2 * i): (r, i) for r, run in enumerate(geometry.runs) for i in range(geometry.pairs)}
    pairs = np.stack([padded[:, r, 2 * i : 2 * i + 2] for r, i in (by_offset[offset] for offset in order)], axis=1)
    return np.ascontiguousarray(pairs.reshape(-1, words, len(order), 2).transpose(0, 2, 1, 3))


def parameter_words(requant: Int16Requant | UniformRelu, start: int, stop: int, channels: int) -> Array:
    """int32 [blocks, 4, channels]: biases, mantissas, roundings and shifts of each block; no shifts if there is one for all.

    A channel whose factor is 0 gets its constant one bit up and a shift of 1, so that every shift is at least 1.
    """
    if isinstance(requant, UniformRelu):
        table = np.stack([requant.bias, requant.mantissa, requant.rounding]).astype(np.int32)[:, start:stop]
        return np.ascontiguousarray(table.reshape(3, -1, channels).transpose(1, 0, 2))
    constant = (requant.mantissa == 0) & (requant.shift == 0)
    rounding = np.where(constant, 2 * requant.rounding.astype(np.int64) + 1, requant.rounding)
    shift = np.where(constant, 1, requant.shift)
    table = np.stack([requant.bias, requant.mantissa, rounding, shift]).astype(np.int32)[:, start:stop]
    return np.ascontiguousarray(table.reshape(4, -1, channels).transpose(1, 0, 2))


def narrowed(doubled: Array) -> Array:
    """Doubled int16 -> int8, flat, in the order that SXTB16 undoes: of four, (0, 2) and (1, 3) are pairs."""
    halves = (doubled // 2).astype(np.int8)
    return np.ascontiguousarray(halves.reshape(-1, 2, 2).transpose(0, 2, 1)).reshape(-1)
