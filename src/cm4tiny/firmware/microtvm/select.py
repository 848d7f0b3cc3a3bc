# SPDX-License-Identifier: Apache-2.0
"""Which kernels can compute a layer, and with which integers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from cm4tiny.firmware.graph import Add, AveragePool, Conv, Copy, Dense, Layer, Portable, Softmax
from cm4tiny.firmware.kernels.add import add, plan_add
from cm4tiny.firmware.kernels.base import Candidate, Kernel, round_up
from cm4tiny.firmware.kernels.conv import conv
from cm4tiny.firmware.kernels.copy import copy
from cm4tiny.firmware.kernels.dense import dense
from cm4tiny.firmware.kernels.depthwise import depthwise
from cm4tiny.firmware.kernels.direct import direct
from cm4tiny.firmware.kernels.int16 import add as int16_add
from cm4tiny.firmware.kernels.int16 import conv as int16_conv
from cm4tiny.firmware.kernels.int16 import dense as int16_dense
from cm4tiny.firmware.kernels.int16 import depthwise as int16_depthwise
from cm4tiny.firmware.kernels.int16 import kronecker
from cm4tiny.firmware.kernels.int16 import pool as int16_pool
from cm4tiny.firmware.kernels.int16 import winograd as int16_winograd
from cm4tiny.firmware.kernels.int16.requant import Int16Requant, KernelLimitError, plan_int16
from cm4tiny.firmware.kernels.int16.storage import Storage
from cm4tiny.firmware.kernels.pool import average_pool
from cm4tiny.firmware.kernels.quant import Multiplier, convolution_multipliers, dense_multiplier
from cm4tiny.firmware.kernels.requant import Requant, plan_requant
from cm4tiny.firmware.kernels.softmax import softmax

INT8 = "packed"
"""Id of the candidate of a layer's int8 kernel, as tables of costs and reports spell it."""

_CYCLES_PER_MAC, _CYCLES_PER_VALUE = 2, 20  # of the int8 kernels, roughly: they only compete where a budget forces them


def int16_kernel_exists(layer: Layer) -> bool:
    """Whether the kind of layer has an int16 kernel at all."""
    return isinstance(layer, Conv | Dense | Add | AveragePool)


def int8_candidates(layer: Layer) -> list[Candidate]:
    """The layer's int8 kernel; its parameters are the inputs in order, then the output."""
    cycles = layer.cycles if isinstance(layer, Portable) else _CYCLES_PER_MAC * layer.macs + _CYCLES_PER_VALUE * layer.output.size
    kernel = _int8(layer)
    return [Candidate(INT8, cycles, kernel.ram_bytes, scratch_bytes(kernel), lambda: kernel)]


def scratch_bytes(kernel: Kernel) -> int:
    """Scratch memory of a kernel; each of its workspaces starts at a multiple of 8 bytes."""
    return sum(round_up(size, 8) for size in kernel.workspaces)


