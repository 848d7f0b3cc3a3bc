# SPDX-License-Identifier: Apache-2.0
"""MAX_POOL_2D: the largest value of the part of each window that lies inside the image."""

from __future__ import annotations

from typing import Any

from cm4tiny.firmware.kernels.base import Kernel, Param, Tir, prim_func
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.quant import INT8_MIN

CYCLES_PER_VALUE = 8


def max_pool(window: Window, *, low: int, high: int) -> Kernel:
    """``low`` and ``high`` clamp the result."""
    channels, (height, width) = window.channels, window.output

    def body(x: Any, o: Any) -> None:
        tir = Tir()
        ir = tir.ir
        with tir.loop(height, "oy") as oy, tir.loop(width, "ox") as ox:
            y0, x0 = oy * window.strides[0] - window.padding[0], ox * window.strides[1] - window.padding[1]
            top, left = ir.max(y0, 0), ir.max(x0, 0)
            bottom, right = ir.min(y0 + window.kernel[0], window.height), ir.min(x0 + window.kernel[1], window.width)
            with tir.loop(channels, "c") as c:
                best = tir.locals("best", 1)
                tir.store(best, 0, ir.int32(INT8_MIN))
                with tir.loop(bottom - top, "y") as y, tir.loop(right - left, "t") as t:
                    at = ((top + y) * window.width + left + t) * channels + c
                    tir.store(best, 0, ir.max(best[0], ir.Cast("int32", x[at])))
                tir.store(o, (oy * width + ox) * channels + c, tir.call("cm4t_clamp", best[0], low, high, dtype="int8"))

    return Kernel("max_pool", prim_func([Param("x", window.bytes), Param("o", height * width * channels)], body))
