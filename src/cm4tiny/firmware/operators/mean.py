# SPDX-License-Identifier: Apache-2.0
"""MEAN and SUM over any axes.

The divisor of a mean goes into the multiplier, which loses some of its bits by that: so does the reference, whose mean is not always the
nearest.
"""

from __future__ import annotations

import functools

from cm4tiny.firmware.graph import Portable
from cm4tiny.firmware.kernels.portable.reduce import CYCLES_PER_VALUE, Axes, axes_of, scaled_sum
from cm4tiny.firmware.kernels.quant import Multiplier, quantize_multiplier
from cm4tiny.firmware.operators.base import Operator, Site, resolved_axes


def reduced_axes(site: Site) -> Axes:
    """The axes of a reduction, checked against the shape of the output."""
    site.need_inputs(2)
    shape = site.inputs[0].shape
    axes = resolved_axes(site, site.numbers(1), len(shape))
    keep = site.options("ReducerOptions").KeepDims()
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape)) if keep else tuple(n for i, n in enumerate(shape) if i not in axes)
    site.check_shape(kept)
    return axes_of(shape, axes)


def mean_multiplier(ratio: float, count: int) -> Multiplier:
    """Of the input's scale over the output's, divided by the number of values as ``QuantizedMeanOrSum`` does it."""
    whole = quantize_multiplier(ratio)
    shift = min(count.bit_length() - 1, 32, 31 + whole.shift)
    return Multiplier((whole.mantissa << shift) // count, whole.shift - shift)


def _lower(site: Site) -> None:
    axes = reduced_axes(site)
    x = site.activation()
    y = site.result()
    ratio = x.scale / y.scale
    multiplier = mean_multiplier(ratio, axes.count) if site.operator.kind == "MEAN" else quantize_multiplier(ratio)
    make = functools.partial(scaled_sum, axes, multiplier, input_zero_point=x.zero_point, zero_point=y.zero_point)
    site.add(Portable(inputs=(x,), output=y, operator=site.operator.kind, facts=(axes, multiplier), make=make,
                      cycles=CYCLES_PER_VALUE * x.size + 25 * y.size))  # fmt: skip


OPERATOR = Operator(
    kinds=("MEAN", "SUM"),
    forms="any axes, kept or not",
    kernels="int8 `reduce`",
    references=("kernels/internal/reference/reduce.h:373 QuantizedMeanOrSum",),
    lower=_lower,
)