def int16_candidates(layer: Layer, sources: Sequence[Storage], target: Storage) -> list[Candidate]:
    """The layer's int16 kernels.

    Raises:
        KernelLimitError: there is none for this layer, with the reason.
    """
    if isinstance(layer, Conv):
        return _int16_conv(layer, sources[0], target)
    if isinstance(layer, Dense):
        inputs = layer.weights.shape[1]
        return int16_dense.candidates(layer.inputs[0].size // inputs, layer.weights, _int16_requant(layer), sources[0], target)
    if isinstance(layer, Add):
        a, b, y = (*layer.inputs, layer.output)
        plan = plan_add((a.scale, a.zero_point), (b.scale, b.zero_point), (y.scale, y.zero_point), low=layer.low, high=layer.high)
        return int16_add.candidates(plan, sources[0], sources[1], target)
    if isinstance(layer, AveragePool):
        return int16_pool.candidates(layer.window, layer.output.zero_point, sources[0], target, low=layer.low, high=layer.high)
    raise KernelLimitError(f"there is no int16 kernel for {type(layer).__name__}")


def input_candidates(layer: Layer, target: Storage) -> list[Candidate]:
    """Int16 kernels for the model's first layer that read its int8 input as it is and are worth more than those that want it widened.

    Raises:
        KernelLimitError: there is none for this layer, with the reason.
    """
    if not isinstance(layer, Conv) or layer.depthwise or layer.live_outputs is not None or layer.live_inputs is not None:
        raise KernelLimitError("it is not a convolution that computes all its channels from all of its input")
    return kronecker.candidates(layer.window, layer.weights, _int16_requant(layer), layer.inputs[0].zero_point, target)


def _int16_conv(layer: Conv, source: Storage, target: Storage) -> list[Candidate]:
    window, weights = layer.window, layer.weights
    if window.dilation != (1, 1):
        raise KernelLimitError(f"its dilation is {window.dilation}")
    requant = _int16_requant(layer)
    if layer.depthwise:
        if weights.shape[0] != window.channels:
            raise KernelLimitError("its depth multiplier is not 1")
        return int16_depthwise.candidates(window, weights[:, :, :, 0].transpose(1, 2, 0), requant, source, target)
    if window.kernel == (window.height, window.width) and not any(window.padding):  # one output pixel that sees the whole image
        return int16_dense.candidates(1, weights.reshape(weights.shape[0], -1), requant, source, target)
    marks: dict[str, Any] = {}
    if layer.live_outputs != 0 and (layer.live_inputs is None or layer.live_inputs[1]):  # a layer of zeros is computed like any other
        marks = {
            "live_outputs": layer.live_outputs,
            "live_inputs": layer.live_inputs,
            "constant_outputs": layer.constant_outputs,
        }
    found = int16_conv.candidates(window, weights, requant, source, target, **marks)
    if window.kernel == (3, 3):
        with suppress(KernelLimitError):  # the direct form remains
            zero_point = layer.inputs[0].zero_point
            found += int16_winograd.candidates(window, weights, requant, source, target, input_zero_point=zero_point)
    return found


def _int8(layer: Layer) -> Kernel:
    if isinstance(layer, Portable):
        return layer.make()
    if isinstance(layer, Conv):
        return _int8_conv(layer)
    if isinstance(layer, Dense):
        inputs = layer.weights.shape[1]
        return dense(layer.inputs[0].size // inputs, layer.weights, _requant(layer, _multipliers(layer)))
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


def _int8_conv(layer: Conv) -> Kernel:
    window, weights = layer.window, layer.weights
    channels = weights.shape[0]
    requant = _requant(layer, _multipliers(layer))
    zero = layer.inputs[0].zero_point
    if window.dilation != (1, 1) or (layer.depthwise and channels != window.channels):
        return direct(window, weights, requant, pad_value=zero)
    if layer.depthwise:
        return depthwise(window, weights[:, :, :, 0].transpose(1, 2, 0), requant, pad_value=zero)
    whole = window.kernel == (window.height, window.width)
    if whole and not any(window.padding):
        return dense(1, weights.reshape(channels, -1), requant)
    return conv(window, weights, requant, pad_value=zero)


def _multipliers(layer: Conv | Dense) -> tuple[Multiplier, ...]:
    x, y, outputs = layer.inputs[0], layer.output, layer.weights.shape[0]
    if isinstance(layer, Dense) and layer.weight_scales.size == 1:
        return (dense_multiplier(x.scale, float(layer.weight_scales[0]), y.scale),) * outputs
    return convolution_multipliers(x.scale, layer.weight_scales, y.scale, outputs)


def _int16_requant(layer: Conv | Dense) -> Int16Requant:
    return plan_int16(
        layer.weights.reshape(layer.weights.shape[0], -1),
        layer.bias,
        _multipliers(layer),
        input_zero_point=layer.inputs[0].zero_point,
        output_zero_point=layer.output.zero_point,
        low=layer.low,
        high=layer.high,
    )


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
