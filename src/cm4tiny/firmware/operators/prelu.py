# SPDX-License-Identifier: Apache-2.0
"""PRELU: a slope for negative values that may differ by channel."""

from __future__ import annotations

import numpy as np

from cm4tiny.firmware.kernels.portable.binary import sloped
from cm4tiny.firmware.kernels.quant import quantize_multiplier
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.elementwise import add_binary, scale_of, two_operands


def _lower(site: Site) -> None:
    operands = two_operands(site)
    if operands[0].values is not None or operands[1].values is None:
        raise site.refuse("its slopes are computed", why="constants are implemented")
    (a, zero_a), (b, zero_b) = scale_of(site, 0), scale_of(site, 1)
    y = site.output
    y.require_activation("the output of PRELU")
    scale, slope, wanted = np.float32(a), np.float32(b), np.float32(y.scales[0])
    factors = (quantize_multiplier(float(scale / wanted)), quantize_multiplier(float(scale * slope / wanted)))
    zero_points = (zero_a, zero_b, y.zero_points[0])
    add_binary(site, operands, sloped(zero_points, factors), (zero_points, factors))


OPERATOR = Operator(
    kinds=("PRELU",),
    forms="constant slopes of any shape that broadcasts",
    kernels="int8 `binary`",
    references=("kernels/internal/reference/prelu.h:31 BroadcastPrelu4DSlow",),
    lower=_lower,
)
