"""Which kernel computes a layer, and with which integers."""

from __future__ import annotations

from cm4tiny.firmware.kernels.add import add, plan_add
from cm4tiny.firmware.kernels.base import Kernel
from cm4tiny.firmware.kernels.conv import conv
from cm4tiny.firmware.kernels.copy import copy
from cm4tiny.firmware.kernels.dense import dense
from cm4tiny.firmware.kernels.depthwise import depthwise
from cm4tiny.firmware.kernels.direct import direct
from cm4tiny.firmware.kernels.pool import average_pool
from cm4tiny.firmware.kernels.quant import Multiplier, convolution_multipliers, dense_multiplier
from cm4tiny.firmware.kernels.requant import Requant, plan_requant
from cm4tiny.firmware.kernels.softmax import softmax
from cm4tiny.firmware.microtvm.graph import Add, AveragePool, Conv, Copy, Dense, Layer, Softmax


def select_kernel(layer: Layer) -> Kernel:
    """The kernel of a layer. Its activation parameters are the layer's inputs in order, then the output."""
    if isinstance(layer, Conv):
        return _conv(layer)
    if isinstance(layer, Dense):
        inputs = layer.weights.shape[1]
        return dense(layer.inputs[0].size // inputs, layer.weights, _requant(layer, _dense_multipliers(layer)))
    if isinstance(layer, Add):
        a, b, y = (*layer.inputs, layer.output)
        plan = plan_add((a.scale, a.zero_point), (b.scale, b.zero_point), (y.scale, y.zero_point), low=layer.low, high=layer.high)
        return add(y.size, plan)
    if isinstance(layer, AveragePool):
        return average_pool(layer.window, low=layer.low, high=layer.high)
    if isinstance(layer, Softmax):
        count = layer.output.shape[-1]
        return softmax(layer.output.size // count, count, layer.inputs[0].scale)
    if isinstance(layer, Copy):
        return copy(layer.output.size)
    raise TypeError(f"no kernel for {type(layer).__name__}")


def _conv(layer: Conv) -> Kernel:
    window, weights = layer.window, layer.weights
    channels = weights.shape[0]
    requant = _requant(layer, convolution_multipliers(layer.inputs[0].scale, layer.weight_scales, layer.output.scale, channels))
    zero = layer.inputs[0].zero_point
    if window.dilation != (1, 1) or (layer.depthwise and channels != window.channels):
        return direct(window, weights, requant, pad_value=zero)
    if layer.depthwise:
        return depthwise(window, weights[:, :, :, 0].transpose(1, 2, 0), requant, pad_value=zero)
    whole = window.kernel == (window.height, window.width)
    if whole and not any(window.padding):  # one output pixel that sees the whole image
        return dense(1, weights.reshape(channels, -1), requant)
    return conv(window, weights, requant, pad_value=zero)


def _dense_multipliers(layer: Dense) -> tuple[Multiplier, ...]:
    x, y, outputs = layer.inputs[0], layer.output, layer.weights.shape[0]
    if layer.weight_scales.size == 1:
        return (dense_multiplier(x.scale, float(layer.weight_scales[0]), y.scale),) * outputs
    return convolution_multipliers(x.scale, layer.weight_scales, y.scale, outputs)


def _requant(layer: Conv | Dense, multipliers: tuple[Multiplier, ...]) -> Requant:
    return plan_requant(
        layer.weights.reshape(layer.weights.shape[0], -1),
        layer.bias,
        multipliers,
        input_zero_point=layer.inputs[0].zero_point,
        output_zero_point=layer.output.zero_point,
        low=layer.low,
        high=layer.high,
    )
