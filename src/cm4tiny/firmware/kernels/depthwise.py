# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D with multiplier 1: four channels at a time, straight from the NHWC image.

One load brings four channels of one tap; SXTB16 splits them into halfwords and SMLABB/SMLATT accumulate each channel by itself.
"""

from __future__ import annotations

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
    row_bytes = window.padded_width * channels

    def body(x: Any, w: Any, table: Any, *rest: Any) -> None:
        tir = Tir()
        *copy, wide, o = rest
        image = border.emit(tir, x, copy[0] if copy else None)
        tir.do("cm4t_widen", tir.at(wide, 0), tir.at(w, 0), groups * taps, 2)

        def tap(acc: Any, count: int, at: Any, weight: Any) -> None:
            if count == GROUP:
                tir.do("cm4t_tap", tir.at(acc, 0), tir.at(image, at), tir.at(wide, weight * 2))
                return
            quad = tir.let("quad", tir.call("cm4t_load", tir.at(image, at)))
            lanes = _LANES[:count]
            words = sorted({word for _, word in lanes})
            halves = [tir.let(_SPLIT[word], tir.call(f"cm4t_{_SPLIT[word]}", quad)) for word in words]
            for lane, (helper, word) in enumerate(lanes):
                tir.store(acc, lane, tir.call(helper, halves[word], wide[weight * 2 + word], acc[lane]))

        def pixel(group: Any, oy: Any, ox: Any, count: int) -> None:
            acc = tir.locals("acc", GROUP)
            for lane in range(count):
                tir.store(acc, lane, table[(group * GROUP + lane) * PARAMS_PER_CHANNEL])
            start = oy * (window.strides[0] * row_bytes) + ox * (window.strides[1] * channels) + group * GROUP
            if taps <= UNROLL:
                for t in range(taps):
                    tap(acc, count, start + (t // kx) * row_bytes + (t % kx) * channels, group * taps + t)
            else:
                with tir.loop(ky, "y") as y, tir.loop(kx, "kx") as t:
                    tap(acc, count, start + y * row_bytes + t * channels, group * taps + y * kx + t)
            for lane in range(count):
                channel = group * GROUP + lane
                tir.store(o, (oy * width + ox) * channels + channel, requant.emit(tir, acc[lane], table, channel))

        if channels >= GROUP:
            with tir.loop(channels // GROUP, "group") as g, tir.loop(height, "oy") as oy, tir.loop(width, "ox") as ox:
                pixel(g, oy, ox, GROUP)
        if channels % GROUP:
            with tir.loop(height, "oy") as oy, tir.loop(width, "ox") as ox:
                pixel(channels // GROUP, oy, ox, channels % GROUP)

    spaces = (*border.workspaces(), constant.size * 2)
    params = [Param("x", window.bytes), Param("w", constant.size), Param("table", channels * PARAMS_PER_CHANNEL, "int32")]
    params += [Param("bordered", border.bytes)] if border.copies else []
    params += [Param("wide", constant.size // 2, "int32"), Param("o", height * width * channels)]
    return Kernel("depthwise", prim_func(params, body), (constant.reshape(-1), requant.table.reshape(-1)), spaces)
