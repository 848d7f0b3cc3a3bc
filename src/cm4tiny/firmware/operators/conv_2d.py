# SPDX-License-Identifier: Apache-2.0
"""CONV_2D: the fast kernels for one group, plain loops for several."""

from __future__ import annotations

import functools

import numpy as np

from cm4tiny.firmware.graph import Conv, Portable
from cm4tiny.firmware.kernels.direct import direct
from cm4tiny.firmware.kernels.quant import convolution_multipliers
from cm4tiny.firmware.kernels.requant import plan_requant
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.weighted import (
    activation_bounds,
    check_image,
    check_window,
    checked_weights,
    four_dimensional_weights,
    window_of,
)

CYCLES_PER_PRODUCT = 9
"""Of the plain loops: two loads, a multiply-accumulate, addresses and the loop."""


def _lower(site: Site) -> None:
    check_image(site)
    options = site.options("Conv2DOptions")
    outputs, ky, kx, depth = four_dimensional_weights(site)
    low, high = activation_bounds(site, options)
    window = window_of(site, options, (ky, kx), (options.DilationHFactor(), options.DilationWFactor()))
    groups = window.channels // depth
    if groups * depth != window.channels or outputs % max(1, groups):
        raise site.refuse(f"its weights take {depth} of {window.channels} channels", why="that makes no whole groups")
    weights, bias, scales = checked_weights(site, outputs, 0)
    x = site.activation()
    check_window(site, window, outputs)
    y = site.result()
    weights = np.ascontiguousarray(weights)
    if groups == 1:
        site.add(Conv(inputs=(x,), output=y, low=low, high=high, window=window, weights=weights, bias=bias, weight_scales=scales))
        return
    site.own_form()
    requant = plan_requant(
        weights.reshape(outputs, -1),
        bias,
        convolution_multipliers(x.scale, scales, y.scale, outputs),
        input_zero_point=x.zero_point,
        output_zero_point=y.zero_point,
        low=low,
        high=high,
    )
    products = y.size * ky * kx * depth
    make = functools.partial(direct, window, weights, requant, pad_value=x.zero_point)
    site.add(Portable(inputs=(x,), output=y, operator="CONV_2D", facts=(window, weights.shape, low, high), make=make,
                      cycles=CYCLES_PER_PRODUCT * products, products=products))  # fmt: skip


OPERATOR = Operator(
    kinds=("CONV_2D",),
    forms="one image; per tensor or per channel; SAME, VALID; any stride, dilation and number of groups",
    kernels="int16 `conv`, `winograd`, `dense` if the window is the image; int8 `conv`, `dense`, `direct` if dilated or in groups",
    references=("kernels/internal/reference/integer_ops/conv.h:26 ConvPerChannel",),
    lower=_lower,
    imported=True,
)
