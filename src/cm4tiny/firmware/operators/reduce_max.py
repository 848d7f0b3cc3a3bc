# SPDX-License-Identifier: Apache-2.0
"""REDUCE_MAX and REDUCE_MIN over any axes."""

from __future__ import annotations

import functools

from cm4tiny.firmware.graph import Portable
from cm4tiny.firmware.kernels.portable.reduce import CYCLES_PER_VALUE, extreme
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.mean import reduced_axes


def _lower(site: Site) -> None:
    axes = reduced_axes(site)
    x = site.activation()
    site.same_scale()
    y = site.result()
    make = functools.partial(extreme, axes, largest=site.operator.kind == "REDUCE_MAX")
    site.add(Portable(inputs=(x,), output=y, operator=site.operator.kind, facts=(axes,), make=make, cycles=CYCLES_PER_VALUE * x.size))


OPERATOR = Operator(
    kinds=("REDUCE_MAX", "REDUCE_MIN"),
    forms="any axes, kept or not; one scale for input and output",
    kernels="int8 `reduce`",
    references=("kernels/internal/reference/reduce.h:234 ReduceGeneric",),
    lower=_lower,
)
