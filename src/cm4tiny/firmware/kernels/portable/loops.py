# SPDX-License-Identifier: Apache-2.0
"""Nested loops over several axes, with a stride per axis and operand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from cm4tiny.firmware.kernels.base import Tir


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a dense array, in elements."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def merged(shape: Sequence[int], *strides: Sequence[int]) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """The same elements in the same order with as few axes as possible: axes of one element go, and neighbours that every operand walks
    through in one step become one."""
    axes: list[tuple[int, ...]] = []
    for n, *steps in zip(shape, *strides, strict=True):
        if n == 1:
            continue
        if axes and all(last == n * step for last, step in zip(axes[-1][1:], steps, strict=True)):
            axes[-1] = (axes[-1][0] * n, *steps)
        else:
            axes.append((n, *steps))
    columns = list(zip(*axes, strict=True)) if axes else [()] * (1 + len(strides))
    return columns[0], tuple(columns[1:])


def nest(tir: Tir, shape: Sequence[int], strides: Sequence[Sequence[int]], body: Callable[..., None], *, name: str = "i") -> None:
    """``body(offsets...)`` for all elements, one offset per operand."""
    with ExitStack() as stack:
        indices = [stack.enter_context(tir.loop(n, f"{name}{axis}")) for axis, n in enumerate(shape)]
        body(*[_offset(tir, indices, steps) for steps in strides])


def _offset(tir: Tir, indices: Sequence[Any], steps: Sequence[int]) -> Any:
    total: Any = tir.ir.int32(0)
    for index, step in zip(indices, steps, strict=True):
        total = total + index * step
    return total
