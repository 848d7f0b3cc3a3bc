# SPDX-License-Identifier: Apache-2.0
"""What operators with windows, weights and fused activations share.

The rules follow the ``Prepare`` functions of tensorflow/lite/kernels: what they refuse is refused here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cm4tiny.errors import ModelError
from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN, activation_bound
from cm4tiny.firmware.model_tables import HINT_FILE
from cm4tiny.firmware.operators.base import Site

_MAX_ATTRIBUTE = 4096
_MAX_WINDOW = 1 << 16


def activation_bounds(site: Site, options: Any) -> tuple[int, int]:
    """The clamp of the output, in quantised values, by the fused activation (``CalculateActivationRangeQuantized``)."""
    import tflite

    kinds = tflite.ActivationFunctionType
    bounds = {kinds.NONE: (None, None), kinds.RELU: (0.0, None), kinds.RELU6: (0.0, 6.0), kinds.RELU_N1_TO_1: (-1.0, 1.0)}
    kind = options.FusedActivationFunction()
    if kind not in bounds:
        raise site.refuse("its activation is not implemented", why="only RELU, RELU6 and RELU_N1_TO_1 are")
    low, high = bounds[kind]
    return quantised_bound(site, low, INT8_MIN), quantised_bound(site, high, INT8_MAX)


def quantised_bound(site: Site, value: float | None, end: int) -> int:
    """A bound in the output's quantised values; ``end`` where there is none."""
    if value is None:
        return end
    y = site.output
    y.require_activation(f"the output of {site.operator.kind}")
    return max(INT8_MIN, min(INT8_MAX, activation_bound(value, y.scales[0], y.zero_points[0])))


def checked_weights(site: Site, channels: int, axis: int) -> tuple[Array, Array, Array]:
    """Weights, biases (zeros if there are none) and scales of a layer with ``channels`` outputs along ``axis`` of the weights."""
    scales = checked_scales(site, channels, axis)
    return site.array(1), checked_bias(site, 2, channels), scales


def checked_scales(site: Site, channels: int, axis: int) -> Array:
    """float32 scales of the weights, which are the second input."""
    weights = site.inputs[1]
    if weights.dtype != "int8" or any(weights.zero_points):
        raise site.refuse(f"its weights '{weights.name}' are {weights.dtype}", why="the engine takes int8 with zero point 0",
                          hint="quantise the weights to int8, symmetrically")  # fmt: skip
    if len(weights.scales) not in (1, channels) or len(weights.zero_points) != len(weights.scales):
        raise ModelError(f"weights '{weights.name}' have {len(weights.scales)} scales for {channels} channels", hint="quantise again")
    if len(weights.scales) > 1 and weights.axis != axis:
        raise site.refuse(f"its weights are quantised along axis {weights.axis}", why=f"the rule is axis {axis}")
    return np.asarray(weights.scales, np.float32)


def checked_bias(site: Site, place: int, channels: int) -> Array:
    """int32 [channels]; zeros if the file has none."""
    if len(site.inputs) <= place:
        return np.zeros(channels, np.int32)
    bias = site.inputs[place]
    if bias.dtype != "int32":
        raise site.refuse(f"its bias '{bias.name}' is {bias.dtype}", why="int8 layers have int32 biases")
    if bias.size != channels:
        raise ModelError(f"bias '{bias.name}' has {bias.size} values for {channels} channels", hint=HINT_FILE)
    return site.array(place).reshape(-1).astype(np.int32)


def check_image(site: Site) -> None:
    """Raises unless the input is one image, NHWC."""
    site.need_inputs(1)
    x = site.inputs[0]
    if len(x.shape) != 4:
        raise ModelError(f"{site.operator.kind} reads '{x.name}' of shape {list(x.shape)}", why="an image has four dimensions")
    if x.shape[0] != 1:
        raise site.refuse(f"it works on {x.shape[0]} images at once", hint="export the model for one image")


def window_of(site: Site, options: Any, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> Window:
    """The window over the input (``ComputePaddingHeightWidth`` of tensorflow/lite/kernels/padding.h)."""
    import tflite

    strides = strides_of(site, options, kernel, dilation)
    height, width, channels = site.inputs[0].shape[1:]
    same, before, after = options.Padding() == tflite.Padding.SAME, [], []
    for i, length in enumerate((height, width)):
        reach = dilation[i] * (kernel[i] - 1) + 1
        total = max(0, (-(-length // strides[i]) - 1) * strides[i] + reach - length) if same else 0
        before.append(total // 2)
        after.append(total - total // 2)
    return Window(height, width, channels, kernel, strides, (before[0], before[1], after[0], after[1]), dilation)


def strides_of(site: Site, options: Any, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> tuple[int, int]:
    """The strides; raises ModelError unless the window's numbers are possible."""
    strides = (options.StrideH(), options.StrideW())
    numbers = (*strides, *kernel, *dilation)
    if min(numbers) < 1 or max(numbers) > _MAX_ATTRIBUTE or kernel[0] * kernel[1] > _MAX_WINDOW:
        raise ModelError(f"{site.operator.kind} of '{site.output.name}' has an impossible window", why=f"its numbers are {numbers}")
    return strides


def check_window(site: Site, window: Window, channels: int) -> None:
    """Raises ModelError unless the output has the size that the window gives."""
    site.check_shape((1, *window.output, channels))


def four_dimensional_weights(site: Site) -> tuple[int, int, int, int]:
    if len(site.inputs) < 2 or len(site.inputs[1].shape) != 4:
        raise ModelError(f"{site.operator.kind} of '{site.output.name}' has no four-dimensional weights", hint=HINT_FILE)
    a, b, c, d = site.inputs[1].shape
    return a, b, c, d
