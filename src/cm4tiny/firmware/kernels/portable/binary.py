# SPDX-License-Identifier: Apache-2.0
"""Functions of two int8 values with broadcasting; one of the operands may be a constant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cm4tiny.firmware.kernels.add import LEFT_SHIFT, AddPlan
from cm4tiny.firmware.kernels.base import Array, Kernel, Param, Tir, prim_func
from cm4tiny.firmware.kernels.portable.loops import merged, nest, row_major
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN, Multiplier

CYCLES_PER_VALUE = 30
"""Of sums, which have three products; measured by the C compiler's listing: 24 to 32."""

Function = Callable[[Tir, Any, Any], Any]
"""The int8 expression for two int32 expressions."""


@dataclass(frozen=True)
class Operand:
    """``shape`` as the file has it; ``values`` if it is a constant."""

    shape: tuple[int, ...]
    values: Array | None = None


def broadcast_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of the result; None if the shapes do not fit."""
    rank = max(len(a), len(b))
    pairs = list(zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True))
    if any(m != n and 1 not in (m, n) for m, n in pairs):
        return None
    return tuple(max(m, n) for m, n in pairs)


def binary(name: str, operands: tuple[Operand, Operand], shape: tuple[int, ...], function: Function) -> Kernel:
    """``o = function(a, b)``; the kernel's parameters are the operands that are no constants, then those that are."""
    walk, steps = merged(shape, *(_strides(operand.shape, shape) for operand in operands), row_major(shape))
    order = sorted((0, 1), key=lambda i: operands[i].values is not None)

    def body(*buffers: Any) -> None:
        tir = Tir()
        *given, o = buffers
        read = dict(zip(order, given, strict=True))

        def one(at: Any, bt: Any, to: Any) -> None:
            x, y = (tir.ir.Cast("int32", read[i][offset]) for i, offset in enumerate((at, bt)))
            tir.store(o, to, function(tir, x, y))

        nest(tir, walk, steps, one)

    params = [Param("ab"[i], _size(operands[i].shape)) for i in order]
    held = tuple(operand.values.reshape(-1) for operand in operands if operand.values is not None)
    return Kernel(name, prim_func([*params, Param("o", _size(shape))], body), held)


def _size(shape: tuple[int, ...]) -> int:
    total = 1
    for n in shape:
        total *= n
    return total


def _strides(shape: tuple[int, ...], whole: tuple[int, ...]) -> tuple[int, ...]:
    """Of an operand along the axes of the result: 0 where it is broadcast."""
    padded = (1,) * (len(whole) - len(shape)) + shape
    return tuple(step if n > 1 else 0 for n, step in zip(padded, row_major(padded), strict=True))


def weighted_sum(plan: AddPlan, *, subtract: bool) -> Function:
    """ADD and SUB of tensorflow/lite/kernels/internal/reference: both are brought to twice the larger scale, added or subtracted, and
    brought to the output's scale."""

    def scaled(tir: Tir, value: Any, zero_point: int, multiplier: Multiplier) -> Any:
        return _times(tir, (value - zero_point) * (1 << LEFT_SHIFT), multiplier)

    def function(tir: Tir, a: Any, b: Any) -> Any:
        left = tir.let("left", scaled(tir, a, plan.zero_point_a, plan.multiplier_a))
        right = tir.let("right", scaled(tir, b, plan.zero_point_b, plan.multiplier_b))
        total = _times(tir, left - right if subtract else left + right, plan.multiplier) + plan.zero_point
        return tir.call("cm4t_clamp", total, plan.low, plan.high, dtype="int8")

    return function


def _times(tir: Tir, value: Any, multiplier: Multiplier) -> Any:
    """MultiplyByQuantizedMultiplierSmallerThanOneExp: the shift is not positive."""
    product = tir.call("cm4t_high_mul", value, tir.ir.int32(multiplier.mantissa))
    return tir.call("cm4t_rounding_shift", product, tir.ir.int32(-multiplier.shift)) if multiplier.shift else product


def product(zero_points: tuple[int, int, int], multiplier: Multiplier, low: int, high: int) -> Function:
    """MUL; zero points of the operands and the output."""

    def function(tir: Tir, a: Any, b: Any) -> Any:
        constants = [tir.ir.int32(v) for v in (multiplier.mantissa, multiplier.shift, zero_points[2], low, high)]
        return tir.call("cm4t_requant_any", (a - zero_points[0]) * (b - zero_points[1]), *constants, dtype="int8")

    return function


@dataclass(frozen=True)
class SquarePlan:
    """Zero points of the operands and the output; factors of the operands, shifted up before, and of the square."""

    zero_points: tuple[int, int, int]
    left_shift: int
    multipliers: tuple[Multiplier, Multiplier]
    multiplier: Multiplier


def squared_difference(plan: SquarePlan) -> Function:
    """SQUARED_DIFFERENCE: as SUB with fewer bits, and squared before it is brought to the output's scale."""

    def function(tir: Tir, a: Any, b: Any) -> Any:
        centred = [value - zero for value, zero in zip((a, b), plan.zero_points, strict=False)]
        left, right = (_times(tir, value * (1 << plan.left_shift), m) for value, m in zip(centred, plan.multipliers, strict=True))
        difference = tir.let("difference", left - right)
        constants = [tir.ir.int32(v) for v in (plan.multiplier.mantissa, plan.multiplier.shift, plan.zero_points[2], INT8_MIN, INT8_MAX)]
        return tir.call("cm4t_requant_any", difference * difference, *constants, dtype="int8")

    return function


def sloped(zero_points: tuple[int, int, int], factors: tuple[Multiplier, Multiplier]) -> Function:
    """PRELU: the second operand is the slope; factors of values that are not negative, and of the others' product with it."""

    def function(tir: Tir, a: Any, b: Any) -> Any:
        value, slope = tir.let("value", a - zero_points[0]), b - zero_points[1]
        results = []
        for number, factor in zip((value, value * slope), factors, strict=True):
            constants = [tir.ir.int32(v) for v in (factor.mantissa, factor.shift, zero_points[2], INT8_MIN, INT8_MAX)]
            results.append(tir.call("cm4t_requant_any", number, *constants, dtype="int8"))
        return tir.ir.Select(value >= 0, *results)

    return function


def extreme_of_two(*, largest: bool) -> Function:
    """MAXIMUM and MINIMUM."""

    def function(tir: Tir, a: Any, b: Any) -> Any:
        return tir.ir.Cast("int8", tir.ir.max(a, b) if largest else tir.ir.min(a, b))

    return function
