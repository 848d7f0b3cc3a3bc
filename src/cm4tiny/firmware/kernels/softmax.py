# SPDX-License-Identifier: Apache-2.0
"""SOFTMAX, int8 to int8, in integers only (tensorflow/lite/kernels/internal/reference/softmax.h).

The exponential of a difference to the row's maximum only depends on that difference: the compiler tabulates all 256 of them. What
remains for the target is the sum, one reciprocal and one product per value.
"""

from __future__ import annotations

from typing import Any

from cm4tiny.firmware.kernels.base import Kernel, Param, Tir, prim_func, words
from cm4tiny.firmware.kernels.quant import softmax_table

ACCUMULATOR_BITS = 12  # integer bits of the sum


def softmax(rows: int, count: int, input_scale: float) -> Kernel:
    """Softmax over the last axis of [rows, count], at most 511 values per row; the output has scale 1/256 and zero point -128."""

    def body(x: Any, exp: Any, o: Any) -> None:
        tir = Tir()
        ir = tir.ir

        def difference(row: Any, i: Any, top: Any) -> Any:
            return tir.let("e", exp[top[0] - ir.Cast("int32", x[row * count + i])])

        with tir.loop(rows, "row") as row:
            top, total = tir.locals("top", 1), tir.locals("total", 1)
            tir.store(top, 0, ir.int32(-128))
            tir.store(total, 0, ir.int32(0))
            with tir.loop(count, "i") as i:
                tir.store(top, 0, ir.max(top[0], ir.Cast("int32", x[row * count + i])))
            with tir.loop(count, "i") as i:
                e = difference(row, i, top)
                with tir.when(e >= 0):
                    tir.store(total, 0, total[0] + tir.call("cm4t_rounding_shift", e, ACCUMULATOR_BITS))
            scale = tir.let("scale", tir.call("cm4t_reciprocal", total[0]))
            exponent = tir.let("exponent", ACCUMULATOR_BITS + 31 - 8 - tir.call("cm4t_leading_zeros", total[0]))
            with tir.loop(count, "i") as i:
                e = difference(row, i, top)
                product = tir.call("cm4t_high_mul", scale, ir.max(e, 0))
                value = tir.call("cm4t_rounding_shift", product, exponent) - 128
                tir.store(o, row * count + i, tir.call("cm4t_clamp", value, -128, 127, dtype="int8"))

    params = [Param("x", rows * count), Param("exp", 256, "int32"), Param("o", rows * count)]
    return Kernel("softmax", prim_func(params, body), (words(softmax_table(input_scale)),))
