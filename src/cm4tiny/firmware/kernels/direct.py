# SPDX-License-Identifier: Apache-2.0
"""Convolutions of every other kind (dilation, depth multiplier, groups): plain loops, portable, slow, exact.

The window is moved over a bordered copy of the image, so that the inner loop has no conditions.
"""

from __future__ import annotations

from typing import Any

from cm4tiny.firmware.kernels.base import Array, Kernel, Param, Tir, prim_func
from cm4tiny.firmware.kernels.image import Border, Window
from cm4tiny.firmware.kernels.requant import PARAMS_PER_CHANNEL, Requant


def direct(window: Window, weights: Array, requant: Requant, *, pad_value: int) -> Kernel:
    """A convolution in plain loops.

    Args:
        window: geometry.
        weights: int8 [out, ky, kx, n]: n is the number of input channels of a group, which is all of them in one group, or 1 for a
            depthwise convolution.
        requant: of the layer.
        pad_value: the input's zero point.
    """
    outputs, ky, kx, depth = weights.shape
    channels = window.channels
    per_group = outputs // (channels // depth)
    border = Border(window, pad_value, overrun=False)
    height, width = window.output
    row_bytes = window.padded_width * channels

    def body(x: Any, w: Any, table: Any, *rest: Any) -> None:
        tir = Tir()
        *copy, o = rest
        image = border.emit(tir, x, copy[0] if copy else None)
        with tir.loop(height, "oy") as oy, tir.loop(width, "ox") as ox, tir.loop(outputs, "c") as c:
            acc = tir.locals("acc", 1)
            tir.store(acc, 0, table[c * PARAMS_PER_CHANNEL])
            first = tir.ir.truncdiv(c, per_group) * depth if per_group < outputs else 0
            start = oy * (window.strides[0] * row_bytes) + ox * (window.strides[1] * channels) + first
            with tir.loop(ky, "y") as y, tir.loop(kx, "t") as t, tir.loop(depth, "n") as n:
                value = image[start + y * (window.dilation[0] * row_bytes) + t * (window.dilation[1] * channels) + n]
                weight = w[((c * ky + y) * kx + t) * depth + n]
                tir.store(acc, 0, acc[0] + tir.ir.Cast("int32", value) * tir.ir.Cast("int32", weight))
            tir.store(o, (oy * width + ox) * outputs + c, requant.emit(tir, acc[0], table, c))

    params = [Param("x", window.bytes), Param("w", weights.size), Param("table", outputs * PARAMS_PER_CHANNEL, "int32")]
    params += [Param("bordered", border.bytes)] if border.copies else []
    params += [Param("o", height * width * outputs)]
    return Kernel("direct", prim_func(params, body), (weights.reshape(-1), requant.table.reshape(-1)), border.workspaces())
