# SPDX-License-Identifier: Apache-2.0
"""STRIDED_SLICE and SLICE."""

from __future__ import annotations

from types import EllipsisType

from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.moves import take

Part = slice | int | None | EllipsisType


def _lower(site: Site) -> None:
    parts = _slice(site) if site.operator.kind == "SLICE" else _strided_slice(site)
    rank = len(site.inputs[0].shape)
    if sum(isinstance(part, slice | int) for part in parts) > rank or parts.count(Ellipsis) > 1:
        raise site.damaged("slices more axes than its input has")
    for part, n in zip(parts, site.inputs[0].shape, strict=False):
        if isinstance(part, int) and not -n <= part < n:
            raise site.damaged(f"takes element {part} of {n}")
    take(site, lambda array: array[tuple(parts)])


def _slice(site: Site) -> list[Part]:
    site.need_inputs(3)
    begin, size = site.numbers(1), site.numbers(2)
    shape = site.inputs[0].shape
    if not len(begin) == len(size) == len(shape) or any(not 0 <= b <= n or b + c > n for b, c, n in zip(begin, size, shape, strict=True)):
        raise site.damaged(f"takes {list(size)} from {list(begin)} on of {list(shape)}")
    return [slice(b, None if c == -1 else b + c) for b, c in zip(begin, size, strict=True)]


def _strided_slice(site: Site) -> list[Part]:
    site.need_inputs(4)
    options = site.options("StridedSliceOptions")
    begin, end, strides = (site.numbers(place) for place in (1, 2, 3))
    if not len(begin) == len(end) == len(strides) or 0 in strides:
        raise site.damaged(f"has the strides {list(strides)}")
    parts: list[Part] = []
    for i, (first, last, step) in enumerate(zip(begin, end, strides, strict=True)):
        bit = 1 << i
        if options.EllipsisMask() & bit:
            parts.append(Ellipsis)
        elif options.NewAxisMask() & bit:
            parts.append(None)
        elif options.ShrinkAxisMask() & bit:
            parts.append(first)
        else:
            low = None if options.BeginMask() & bit else first
            high = None if options.EndMask() & bit else last
            parts.append(slice(low, high, step))
    return parts


OPERATOR = Operator(
    kinds=("STRIDED_SLICE", "SLICE"),
    forms="constant bounds; any strides and masks",
    kernels="int8 `move`; none for a shape, which the compiler computes",
    references=("kernels/internal/reference/strided_slice.h:92 StridedSlice", "kernels/internal/reference/slice.h:33 Slice"),
    lower=_lower,
)
