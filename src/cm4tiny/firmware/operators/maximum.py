# SPDX-License-Identifier: Apache-2.0
"""MAXIMUM and MINIMUM."""

from __future__ import annotations

from cm4tiny.firmware.kernels.portable.binary import extreme_of_two
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.elementwise import add_binary, two_operands


def _lower(site: Site) -> None:
    operands = two_operands(site)
    for place in (0, 1):
        site.same_scale(place)
    largest = site.operator.kind == "MAXIMUM"
    add_binary(site, operands, extreme_of_two(largest=largest), ())


OPERATOR = Operator(
    kinds=("MAXIMUM", "MINIMUM"),
    forms="any shapes that broadcast; one operand may be a constant; one scale for all",
    kernels="int8 `binary`",
    references=("kernels/internal/reference/maximum_minimum.h:26 MaximumMinimumBroadcastSlow",),
    lower=_lower,
)
