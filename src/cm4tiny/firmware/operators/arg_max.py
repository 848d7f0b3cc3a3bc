# SPDX-License-Identifier: Apache-2.0
"""ARG_MAX and ARG_MIN as the model's output: the first of the largest or smallest values."""

from __future__ import annotations

import functools

from cm4tiny.firmware.graph import Portable
from cm4tiny.firmware.kernels.portable.reduce import CYCLES_PER_VALUE, place_of_extreme
from cm4tiny.firmware.operators.base import INDEX_ZERO, Operator, Site
from cm4tiny.firmware.operators.moves import one_axis

_MOST = 256


def _lower(site: Site) -> None:
    site.need_inputs(2)
    shape, axes = site.inputs[0].shape, site.numbers(1)
    if len(axes) != 1:
        raise site.damaged(f"has {len(axes)} axes")
    axis = one_axis(site, axes[0], len(shape))
    site.check_shape(shape[:axis] + shape[axis + 1 :])
    if site.output.dtype != "int32" or site.operator.outputs[0] not in site.state.tables.outputs:
        raise site.refuse("it is not an int32 output of the model", why="indices inside a model are not implemented",
                          hint="end the model with it, with output_type int32")  # fmt: skip
    if shape[axis] > _MOST:
        raise site.refuse(f"it looks at {shape[axis]} values", why=f"an int8 output tells {_MOST} of them apart")
    x = site.activation()
    y = site.state.new(site.output.shape, 1.0, INDEX_ZERO)
    site.define(y)
    make = functools.partial(place_of_extreme, shape, axis, largest=site.operator.kind == "ARG_MAX")
    site.add(Portable(inputs=(x,), output=y, operator=site.operator.kind, facts=(shape, axis), make=make, cycles=CYCLES_PER_VALUE * x.size))


OPERATOR = Operator(
    kinds=("ARG_MAX", "ARG_MIN"),
    forms=f"int32, as an output of the model; up to {_MOST} values",
    kernels="int8 `reduce`",
    references=("kernels/internal/reference/arg_min_max.h:63 ArgMinMax",),
    lower=_lower,
)
