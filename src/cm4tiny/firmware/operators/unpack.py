# SPDX-License-Identifier: Apache-2.0
"""UNPACK, SPLIT and SPLIT_V: one layer per output that is used."""

from __future__ import annotations

from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.moves import along, one_axis, take


def _lower(site: Site) -> None:
    if site.operator.kind == "UNPACK":
        axis = one_axis(site, site.options("UnpackOptions").Axis(), len(site.inputs[0].shape))
        if site.inputs[0].shape[axis] != len(site.outputs):
            raise site.damaged(f"makes {len(site.outputs)} tensors of {site.inputs[0].shape[axis]}")
        for i in range(len(site.outputs)):
            take(site, along(axis, i), 0, i)
        return
    place, axis, sizes = _split(site)
    if sum(sizes) != site.inputs[place].shape[axis] or min(sizes) < 1:
        raise site.damaged(f"splits {site.inputs[place].shape[axis]} into {list(sizes)}")
    start = 0
    for i, size in enumerate(sizes):
        take(site, along(axis, slice(start, start + size)), place, i)
        start += size


def _split(site: Site) -> tuple[int, int, tuple[int, ...]]:
    """Number of the input, axis, sizes."""
    variable = site.operator.kind == "SPLIT_V"
    site.need_inputs(3 if variable else 2)
    place = 0 if variable else 1
    numbers = site.numbers(2 if variable else 0)
    rank = len(site.inputs[place].shape)
    if len(numbers) != 1:
        raise site.damaged(f"has {len(numbers)} axes")
    axis, count = one_axis(site, numbers[0], rank), len(site.outputs)
    whole = site.inputs[place].shape[axis]
    if not variable:
        return place, axis, (whole // count,) * count
    sizes = site.numbers(1)
    if len(sizes) != count:
        raise site.damaged(f"has {len(sizes)} sizes for {count} tensors")
    return place, axis, tuple(whole - sum(n for n in sizes if n >= 0) if n == -1 else n for n in sizes)


OPERATOR = Operator(
    kinds=("UNPACK", "SPLIT", "SPLIT_V"),
    forms="any axis; constant sizes",
    kernels="int8 `move`, once for each tensor that is used",
    references=("micro/kernels/unpack.cc:30 UnpackImpl", "micro/kernels/split.cc:28 SplitImpl", "micro/kernels/split_v.cc:29 SplitImpl"),
    lower=_lower,
)
