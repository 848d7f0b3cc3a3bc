# SPDX-License-Identifier: Apache-2.0
"""LEAKY_RELU."""

from __future__ import annotations

import numpy as np

from cm4tiny.firmware.kernels.quant import quantize_multiplier, requantize
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.tables import add_table, ends


def _lower(site: Site) -> None:
    alpha = np.float32(site.options("LeakyReluOptions").Alpha())
    if not 0 <= alpha <= 1 << 16:
        raise site.refuse(f"its slope is {alpha}", why="the reference's multiplier is not negative")
    x, y = ends(site)
    scale, wanted = np.float32(x.scale), np.float32(y.scale)
    positive, negative = quantize_multiplier(float(scale / wanted)), quantize_multiplier(float(scale * alpha / wanted))

    def function(value: int) -> int:
        centred = value - x.zero_point
        return y.zero_point + requantize(centred, positive if centred >= 0 else negative)

    add_table(site, x, y, function)


OPERATOR = Operator(
    kinds=("LEAKY_RELU",),
    forms="any shape and scales; a slope that is not negative",
    kernels="int8 `table`",
    references=("kernels/internal/reference/leaky_relu.h:38 QuantizeLeakyRelu",),
    lower=_lower,
)
