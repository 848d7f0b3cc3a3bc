# SPDX-License-Identifier: Apache-2.0
"""AVERAGE_POOL_2D (tensorflow/lite/kernels/internal/reference/integer_ops/pooling.h): the mean of the values that lie inside the
image, rounded to the nearest, ties away from zero. Importers that truncate here lose bits on every keyword.
"""

from __future__ import annotations

from typing import Any

from cm4tiny.firmware.kernels.base import Kernel, Param, Tir, prim_func
from cm4tiny.firmware.kernels.image import Window


def average_pool(window: Window, *, low: int, high: int) -> Kernel:
    """A mean over windows; ``low`` and ``high`` clamp the result."""
    channels = window.channels
    height, width = window.output

    def body(x: Any, o: Any) -> None:
        tir = Tir()
        ir = tir.ir

        def pixel(oy: Any, ox: Any, bounds: Any, count: Any) -> None:
            top, bottom, left, right = bounds
            with tir.loop(channels, "c") as c:
                acc = tir.locals("acc", 1)
                tir.store(acc, 0, ir.int32(0))
                with tir.loop(bottom - top, "y") as y, tir.loop(right - left, "t") as t:
                    at = ((top + y) * window.width + left + t) * channels + c
                    tir.store(acc, 0, acc[0] + ir.Cast("int32", x[at]))
                half = ir.truncdiv(count, ir.int32(2))
                rounded = acc[0] + ir.Select(acc[0] > 0, half, 0 - half)
                mean = ir.truncdiv(rounded, count)
                tir.store(o, (oy * width + ox) * channels + c, tir.call("cm4t_clamp", mean, low, high, dtype="int8"))

        if any(window.padding):
            with tir.loop(height, "oy") as oy, tir.loop(width, "ox") as ox:
                y0 = oy * window.strides[0] - window.padding[0]
                x0 = ox * window.strides[1] - window.padding[1]
                top, left = ir.max(y0, 0), ir.max(x0, 0)
                bottom = ir.min(y0 + window.kernel[0], window.height)
                right = ir.min(x0 + window.kernel[1], window.width)
                pixel(oy, ox, (top, bottom, left, right), (bottom - top) * (right - left))
        else:
            with tir.loop(height, "oy") as oy, tir.loop(width, "ox") as ox:
                top, left = oy * window.strides[0], ox * window.strides[1]
                count = ir.int32(window.kernel[0] * window.kernel[1])
                pixel(oy, ox, (top, top + window.kernel[0], left, left + window.kernel[1]), count)

    params = [Param("x", window.bytes), Param("o", height * width * channels)]
    return Kernel("average_pool", prim_func(params, body))
