# SPDX-License-Identifier: Apache-2.0
"""Convolution of narrow images with four products per multiplication: Kronecker's substitution.

Two neighbours of a row in one word, ``X = x0 + x1 t`` with ``t = 2**21``, times two weights in one word, ``W = w1 + w0 t``, is

    x0 w1  +  (x0 w0 + x1 w1) t  +  x1 w0 t**2

and SMLAL adds that to 64 bits in one cycle: the middle is an output's two products, the sides are one each of its neighbours. An
accumulator ``d`` collects all words of a window that begins at output ``2 d``, so it holds three sums of 21 bits: a part of output
``2 d - 1``, all of ``2 d``, and a part of ``2 d + 1``. (HiKonv, arXiv:2112.13972, calls it bit-wise packing; the substitution is
Kronecker's.) A stride of two along the row makes two such convolutions of stride one, of the even and of the odd columns; their sums go
into the same accumulators.

What has to hold is proven from the weights: no sum leaves its 21 bits. The lowest one starts at ``2**20``, so that it is never negative
and takes nothing from the one above; half a field is added before the highest one is read. Requantisation needs one shift for all channels
(:mod:`.shared_shift`).

The input is the model's own, int8: a pass of its own packs it, instead of widening it. An output row is one tile, with all its
accumulators in registers, and a channel's weights stay in FPU registers.

Limits: the model's input; ReLU; rows of outputs up to 5 wide, columns of stride 1 or 2, at most 24 words of weights per channel.

Cost on the Cortex-M4 (DDI0439): for the 10 x 4 window of stride 2 and rows of 5 outputs 0.8 per multiply-accumulate, 9 per output, 11 per
row; a channel 60. Weights in flash 5 more per 16 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cm4tiny.firmware.kernels.base import Array, Candidate, Kernel, Param, Tir, prim_func
from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.guards import require_output
from cm4tiny.firmware.kernels.int16.kronecker_code import (
    FIELD,
    MOST_SUMS,
    SPARE_BITS,
    KroneckerShape,
    KroneckerUnit,
    Packing,
    convolution,
    packing,
)
from cm4tiny.firmware.kernels.int16.requant import Int16Requant, KernelLimitError
from cm4tiny.firmware.kernels.int16.shared_shift import SharedShift, plan_shared_shift
from cm4tiny.firmware.kernels.int16.storage import Storage
from cm4tiny.firmware.kernels.int16.weights import SPAN

_CALL_CYCLES, _MISS_CYCLES, _FETCH_BYTES = 14, 5, 16
_WORTHWHILE = 1.1  # cycles per multiply-accumulate, up to which it is better than the other kernels


def candidates(window: Window, weights: Array, requant: Int16Requant, zero_point: int, target: Storage) -> list[Candidate]:
    """Both ways to compute a layer: weights in RAM or in flash.

    Args:
        window: geometry; the input is the packed int8 image.
        weights: int8 [out, ky, kx, in].
        requant: of the layer.
        zero_point: of the input.
        target: of the output.

    Raises:
        KernelLimitError: the layer is outside the limits, or another kernel is faster.
    """
    require_output(window, target, len(weights))
    plan = _plan(window, weights, requant)
    layout = _Layout(window)
    shape = KroneckerShape(
        layout.width, window.output[0], len(weights), layout.units, window.strides[0] * layout.row_words,
        target.pixel, target.row, target.channel, plan.shift)  # fmt: skip
    code, cycles = convolution(shape)
    pack, pack_cycles = packing(layout.packing(zero_point))
    if max(code.loop_bytes, pack.loop_bytes) > ICACHE_BYTES:
        raise KernelLimitError("its loop does not fit into the instruction cache")
    macs = weights.size * layout.width * window.output[0]
    total = cycles + pack_cycles + 2 * _CALL_CYCLES + _MISS_CYCLES * (code.bytes + pack.bytes) // 8
    if total > _WORTHWHILE * macs:
        raise KernelLimitError("other kernels are faster")
    stream = _stream(layout, weights, plan)
    slower = total + _MISS_CYCLES * stream.nbytes // _FETCH_BYTES
    layer = _Layer(window, code, pack, stream, 4 * layout.row_words * sum(layout.rows), target)
    return [
        Candidate("kronecker ram", total, stream.nbytes, layer.scratch, lambda: layer.kernel(in_ram=True)),
        Candidate("kronecker flash", slower, 0, layer.scratch, lambda: layer.kernel(in_ram=False)),
    ]


def _plan(window: Window, weights: Array, requant: Int16Requant) -> SharedShift:
    if window.dilation != (1, 1) or window.strides[1] not in (1, 2):
        raise KernelLimitError(f"its strides are {window.strides}, its dilation {window.dilation}")
    if window.output[1] // 2 + 1 > MOST_SUMS:
        raise KernelLimitError(f"its rows are {window.output[1]} outputs wide")
    w = weights.reshape(len(weights), -1).astype(np.int64)
    spans = SPAN * np.maximum(np.maximum(w, 0).sum(axis=1), np.maximum(-w, 0).sum(axis=1))
    if int(spans.max()) >= 1 << (FIELD - 1):
        raise KernelLimitError(f"a sum may need more than {FIELD} bits")
    plan = plan_shared_shift(requant, spans, SPARE_BITS)
    if plan is None:
        raise KernelLimitError("its channels cannot share a shift")
    return plan


class _Layout:
    """Words of the packed image: per row, channel and phase of the stride the pairs of columns of that phase."""

    def __init__(self, window: Window) -> None:
        (kernel_y, kernel_x), (stride_y, stride) = window.kernel, window.strides
        self.window, self.width = window, window.output[1]
        phases = min(stride, kernel_x)
        self.taps = [len(range(phase, kernel_x, stride)) for phase in range(phases)]
        self.blocks = [-(-taps // 2) for taps in self.taps]
        self.pairs = self.width // 2 + 1 + max(self.blocks) - 1
        self.row_words = window.channels * phases * self.pairs
        top = window.padding[0]
        last = (window.output[0] - 1) * stride_y + kernel_y
        self.rows = (top, min(window.height, last - top), max(0, last - top - window.height))
        units, number = [], 0
        for y in range(kernel_y):
            for c in range(window.channels):
                for phase, blocks in enumerate(self.blocks):
                    at = y * self.row_words + (c * phases + phase) * self.pairs
                    units.append(KroneckerUnit(at, tuple(range(number, number + blocks))))
                    number += blocks
        self.units = tuple(units)

    def packing(self, zero_point: int) -> Packing:
        w = self.window
        words = [
            (self._byte(c, 2 * d, phase), self._byte(c, 2 * d + 1, phase))
            for c in range(w.channels)
            for phase in range(len(self.taps))
            for d in range(self.pairs)
        ]
        return Packing(self.rows, w.width * w.channels, tuple(words), zero_point)

    def _byte(self, channel: int, column: int, phase: int) -> int | None:
        x = self.window.strides[1] * column + phase - self.window.padding[1]
        return x * self.window.channels + channel if 0 <= x < self.window.width else None

    def weight_words(self, weights: Array) -> Array:
        """int64 [out, words] from int8 [out, ky, kx, in], in the order of the units."""
        found = []
        stride = self.window.strides[1]
        for y in range(weights.shape[1]):
            for c in range(weights.shape[3]):
                for phase, blocks in enumerate(self.blocks):
                    taps = np.zeros((len(weights), 2 * blocks), np.int64)
                    taps[:, : self.taps[phase]] = weights[:, y, phase::stride, c]
                    found += [taps[:, 2 * n + 1] + (taps[:, 2 * n] << FIELD) for n in range(blocks)]
        return np.stack(found, axis=1)


def _stream(layout: _Layout, weights: Array, plan: SharedShift) -> Array:
    """Per channel: words of weights, what accumulators start with (two words), mantissa, rounding; int32, flat."""
    bias = plan.bias.astype(np.int64)
    offset = 1 << (FIELD - 1)  # of the lowest field; the highest one, whose sum it joins, gives it back
    start = offset + (bias << FIELD) + ((bias - offset) << 2 * FIELD)
    columns = [layout.weight_words(weights), start[:, None] & 0xFFFFFFFF, start[:, None] >> 32]
    columns += [plan.mantissa.astype(np.int64)[:, None], plan.rounding.astype(np.int64)[:, None]]
    table: Array = (np.concatenate(columns, axis=1) & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return table.reshape(-1)


@dataclass(frozen=True)
class _Layer:
    """What both candidates share; ``scratch`` in bytes."""

    window: Window
    code: CFunction
    pack: CFunction
    stream: Array
    scratch: int
    target: Storage

    def kernel(self, *, in_ram: bool) -> Kernel:
        def body(x: Any, w: Any, scratch: Any, o: Any) -> None:
            tir = Tir()
            tir.emit(self.pack.name, tir.at(x, 0), tir.at(scratch, 0))
            tir.emit(self.code.name, tir.at(scratch, 0), tir.at(w, 0), tir.at(o, self.target.origin))

        params = [Param("x", self.window.bytes), Param("w", self.stream.size, "int32")]
        params += [Param("scratch", self.scratch // 4, "int32"), Param("o", self.target.elements, "int16")]
        code = (self.pack, self.code)
        return Kernel("kronecker", prim_func(params, body), (self.stream,), (self.scratch,), code, frozenset({0} if in_ram else ()))
