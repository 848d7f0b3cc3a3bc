# SPDX-License-Identifier: Apache-2.0
"""MAX_POOL_2D."""

from __future__ import annotations

import functools

from cm4tiny.firmware.graph import Portable
from cm4tiny.firmware.kernels.portable.max_pool import CYCLES_PER_VALUE, max_pool
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.weighted import activation_bounds, check_image, check_window, window_of


def _lower(site: Site) -> None:
    check_image(site)
    options = site.options("Pool2DOptions")
    low, high = activation_bounds(site, options)
    x = site.activation()
    site.same_scale()
    window = window_of(site, options, (options.FilterHeight(), options.FilterWidth()))
    check_window(site, window, window.channels)
    y = site.result()
    cycles = CYCLES_PER_VALUE * y.size * window.kernel[0] * window.kernel[1]
    make = functools.partial(max_pool, window, low=low, high=high)
    site.add(Portable(inputs=(x,), output=y, operator="MAX_POOL_2D", facts=(window, low, high), make=make, cycles=cycles))


OPERATOR = Operator(
    kinds=("MAX_POOL_2D",),
    forms="one image; SAME, VALID; one scale for input and output",
    kernels="int8 `max_pool`",
    references=("kernels/internal/reference/integer_ops/pooling.h:86 MaxPool",),
    lower=_lower,
)
