# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D with multiplier 1: four channels at a time, straight from the NHWC image.

One load brings four channels of one tap; SXTB16 splits them into halfwords and SMLABB/SMLATT accumulate each channel by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cm4tiny.firmware.kernels.base import Array, Kernel, Param, Tir, prim_func, round_up
from cm4tiny.firmware.kernels.image import Border, Window
from cm4tiny.firmware.kernels.requant import PARAMS_PER_CHANNEL, Requant

GROUP = 4  # channels per pass
UNROLL = 16  # taps written out; larger kernels keep the loop over rows
_LANES = (("cm4t_mla_low", 0), ("cm4t_mla_low", 1), ("cm4t_mla_high", 0), ("cm4t_mla_high", 1))  # helper, word of the quad
_SPLIT = ("even", "odd")


def depthwise(window: Window, weights: Array, requant: Requant, *, pad_value: int) -> Kernel:
    """A depthwise convolution without dilation.

    Args:
        window: geometry.
        weights: int8 [ky, kx, channels].
        requant: of the layer.
        pad_value: the input's zero point.
    """
    ky, kx = window.kernel
    channels, taps = window.channels, ky * kx
    groups = round_up(channels, GROUP) // GROUP
    border = Border(window, pad_value, overrun=channels % GROUP != 0)
    constant = np.zeros((groups, taps, GROUP), np.int8)
    for c in range(channels):
        constant[c // GROUP, :, c % GROUP] = weights.reshape(taps, channels)[:, c]
    height, width = window.output

    def body(x: Any, w: Any, table: Any, *rest: Any) -> None:
        tir = Tir()
        *copy, wide, o = rest
        image = border.emit(tir, x, copy[0] if copy else None)
        tir.emit("cm4t_widen", tir.at(wide, 0), tir.at(w, 0), groups * taps, 2)
        _Body(window, requant, tir, image, table, wide, o).emit()

    spaces = (*border.workspaces(), constant.size * 2)
    params = [Param("x", window.bytes), Param("w", constant.size), Param("table", channels * PARAMS_PER_CHANNEL, "int32")]
    params += [Param("bordered", border.bytes)] if border.copies else []
    params += [Param("wide", constant.size // 2, "int32"), Param("o", height * width * channels)]
    return Kernel("depthwise", prim_func(params, body), (constant.reshape(-1), requant.table.reshape(-1)), spaces)


@dataclass(frozen=True)
class _Body:
    """The kernel's statements over its buffers: the bordered image, parameters, widened weights, the output."""

    window: Window
    requant: Requant
    tir: Tir
    image: Any
    table: Any
    wide: Any
    output: Any

    @property
    def row_bytes(self) -> int:
        return self.window.padded_width * self.window.channels

    def emit(self) -> None:
        """All groups of channels, the rest of fewer channels last."""
        tir, channels = self.tir, self.window.channels
        height, width = self.window.output
        if channels >= GROUP:
            with tir.loop(channels // GROUP, "group") as g, tir.loop(height, "oy") as oy, tir.loop(width, "ox") as ox:
                self._pixel(g, oy, ox, GROUP)
        if channels % GROUP:
            with tir.loop(height, "oy") as oy, tir.loop(width, "ox") as ox:
                self._pixel(channels // GROUP, oy, ox, channels % GROUP)

    def _pixel(self, group: Any, oy: Any, ox: Any, count: int) -> None:
        """``count`` channels of an output pixel."""
        tir, channels, strides = self.tir, self.window.channels, self.window.strides
        acc = tir.locals("acc", GROUP)
        for lane in range(count):
            tir.store(acc, lane, self.table[(group * GROUP + lane) * PARAMS_PER_CHANNEL])
        start = oy * (strides[0] * self.row_bytes) + ox * (strides[1] * channels) + group * GROUP
        self._taps(acc, count, start, group)
        for lane in range(count):
            channel = group * GROUP + lane
            value = self.requant.emit(tir, acc[lane], self.table, channel)
            tir.store(self.output, (oy * self.window.output[1] + ox) * channels + channel, value)

    def _taps(self, acc: Any, count: int, start: Any, group: Any) -> None:
        """All taps: written out if there are few."""
        ky, kx = self.window.kernel
        channels, taps = self.window.channels, ky * kx
        if taps <= UNROLL:
            for t in range(taps):
                self._tap(acc, count, start + (t // kx) * self.row_bytes + (t % kx) * channels, group * taps + t)
        else:
            with self.tir.loop(ky, "y") as y, self.tir.loop(kx, "kx") as t:
                self._tap(acc, count, start + y * self.row_bytes + t * channels, group * taps + y * kx + t)

    def _tap(self, acc: Any, count: int, at: Any, weight: Any) -> None:
        """One tap of ``count`` channels."""
        tir, wide = self.tir, self.wide
        if count == GROUP:
            tir.emit("cm4t_tap", tir.at(acc, 0), tir.at(self.image, at), tir.at(wide, weight * 2))
            return
        quad = tir.let("quad", tir.call("cm4t_load", tir.at(self.image, at)))
        lanes = _LANES[:count]
        words = sorted({word for _, word in lanes})
        halves = [tir.let(_SPLIT[word], tir.call(f"cm4t_{_SPLIT[word]}", quad)) for word in words]
        for lane, (helper, word) in enumerate(lanes):
            tir.store(acc, lane, tir.call(helper, halves[word], wide[weight * 2 + word], acc[lane]))
