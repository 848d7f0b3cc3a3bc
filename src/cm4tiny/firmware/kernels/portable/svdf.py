# SPDX-License-Identifier: Apache-2.0
"""SVDF: a filter over features of the present input, then one over time, summed by ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cm4tiny.firmware.kernels.base import Array, Kernel, Param, Tir, prim_func, words
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN, Multiplier

CYCLES_PER_PRODUCT = 8


@dataclass(frozen=True)
class Svdf:
    """A layer.

    Attributes:
        features: int8 [filters, inputs].
        times: int8 or int16 [filters, memory].
        bias: int32 [units]; each unit is the sum of neighbouring filters.
        first, second: factors to the memory and to the output.
        zero_points: of the input, the memory and the output.
    """

    features: Array
    times: Array
    bias: Array
    first: Multiplier
    second: Multiplier
    zero_points: tuple[int, int, int]

    @property
    def products(self) -> int:
        return int(self.features.size + self.times.size)


def svdf(layer: Svdf) -> Kernel:
    """One input vector. The memory holds, per filter, what the features gave in the latest inferences, the present one last; it begins with
    the real number zero."""
    (filters, inputs), memory, units = layer.features.shape, layer.times.shape[1], layer.bias.size
    rank, dtype = filters // units, str(layer.times.dtype)
    limits = np.iinfo(layer.times.dtype)

    def body(x: Any, w: Any, t: Any, bias: Any, kept: Any, o: Any) -> None:
        tir = Tir()
        ir = tir.ir
        number, cast = ir.int32, ir.Cast
        with tir.loop(filters * memory - 1, "i") as i:
            tir.store(kept, i, kept[i + 1])
        with tir.loop(filters, "f") as f:
            acc = tir.locals("acc", 1)
            tir.store(acc, 0, number(0))
            with tir.loop(inputs, "n") as n:
                value = cast("int32", x[n]) - layer.zero_points[0]
                tir.store(acc, 0, acc[0] + value * cast("int32", w[f * inputs + n]))
            scaled = tir.call("cm4t_scaled", acc[0], number(layer.first.mantissa), number(layer.first.shift))
            clamped = ir.max(ir.min(tir.let("scaled", scaled), number(int(limits.max))), number(int(limits.min)))
            tir.store(kept, f * memory + memory - 1, cast(dtype, clamped + layer.zero_points[1]))
        with tir.loop(units, "u") as u:
            total = tir.locals("total", 1)
            tir.store(total, 0, bias[u])
            with tir.loop(rank * memory, "j") as j:
                at = u * (rank * memory) + j
                tir.store(total, 0, total[0] + (cast("int32", kept[at]) - layer.zero_points[1]) * cast("int32", t[at]))
            constants = [number(v) for v in (layer.second.mantissa, layer.second.shift, layer.zero_points[2], INT8_MIN, INT8_MAX)]
            tir.store(o, u, tir.call("cm4t_requant_any", total[0], *constants, dtype="int8"))

    params = [Param("x", inputs), Param("w", layer.features.size), Param("t", layer.times.size, dtype), Param("bias", units, "int32")]
    params += [Param("kept", filters * memory, dtype), Param("o", units)]
    held = (layer.features.reshape(-1), layer.times.reshape(-1), words(layer.bias))
    return Kernel(
        "svdf", prim_func(params, body), held, kept=(np.full(filters * memory, layer.zero_points[1], layer.times.dtype),), helpers=(SCALED,)
    )


SCALED = """/* TFLite's MultiplyByQuantizedMultiplier: shift to the left if positive, to the right if negative. */
static inline int32_t cm4t_scaled(int32_t x, int32_t mult, int32_t shift) {
    int32_t left = shift > 0 ? shift : 0;
    return cm4t_rounding_shift(cm4t_high_mul((int32_t)((uint32_t)x << left), mult), left - shift);
}"""
