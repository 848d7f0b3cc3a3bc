# SPDX-License-Identifier: Apache-2.0
"""Sums, means, and largest and smallest values over any axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cm4tiny.firmware.kernels.base import Kernel, Param, Tir, prim_func
from cm4tiny.firmware.kernels.portable.loops import merged, nest, row_major
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN, Multiplier

CYCLES_PER_VALUE = 6
"""LDRSB, ADD or a comparison, and the loop."""


@dataclass(frozen=True)
class Axes:
    """The axes of a reduction: those that stay and those that are reduced, in elements of the dense input."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    reduced: tuple[int, ...]
    reduced_strides: tuple[int, ...]

    @property
    def outputs(self) -> int:
        return _product(self.shape)

    @property
    def count(self) -> int:
        """Values per output."""
        return _product(self.reduced)


def axes_of(shape: Sequence[int], axes: Sequence[int]) -> Axes:
    """``axes`` are numbers of the axes of ``shape`` that are reduced."""
    strides = row_major(shape)
    kept = [i for i in range(len(shape)) if i not in axes]
    gone = [i for i in range(len(shape)) if i in axes]
    stay, (steps,) = merged([shape[i] for i in kept], [strides[i] for i in kept])
    away, (jumps,) = merged([shape[i] for i in gone], [strides[i] for i in gone])
    return Axes(stay, steps, away, jumps)


def _product(numbers: Sequence[int]) -> int:
    total = 1
    for n in numbers:
        total *= n
    return total


def scaled_sum(axes: Axes, multiplier: Multiplier, *, input_zero_point: int, zero_point: int) -> Kernel:
    """``(sum of (x - input zero point)) * multiplier + zero point``, rounded twice and clamped to int8."""
    start = -input_zero_point * axes.count

    def finished(tir: Tir, total: Any) -> Any:
        constants = [tir.ir.int32(v) for v in (multiplier.mantissa, multiplier.shift, zero_point, INT8_MIN, INT8_MAX)]
        return tir.call("cm4t_requant_any", total, *constants, dtype="int8")

    return _reduction("sum", axes, start, lambda tir, total, x: total + x, finished)


def extreme(axes: Axes, *, largest: bool) -> Kernel:
    """The largest or the smallest value."""

    def step(tir: Tir, best: Any, x: Any) -> Any:
        return tir.ir.max(best, x) if largest else tir.ir.min(best, x)

    return _reduction(
        "max" if largest else "min", axes, INT8_MIN if largest else INT8_MAX, step, lambda tir, best: tir.ir.Cast("int8", best)
    )


def place_of_extreme(shape: Sequence[int], axis: int, *, largest: bool) -> Kernel:
    """Where along an axis the first of the largest or smallest values lies, less 128."""
    inner = _product(shape[axis + 1 :])
    outer, count = _product(shape[:axis]), shape[axis]

    def body(x: Any, o: Any) -> None:
        tir = Tir()
        ir = tir.ir
        with tir.loop(outer, "y") as y, tir.loop(inner, "c") as c:
            best, place = tir.locals("best", 1), tir.locals("place", 1)
            tir.store(best, 0, ir.Cast("int32", x[y * (count * inner) + c]))
            tir.store(place, 0, ir.int32(0))
            with tir.loop(count, "i") as i:
                value = tir.let("value", ir.Cast("int32", x[(y * count + i) * inner + c]))
                with tir.when(value > best[0] if largest else value < best[0]):
                    tir.store(best, 0, value)
                    tir.store(place, 0, i)
            tir.store(o, y * inner + c, ir.Cast("int8", place[0] - 128))

    return Kernel("place", prim_func([Param("x", outer * count * inner), Param("o", outer * inner)], body))


def _reduction(name: str, axes: Axes, start: int, step: Any, finished: Any) -> Kernel:
    to = row_major(axes.shape)

    def body(x: Any, o: Any) -> None:
        tir = Tir()

        def one(origin: Any, target: Any) -> None:
            acc = tir.locals("acc", 1)
            tir.store(acc, 0, tir.ir.int32(start))

            def value(offset: Any) -> None:
                tir.store(acc, 0, step(tir, acc[0], tir.ir.Cast("int32", x[origin + offset])))

            nest(tir, axes.reduced, (axes.reduced_strides,), value, name="r")
            tir.store(o, target, finished(tir, acc[0]))

        nest(tir, axes.shape, (axes.strides, to), one)

    return Kernel(name, prim_func([Param("x", axes.outputs * axes.count), Param("o", axes.outputs)], body))
