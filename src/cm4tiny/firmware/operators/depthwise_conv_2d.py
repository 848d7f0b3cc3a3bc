# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D."""

from __future__ import annotations

import numpy as np

from cm4tiny.errors import ModelError
from cm4tiny.firmware.graph import Conv
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.weighted import (
    activation_bounds,
    check_image,
    check_window,
    checked_weights,
    four_dimensional_weights,
    window_of,
)


def _lower(site: Site) -> None:
    check_image(site)
    options = site.options("DepthwiseConv2DOptions")
    first, ky, kx, outputs = four_dimensional_weights(site)
    channels = site.inputs[0].shape[3]
    if first != 1 or outputs != channels * options.DepthMultiplier():
        raise ModelError(
            f"DEPTHWISE_CONV_2D of '{site.output.name}' has weights of shape {list(site.inputs[1].shape)}",
            why=f"{channels} channels times a multiplier of {options.DepthMultiplier()} were announced",
        )
    low, high = activation_bounds(site, options)
    weights, bias, scales = checked_weights(site, outputs, 3)
    window = window_of(site, options, (ky, kx), (options.DilationHFactor(), options.DilationWFactor()))
    x = site.activation()
    check_window(site, window, outputs)
    site.add(Conv(inputs=(x,), output=site.result(), low=low, high=high, window=window, bias=bias, weight_scales=scales, depthwise=True,
                  weights=np.ascontiguousarray(weights[0].transpose(2, 0, 1)[..., None])))  # fmt: skip


OPERATOR = Operator(
    kinds=("DEPTHWISE_CONV_2D",),
    forms="one image; per tensor or per channel; SAME, VALID; any stride, dilation and multiplier",
    kernels="int16 `depthwise` (multiplier 1); int8 `depthwise`, `direct` if dilated or with a multiplier above 1",
    references=("kernels/internal/reference/integer_ops/depthwise_conv.h:24 DepthwiseConvPerChannel",),
    lower=_lower,
    imported=True,
)
