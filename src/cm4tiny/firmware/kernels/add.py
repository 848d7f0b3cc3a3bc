# SPDX-License-Identifier: Apache-2.0
"""ADD of two int8 tensors (tensorflow/lite/kernels/internal/reference/integer_ops/add.h).

Both inputs are brought to twice the larger of their scales with 20 extra bits, added, and brought to the output's scale. The input
with the larger scale has the factor 1/2 exactly: for it the multiplication is a shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cm4tiny.firmware.kernels.base import Kernel, Param, Tir, prim_func
from cm4tiny.firmware.kernels.quant import Multiplier, quantize_multiplier

LEFT_SHIFT = 20
_HALF = Multiplier(1 << 30, 0)


@dataclass(frozen=True)
class AddPlan:
    """Zero points and factors of an addition; ``a`` and ``b`` are the inputs."""

    zero_point_a: int
    zero_point_b: int
    zero_point: int
    multiplier_a: Multiplier
    multiplier_b: Multiplier
    multiplier: Multiplier
    low: int
    high: int


def plan_add(a: tuple[float, int], b: tuple[float, int], output: tuple[float, int], *, low: int, high: int) -> AddPlan:
    """From (scale, zero point) of the inputs and the output. The output's factor must be below 1, as TFLite demands."""
    twice = 2.0 * max(a[0], b[0])
    return AddPlan(
        zero_point_a=a[1],
        zero_point_b=b[1],
        zero_point=output[1],
        multiplier_a=quantize_multiplier(a[0] / twice),
        multiplier_b=quantize_multiplier(b[0] / twice),
        multiplier=quantize_multiplier(twice / ((1 << LEFT_SHIFT) * output[0])),
        low=low,
        high=high,
    )


def add(count: int, plan: AddPlan) -> Kernel:
    """Adds ``count`` pairs of values."""

    def scaled(tir: Tir, name: str, value: Any, zero_point: int, multiplier: Multiplier) -> Any:
        centred = tir.ir.Cast("int32", value) - zero_point
        if multiplier == _HALF:
            return centred * (1 << (LEFT_SHIFT - 1))
        product = tir.let(name, tir.call("cm4t_high", centred * (1 << (LEFT_SHIFT + 1)), multiplier.mantissa))
        return divided(tir, product, -multiplier.shift if multiplier.mantissa else 1)

    def divided(tir: Tir, product: Any, exponent: int) -> Any:
        """RoundingDivideByPOT; ties away from zero, no overflow in this form."""
        if exponent == 0:
            return product
        return tir.call("cm4t_half_up", product + tir.ir.shift_right(product, tir.ir.int32(31)), exponent - 1)

    def body(a: Any, b: Any, o: Any) -> None:
        tir = Tir()
        with tir.loop(count, "i") as i:
            left = scaled(tir, "pa", a[i], plan.zero_point_a, plan.multiplier_a)
            right = scaled(tir, "pb", b[i], plan.zero_point_b, plan.multiplier_b)
            doubled = (left + right) * 2
            product = tir.let("sum", tir.call("cm4t_high", doubled, plan.multiplier.mantissa))
            total = divided(tir, product, -plan.multiplier.shift if plan.multiplier.mantissa else 1) + plan.zero_point
            tir.store(o, i, tir.call("cm4t_clamp", total, plan.low, plan.high, dtype="int8"))

    return Kernel("add", prim_func([Param("a", count), Param("b", count), Param("o", count)], body))
