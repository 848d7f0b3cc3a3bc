# SPDX-License-Identifier: Apache-2.0
"""Matrix times vector on int16 tensors; more than one vector is a convolution with a window of one pixel.

Limits: the input lies without gaps and starts at an even element.

Placement of the weights: ``ram`` (int16) and ``merged-ram`` (two channels in 16 bits, see :mod:`.weights`), ``flash`` and
``merged-flash``: the same, read from flash. Widening them first would cost more than it saves: each is used once.

Cost: see :mod:`.dense_block`; per group of channels 25 cycles and 5 per 8 bytes of code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cm4tiny.firmware.kernels.base import Array, Candidate, Kernel, Param, Tir, prim_func, words
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16 import conv
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.dense_block import DenseBlock, DenseKernel, write_dense_block
from cm4tiny.firmware.kernels.int16.guards import require_vectors
from cm4tiny.firmware.kernels.int16.plan import CALL_CYCLES, FETCH_BYTES, MISS_CYCLES, ChannelGroup, groups
from cm4tiny.firmware.kernels.int16.requant import Int16Requant, KernelLimitError
from cm4tiny.firmware.kernels.int16.schedule import LINE_BYTES
from cm4tiny.firmware.kernels.int16.storage import Storage
from cm4tiny.firmware.kernels.int16.weights import MERGED_LIMIT, SPAN, merge, mergeable, parameter_words

PLACEMENTS = ("ram", "merged-ram", "flash", "merged-flash")
CHANNELS = (8, 4, 2, 1)
_SCALED = 7  # sums times 256 are 2**7 times doubled ones
_LARGEST_SHIFT = 31


def candidates(rows: int, weights: Array, requant: Int16Requant, source: Storage, target: Storage) -> list[Candidate]:
    """All sound ways to compute a fully connected layer, the fastest first.

    Args:
        rows: input vectors.
        weights: int8 [out, in].
        requant: of the layer.
        source: of the input: all its values are one vector, or its pixels are the vectors.
        target: of the output, in the same way.

    Raises:
        KernelLimitError: the layer is outside the limits of the module.
    """
    outputs, inputs = weights.shape
    require_vectors(rows, inputs, outputs, source, target)
    if rows > 1:
        window = Window(source.height, source.width, inputs, (1, 1), (1, 1))
        return conv.candidates(window, weights.reshape(outputs, 1, 1, inputs), requant, source, target)
    if source.origin % 2 or source.origin + inputs + inputs % 2 > source.elements:
        raise KernelLimitError("its input starts at an odd element, but values are read in pairs")
    layer = _Layer(weights, requant, source, target)
    found = [layer.candidate(channels, placement) for placement in PLACEMENTS for channels in CHANNELS if channels <= max(1, outputs)]
    if not any(found):
        raise KernelLimitError("no block of its sums fits into the instruction cache")
    return sorted((c for c in found if c is not None), key=lambda c: c.cycles)


def unrolls(pairs: int, channels: int, *, merged: bool) -> list[tuple[int, int]]:
    """(first, unrolled) that may fit into the instruction cache, the least overhead first."""
    room = (ICACHE_BYTES - LINE_BYTES - 4 * (9 * channels + 20)) // (4 * (1 + 2 * channels))
    if pairs <= room:
        return [(pairs, 0)]
    smallest: dict[int, tuple[int, int, int]] = {}
    for unrolled in range(1, room + 1):
        for first in range(pairs % unrolled, min(room - unrolled, pairs - 2 * unrolled) + 1, unrolled):
            iterations = (pairs - first) // unrolled
            if first or not merged:
                smallest[iterations] = min(smallest.get(iterations, (pairs, 0, 0)), (first + unrolled, first, unrolled))
    return [(first, unrolled) for _, (_, first, unrolled) in sorted(smallest.items())[:3]]


def parameter_stream(requant: Int16Requant, group: ChannelGroup, *, merged: bool, shift: int = 0) -> Array:
    """int32, per block of channels: all biases, then mantissa, rounding and shift of each channel; merged: both biases of two channels,
    then the rest of the one and of the other.

    With a shift (:func:`shared_shift`): mantissa and rounding of all channels, then their biases.
    """
    if shift:
        return _shared_parameters(requant, group, merged=merged)
    table = parameter_words(requant, group.start, group.stop, group.channels)  # [blocks, 4, channels]
    if not merged:
        rest = table[:, 1:].transpose(0, 2, 1)
        return _joined(table[:, 0], rest)
    twos = table.transpose(0, 2, 1).reshape(-1, 2, 4)
    return _joined(twos[:, :, 0], twos[:, :, 1:])


def _shared_parameters(requant: Int16Requant, group: ChannelGroup, *, merged: bool) -> Array:
    mantissa, rounding = int(requant.mantissa[0]), int(requant.rounding[0])
    bias = requant.bias[group.start : group.stop].astype(np.int64)
    if merged:
        bias //= 2
        bias[::2] = 256 * bias[::2] + bias[1::2]
        if requant.relu:  # of sums times 256 instead of doubled ones: see uniform.py, with d = 7
            rounding = (1 << _SCALED - 1) + (rounding << _SCALED)
    found: Array = np.concatenate([[mantissa, rounding], bias]).astype(np.int32)
    return found


def shared_shift(weights: Array, requant: Int16Requant, *, merged: bool) -> int:
    """The shift of all channels as the function uses it, if they share one rule ("per tensor"), else 0.

    Args:
        weights: int8 [out, in].
        merged: the biases start sums that must fit into 24 bits.
    """
    shift, rounding = int(requant.shift[0]), int(requant.rounding[0])
    if not requant.mantissa[0] or shift < 1 or any(len(set(a.tolist())) > 1 for a in (requant.mantissa, requant.rounding, requant.shift)):
        return 0
    if not merged:
        return shift
    w = weights.astype(np.int64)
    spans = SPAN * np.maximum(np.maximum(w, 0).sum(axis=1), np.maximum(-w, 0).sum(axis=1))
    if int((np.abs(requant.bias.astype(np.int64) // 2) + spans).max()) >= MERGED_LIMIT:
        return 0
    if not requant.relu:
        return shift
    return shift + _SCALED if shift + _SCALED < _LARGEST_SHIFT and rounding << _SCALED < 1 << 30 else 0


def _joined(head: Array, rest: Array) -> Array:
    """Each row of ``head`` with what belongs to it of ``rest``, flat."""
    joined: Array = np.concatenate([head, rest.reshape(len(head), -1)], axis=1)
    return joined.reshape(-1)


def _packed(weights: Array, channels: int, *, merged: bool) -> Array:
    """int32 words [blocks, pairs, words per pair], flat, from int8 [out, in]."""
    out, inputs = weights.shape
    padded = np.zeros((out, inputs + inputs % 2), np.int16)
    padded[:, :inputs] = weights
    padded = merge(padded) if merged else 2 * padded
    pairs = padded.reshape(-1, channels // 2 if merged else channels, padded.shape[1] // 2, 2)
    return words(np.ascontiguousarray(pairs.transpose(0, 2, 1, 3)).view(np.int32))


@dataclass(frozen=True)
class _Layer:
    """What all candidates of a layer share."""

    weights: Array
    requant: Int16Requant
    source: Storage
    target: Storage

    def candidate(self, channels: int, placement: str) -> Candidate | None:
        """None if the weights cannot be merged, or no loop fits into the instruction cache."""
        merged = placement.startswith("merged")
        if merged and (channels == 1 or not mergeable(self.weights[: len(self.weights) // 2 * 2])):
            return None
        choice: list[tuple[ChannelGroup, DenseKernel]] = []
        cycles, size = 0.0, 0
        for group in groups(len(self.weights), channels):
            halved = merged and group.channels > 1
            kernel = self._kernel(group, merged=halved)
            if kernel is None:
                return None
            choice.append((group, kernel))
            parameters = 8 + 4 * (group.stop - group.start) if self._shift(halved) else 16 * (group.stop - group.start)
            size += parameters + (group.stop - group.start) * (4 * self._pairs // (2 if halved else 1))
            cycles += kernel.cycles + CALL_CYCLES + MISS_CYCLES * kernel.function.bytes / 8
        if placement.endswith("flash"):
            cycles += MISS_CYCLES * size / FETCH_BYTES
        ram = size if placement.endswith("ram") else 0
        return Candidate(f"dense {channels} {placement}", round(cycles), ram, 0, lambda: self._make(choice, placement))

    @property
    def _pairs(self) -> int:
        return -(-self.weights.shape[1] // 2)

    def _shift(self, merged: bool) -> int:
        return shared_shift(self.weights, self.requant, merged=merged)

    def _kernel(self, group: ChannelGroup, *, merged: bool) -> DenseKernel | None:
        """The fastest one whose loops stay in the instruction cache."""
        shift = self._shift(merged)
        channel, relu, zero_point = 2 * self.target.channel, self.requant.relu, self.requant.zero_point
        found = [
            write_dense_block(
                DenseBlock(self._pairs, group.channels, channel, group.blocks, relu, zero_point, first, unrolled, merged, shift)
            )
            for first, unrolled in unrolls(self._pairs, group.channels, merged=merged)
        ]
        return min((k for k in found if k.loop_lines * LINE_BYTES <= ICACHE_BYTES), key=lambda k: k.cycles, default=None)

    def _make(self, choice: list[tuple[ChannelGroup, DenseKernel]], placement: str) -> Kernel:
        calls: list[tuple[str, int, int, int]] = []
        weights: list[Array] = []
        table: list[Array] = []
        for group, kernel in choice:
            merged = placement.startswith("merged") and group.channels > 1
            at = (sum(a.size for a in weights), sum(a.size for a in table), self.target.at(0, 0, group.start))
            calls.append((kernel.function.name, *at))
            weights.append(_packed(self.weights[group.start : group.stop], group.channels, merged=merged))
            table.append(parameter_stream(self.requant, group, merged=merged, shift=self._shift(merged)))
        constants = (np.concatenate(weights), np.concatenate(table))
        params = [Param("x", self.source.elements, "int16"), Param("w", constants[0].size, "int32")]
        params += [Param("p", constants[1].size, "int32"), Param("o", self.target.elements, "int16")]

        def body(x: Any, w: Any, p: Any, o: Any) -> None:
            tir = Tir()
            for name, w_at, p_at, o_at in calls:
                tir.emit(name, tir.at(x, self.source.origin), tir.at(w, w_at), tir.at(p, p_at), tir.at(o, o_at))

        code = {kernel.function.name: kernel.function for _, kernel in choice}
        in_ram = frozenset({0, 1}) if placement.endswith("ram") else frozenset()
        return Kernel("dense", prim_func(params, body), constants, (), tuple(code.values()), in_ram)
