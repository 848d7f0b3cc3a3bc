# SPDX-License-Identifier: Apache-2.0
"""LOGISTIC and TANH, by gemmlowp's fixed-point functions."""

from __future__ import annotations

import math

from cm4tiny.firmware.kernels.fixed_point import logistic, tanh
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN, quantize_multiplier, requantize, rounding_shift
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.tables import add_table, ends

_INTEGER_BITS = 4


def _lower(site: Site) -> None:
    is_tanh = site.operator.kind == "TANH"
    wanted = (1.0 / 128.0, 0) if is_tanh else (1.0 / 256.0, -128)
    site.output.require_activation(f"the output of {site.operator.kind}")
    if (site.output.scales[0], site.output.zero_points[0]) != wanted:
        raise site.refuse(f"its output scale is not 1/{round(1 / wanted[0])} with zero point {wanted[1]}", why="TFLite has no other")
    x, y = ends(site)
    multiplier = quantize_multiplier(x.scale * (1 << (31 - _INTEGER_BITS)))
    if multiplier.shift < 0:
        raise site.refuse(f"its input scale is {x.scale}", why="TFLite's table has no step that small")
    radius = math.floor(((1 << _INTEGER_BITS) - 1) * (1 << (31 - _INTEGER_BITS)) / (1 << multiplier.shift))
    function, bits = (tanh, 7) if is_tanh else (logistic, 8)

    def value(stored: int) -> int:
        centred = stored - x.zero_point
        if not -radius < centred < radius:
            return INT8_MIN if centred < 0 else INT8_MAX
        return rounding_shift(function(requantize(centred, multiplier)), 31 - bits) + y.zero_point

    add_table(site, x, y, value)


OPERATOR = Operator(
    kinds=("LOGISTIC", "TANH"),
    forms="any shape and input scale; the output scale that TFLite requires",
    kernels="int8 `table`",
    references=("kernels/internal/reference/integer_ops/logistic.h:26 Logistic", "kernels/internal/reference/integer_ops/tanh.h:27 Tanh"),
    lower=_lower,
)
