# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE."""

from __future__ import annotations

from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.moves import take


def _lower(site: Site) -> None:
    site.need_inputs(2)
    axes = site.numbers(1)
    if sorted(axes) != list(range(len(site.inputs[0].shape))):
        raise site.damaged(f"has the axes {list(axes)}", why=f"its input has the shape {list(site.inputs[0].shape)}")
    site.check_shape(tuple(site.inputs[0].shape[axis] for axis in axes))
    take(site, lambda array: array.transpose(axes))


OPERATOR = Operator(
    kinds=("TRANSPOSE",),
    forms="any order of the axes",
    kernels="int8 `move`",
    references=("kernels/internal/reference/transpose.h:176 Transpose",),
    lower=_lower,
)
