# SPDX-License-Identifier: Apache-2.0
"""PAD and PADV2: a border of the real number zero, or of a constant."""

from __future__ import annotations

from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.moves import put


def _lower(site: Site) -> None:
    site.need_inputs(2)
    numbers, shape = site.numbers(1), site.inputs[0].shape
    if len(numbers) != 2 * len(shape) or min(numbers) < 0:
        raise site.damaged(f"has the paddings {list(numbers)}")
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    site.check_shape(tuple(before + n + after for n, (before, after) in zip(shape, pairs, strict=True)))
    site.output.require_activation(f"the output of {site.operator.kind}")
    fill = site.output.zero_points[0]
    if len(site.inputs) > 2:
        site.same_scale(2)
        values = site.numbers(2)
        if len(values) != 1:
            raise site.damaged(f"pads with {len(values)} values")
        fill = values[0]
    parts = tuple(slice(before, before + n) for n, (before, _) in zip(shape, pairs, strict=True))
    put(site, (0,), (lambda array: array[parts],), fill=fill)


OPERATOR = Operator(
    kinds=("PAD", "PADV2"),
    forms="constant paddings; one scale for all",
    kernels="int8 `move`",
    references=("kernels/internal/reference/pad.h:38 PadImpl",),
    lower=_lower,
)
