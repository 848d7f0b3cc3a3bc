# SPDX-License-Identifier: Apache-2.0
"""MUL."""

from __future__ import annotations

from cm4tiny.firmware.kernels.portable.binary import product
from cm4tiny.firmware.kernels.quant import quantize_multiplier
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.elementwise import add_binary, scale_of, two_operands
from cm4tiny.firmware.operators.weighted import activation_bounds


def _lower(site: Site) -> None:
    low, high = activation_bounds(site, site.options("MulOptions"))
    operands = two_operands(site)
    (a, zero_a), (b, zero_b) = scale_of(site, 0), scale_of(site, 1)
    y = site.output
    multiplier = quantize_multiplier(a * b / y.scales[0])
    zero_points = (zero_a, zero_b, y.zero_points[0])
    add_binary(site, operands, product(zero_points, multiplier, low, high), (zero_points, multiplier, low, high))


OPERATOR = Operator(
    kinds=("MUL",),
    forms="any shapes that broadcast; one operand may be a constant",
    kernels="int8 `binary`",
    references=("kernels/internal/reference/integer_ops/mul.h:32 MulElementwise",),
    lower=_lower,
)
