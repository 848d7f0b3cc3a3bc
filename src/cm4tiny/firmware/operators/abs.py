# SPDX-License-Identifier: Apache-2.0
"""ABS."""

from __future__ import annotations

from cm4tiny.firmware.kernels.quant import quantize_multiplier, requantize
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.tables import add_table, ends


def _lower(site: Site) -> None:
    x, y = ends(site)
    multiplier = quantize_multiplier(x.scale / y.scale)
    add_table(site, x, y, lambda value: y.zero_point + requantize(abs(value - x.zero_point), multiplier))


OPERATOR = Operator(
    kinds=("ABS",),
    forms="any shape and scales",
    kernels="int8 `table`",
    references=("micro/kernels/elementwise.cc:234 AbsEvalQuantized",),
    lower=_lower,
)
