# SPDX-License-Identifier: Apache-2.0
"""AVERAGE_POOL_2D."""

from __future__ import annotations

from cm4tiny.firmware.graph import AveragePool
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
    site.add(AveragePool(inputs=(x,), output=site.result(), low=low, high=high, window=window))


OPERATOR = Operator(
    kinds=("AVERAGE_POOL_2D",),
    forms="one image; SAME, VALID; one scale for input and output",
    kernels="int16 `pool`; int8 `average_pool`",
    references=("kernels/internal/reference/integer_ops/pooling.h:26 AveragePool",),
    lower=_lower,
    imported=True,
)
