# SPDX-License-Identifier: Apache-2.0
"""CONV_2D as matrix product on SMLAD: two output pixels by four output channels at a time.

The int8 weights stay in flash as they are; each call widens them once to int16 in SRAM, where the inner loop reads them without wait
states. The rows under the window are widened to int16 columns in the same way, two pixels at a time and interleaved, so that every
word of weights feeds four multiply-accumulates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cm4tiny.firmware.kernels.base import Array, Kernel, Param, Tir, prim_func, round_up
from cm4tiny.firmware.kernels.image import Border, Window
from cm4tiny.firmware.kernels.requant import PARAMS_PER_CHANNEL, Requant

BLOCK = 4  # output channels per block
PIXELS = 2  # output pixels per block
UNROLL = 4  # quads per iteration of the inner loop: with the requantisation, the code still fits into the 1 KB instruction cache


def interleave(rows: Array) -> Array:
    """Weights [channels, k] -> [channels / 4, k / 4, 4, 4]: one quad of each of four channels in turn; zeros fill both ends."""
    channels, k = rows.shape
    padded = np.zeros((round_up(channels, BLOCK), round_up(k, 4)), np.int8)
    padded[:channels, :k] = rows
    return np.ascontiguousarray(padded.reshape(-1, BLOCK, padded.shape[1] // 4, 4).transpose(0, 2, 1, 3)).reshape(-1)


def row_weights(weights: Array) -> Array:
    """[out, ky, kx, in] -> [out, ky * row], each kernel row filled up with zeros to whole quads."""
    out, ky, kx, channels = weights.shape
    row = kx * channels
    padded = np.zeros((out, ky, round_up(row, 4)), np.int8)
    padded[:, :, :row] = weights.reshape(out, ky, row)
    return padded.reshape(out, -1)


def conv(window: Window, weights: Array, requant: Requant, *, pad_value: int) -> Kernel:
    """A convolution without dilation and groups.

    Args:
        window: geometry.
        weights: int8 [out, ky, kx, in].
        requant: of the layer.
        pad_value: the input's zero point.
    """
    plan = _Conv(window, weights.shape[0], requant)
    border = Border(window, pad_value, overrun=plan.row % 4 != 0)
    constant = interleave(row_weights(weights))
    channels, pixels = plan.channels, plan.pixels

    def body(x: Any, w: Any, table: Any, *rest: Any) -> None:
        tir = Tir()
        *copy, col, wide, o = rest
        image = border.emit(tir, x, copy[0] if copy else None)
        tir.emit("cm4t_widen", tir.at(wide, 0), tir.at(w, 0), constant.size // 4, 2)
        _Body(plan, tir, image, table, col, wide, o).emit()

    spaces = (*border.workspaces(), PIXELS * plan.quads * 8, constant.size * 2)
    params = [Param("x", window.bytes), Param("w", constant.size), Param("table", channels * PARAMS_PER_CHANNEL, "int32")]
    params += [Param("bordered", border.bytes)] if border.copies else []
    params += [Param("col", PIXELS * plan.quads * 2, "int32"), Param("wide", constant.size // 2, "int32"), Param("o", pixels * channels)]
    return Kernel("conv", prim_func(params, body), (constant, requant.table.reshape(-1)), spaces)


@dataclass(frozen=True)
class _Conv:
    """A layer's geometry: ``channels`` of the output, the rest from the window."""

    window: Window
    channels: int
    requant: Requant

    @property
    def row(self) -> int:
        """Values in a row of the window."""
        return self.window.kernel[1] * self.window.channels

    @property
    def row_quads(self) -> int:
        return round_up(self.row, 4) // 4

    @property
    def quads(self) -> int:
        """Of a whole window."""
        return self.window.kernel[0] * self.row_quads

    @property
    def pixels(self) -> int:
        """Of the output."""
        return self.window.output[0] * self.window.output[1]


@dataclass(frozen=True)
class _Body:
    """The kernel's statements over its buffers: the bordered image, parameters, columns and widened weights, and the output."""

    plan: _Conv
    tir: Tir
    image: Any
    table: Any
    col: Any
    wide: Any
    output: Any

    def emit(self) -> None:
        """All output pixels, two at a time."""
        pixels = self.plan.pixels
        with self.tir.loop(pixels // PIXELS, "pair") as pair:
            self._columns(pair * PIXELS, PIXELS)
        if pixels % PIXELS:
            self._columns(self.tir.ir.int32(pixels - 1), 1)

    def _columns(self, first: Any, count: int) -> None:
        """``count`` output pixels from ``first`` on, all channels."""
        channels = self.plan.channels
        for slot in range(count):
            self._gather(first + slot, slot)
        with self.tir.loop(channels // BLOCK, "ob") as ob:
            self._block(ob, first, count, BLOCK)
        if channels % BLOCK:
            self._block(channels // BLOCK, first, count, channels % BLOCK)

    def _gather(self, pixel: Any, slot: int) -> None:
        """Widens what lies under the window at an output pixel into column ``slot``."""
        tir, window = self.tir, self.plan.window
        width = window.output[1]
        oy = tir.ir.truncdiv(pixel, width)
        ox = pixel - oy * width
        start = oy * (window.strides[0] * window.padded_width * window.channels) + ox * (window.strides[1] * window.channels)
        for y in range(window.kernel[0]):
            source = tir.at(self.image, start + y * window.padded_width * window.channels)
            column = tir.at(self.col, y * self.plan.row_quads * 2 * PIXELS + slot * 2)
            tir.emit("cm4t_widen", column, source, self.plan.row_quads, 2 * PIXELS)

    def _block(self, ob: Any, first: Any, count: int, outputs: int) -> None:
        """``count`` pixels from ``first`` on by ``outputs`` channels of block ``ob``."""
        tir, sums = self.tir, [(c, p) for c in range(outputs) for p in range(count)]
        acc = tir.locals("acc", PIXELS * BLOCK)
        for c, p in sums:
            tir.store(acc, p * BLOCK + c, self.table[(ob * BLOCK + c) * PARAMS_PER_CHANNEL])
        whole = count == PIXELS and outputs == BLOCK
        tir.repeat(self.plan.quads, UNROLL if whole else 1, lambda k: self._quad(acc, ob, k, count, outputs))
        for c, p in sums:
            channel = ob * BLOCK + c
            value = self.plan.requant.emit(tir, acc[p * BLOCK + c], self.table, channel)
            tir.store(self.output, (first + p) * self.plan.channels + channel, value)

    def _quad(self, acc: Any, ob: Any, k: Any, count: int, outputs: int) -> None:
        """Four values of the window."""
        tir, at = self.tir, (ob * self.plan.quads + k) * (2 * BLOCK)
        if count == PIXELS and outputs == BLOCK:
            tir.emit("cm4t_block", tir.at(acc, 0), tir.at(self.col, k * 2 * PIXELS), tir.at(self.wide, at))
            return
        for half in range(2):
            for i in (p * BLOCK + c for p in range(count) for c in range(outputs)):
                value = self.col[k * 2 * PIXELS + i // BLOCK * 2 + half]
                tir.store(acc, i, tir.call("cm4t_mla2", value, self.wide[at + i % BLOCK * 2 + half], acc[i]))
