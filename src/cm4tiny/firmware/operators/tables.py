# SPDX-License-Identifier: Apache-2.0
"""What the operators share that are a function of one int8 value: the compiler evaluates it for all 256."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from cm4tiny.firmware.graph import Portable, Tensor
from cm4tiny.firmware.kernels.portable.table import CYCLES_PER_VALUE, look_up
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN
from cm4tiny.firmware.operators.base import Site


def add_table(site: Site, x: Tensor, y: Tensor, function: Callable[[int], int]) -> None:
    """A layer that applies a function; its results are clamped to int8."""
    values = [max(INT8_MIN, min(INT8_MAX, function(value))) for value in range(INT8_MIN, INT8_MAX + 1)]
    table = np.array(values, np.int8)
    make = functools.partial(look_up, x.size, table)
    site.add(Portable(inputs=(x,), output=y, operator=site.operator.kind, facts=("table",), make=make, cycles=CYCLES_PER_VALUE * x.size))


def ends(site: Site) -> tuple[Tensor, Tensor]:
    """Input and output of a function of one value."""
    x = site.activation()
    site.check_shape(site.inputs[0].shape)
    return x, site.result()
