# SPDX-License-Identifier: Apache-2.0
"""SQUARED_DIFFERENCE."""

from __future__ import annotations

from cm4tiny.firmware.kernels.portable.binary import SquarePlan, squared_difference
from cm4tiny.firmware.kernels.quant import quantize_multiplier
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.elementwise import add_binary, scale_of, two_operands

_LEFT_SHIFT = 7


def _lower(site: Site) -> None:
    operands = two_operands(site)
    (a, zero_a), (b, zero_b) = scale_of(site, 0), scale_of(site, 1)
    site.output.require_activation("the output of SQUARED_DIFFERENCE")
    twice, y = 2.0 * max(a, b), site.output
    plan = SquarePlan(
        zero_points=(zero_a, zero_b, y.zero_points[0]),
        left_shift=_LEFT_SHIFT,
        multipliers=(quantize_multiplier(a / twice), quantize_multiplier(b / twice)),
        multiplier=quantize_multiplier(twice * twice / ((1 << 2 * _LEFT_SHIFT) * y.scales[0])),
    )
    add_binary(site, operands, squared_difference(plan), (plan,))


OPERATOR = Operator(
    kinds=("SQUARED_DIFFERENCE",),
    forms="any shapes that broadcast; one operand may be a constant",
    kernels="int8 `binary`",
    references=("micro/kernels/squared_difference.cc:36 SquaredDifference",),
    lower=_lower,
)
