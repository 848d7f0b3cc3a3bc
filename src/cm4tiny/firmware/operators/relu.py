# SPDX-License-Identifier: Apache-2.0
"""RELU, RELU6, RELU_N1_TO_1 and RELU_0_TO_1 that stand alone, with another scale behind them or the same."""

from __future__ import annotations

import numpy as np

from cm4tiny.firmware.kernels.quant import INT8_MAX, quantize_multiplier, requantize
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.tables import add_table, ends
from cm4tiny.firmware.operators.weighted import quantised_bound

_BOUNDS: dict[str, tuple[float, float | None]] = {
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}


def _lower(site: Site) -> None:
    x, y = ends(site)
    bottom, top = _BOUNDS[site.operator.kind]
    low, high = quantised_bound(site, bottom, 0), quantised_bound(site, top, INT8_MAX)
    multiplier = quantize_multiplier(float(np.float32(x.scale) / np.float32(y.scale)))

    def function(value: int) -> int:
        return max(low, min(high, y.zero_point + requantize(value - x.zero_point, multiplier)))

    add_table(site, x, y, function)


OPERATOR = Operator(
    kinds=tuple(_BOUNDS),
    forms="any shape and scales",
    kernels="int8 `table`",
    references=("micro/kernels/activations.cc:38 ReluEval",),
    lower=_lower,
)
