# SPDX-License-Identifier: Apache-2.0
"""Runs an integer graph in numpy: the meaning of :mod:`cm4tiny.firmware.graph`, apart from all kernels.

Every sum is exact (float64 holds integers below 2**53), wrapped to 32 bits where TFLite's int32 would, and brought to int8 by a
vectorised ``requantize``. ``skipping=True`` follows the fields ``live_outputs``, ``live_inputs`` and ``constant_outputs`` of ``Conv``
to the letter: what they say is not computed is not computed, what they say is not read is not read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cm4tiny.firmware.graph import Add, AveragePool, Conv, Copy, Dense, Graph, Layer, Softmax, Tensor
from cm4tiny.firmware.kernels.add import LEFT_SHIFT, plan_add
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.quant import Multiplier, convolution_multipliers, dense_multiplier, high_mul, rounding_shift, softmax_table
from cm4tiny.firmware.microtvm.importer import import_graph, read_model

Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]
_AT_A_TIME = 16


def graph_of(tflite: bytes) -> Graph:
    """The integer graph of a model, before any pass."""
    return import_graph(tflite, read_model(tflite))


def run_graph(graph: Graph, inputs: Int8, *, skipping: bool = False) -> Int8:
    """[n, ...] int8 -> [n, outputs] int8, a few inputs at a time to spare memory."""
    rows = inputs.reshape(-1, graph.input.size)
    parts = [run_tensors(graph, rows[i : i + _AT_A_TIME], skipping=skipping)[graph.output.key] for i in range(0, len(rows), _AT_A_TIME)]
    return np.concatenate([part.reshape(-1, graph.output.size) for part in parts])


def run_tensors(graph: Graph, inputs: Int8, *, skipping: bool = False) -> dict[int, Int8]:
    """All activations by key, each of shape [n, *shape]."""
    values: dict[int, Int8] = {graph.input.key: inputs.reshape(-1, *graph.input.shape)}
    for layer in graph.layers:
        given = [_image(values[t.key], t) for t in layer.inputs]
        values[layer.output.key] = run_layer(layer, given, skipping=skipping).reshape(-1, *layer.output.shape)
    return values


def run_layer(layer: Layer, given: Sequence[Int8], *, skipping: bool = False) -> Int8:
    """One layer on [n, *shape] of each of its inputs, without the shape's leading 1; the result's axes behind the first may be flat."""
    if isinstance(layer, Conv) and skipping:
        return _skipping_conv(layer, given[0])
    return _RULES[type(layer)](layer, *given)


def requantize(acc: Int64, multipliers: Sequence[Multiplier]) -> Int64:
    """``MultiplyByQuantizedMultiplier`` along the last axis, with one multiplier or one per channel."""
    mantissa = np.array([m.mantissa for m in multipliers], np.int64)
    shift = np.array([m.shift for m in multipliers], np.int64)
    product = (wrap(wrap(acc) << np.maximum(shift, 0)) * mantissa + (1 << 30)) >> 31
    right = np.maximum(-shift, 0)
    mask = (np.int64(1) << right) - 1
    rounded: Int64 = (product >> right) + ((product & mask) > (mask >> 1) + (product < 0))
    return rounded


def wrap(acc: Int64) -> Int64:
    """Modulo 2**32, as int32."""
    return (acc + (1 << 31)) % (1 << 32) - (1 << 31)


def _image(value: Int8, tensor: Tensor) -> Int8:
    return value.reshape(-1, *tensor.shape[tensor.shape[0] == 1 :])


def _finish(layer: Layer, values: Int64) -> Int8:
    return np.clip(values, layer.low, layer.high).astype(np.int8)


def _multipliers(layer: Conv | Dense) -> tuple[Multiplier, ...]:
    x, y, scales = layer.inputs[0], layer.output, layer.weight_scales
    if isinstance(layer, Dense) and scales.size == 1:
        return (dense_multiplier(x.scale, float(scales[0]), y.scale),) * layer.weights.shape[0]
    return convolution_multipliers(x.scale, scales, y.scale, layer.weights.shape[0])


def _taps(window: Window, x: npt.NDArray[Any]) -> Any:
    """(ky, kx, [n, height, width, channels] of what the tap sees) for an image whose zero point is 0."""
    top, left, bottom, right = window.padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    height, width = window.output
    for ky in range(window.kernel[0]):
        for kx in range(window.kernel[1]):
            y0, x0 = ky * window.dilation[0], kx * window.dilation[1]
            rows = slice(y0, y0 + (height - 1) * window.strides[0] + 1, window.strides[0])
            columns = slice(x0, x0 + (width - 1) * window.strides[1] + 1, window.strides[1])
            yield ky, kx, padded[:, rows, columns]


def _sums(layer: Conv, x: Int8, outputs: slice, inputs: slice) -> Int64:
    """Accumulators without bias of a range of output channels; not depthwise: of a range of input channels."""
    centred = x.astype(np.float64) - layer.inputs[0].zero_point
    weights = layer.weights.astype(np.float64)
    height, width = layer.window.output
    acc = np.zeros((x.shape[0], height, width, len(range(*outputs.indices(len(weights))))))
    for ky, kx, seen in _taps(layer.window, centred):
        if layer.depthwise:
            acc += np.repeat(seen, len(weights) // seen.shape[3], axis=3) * weights[:, ky, kx, 0]
        else:
            acc += seen[..., inputs] @ weights[outputs, ky, kx, inputs].T
    return acc.astype(np.int64)


def _conv(layer: Conv, x: Int8) -> Int8:
    acc = _sums(layer, x, slice(None), slice(None)) + layer.bias
    return _finish(layer, requantize(acc, _multipliers(layer)) + layer.output.zero_point)


def _skipping_conv(layer: Conv, x: Int8) -> Int8:
    channels = len(layer.weights)
    live = channels if layer.live_outputs is None else layer.live_outputs
    start, count = (0, layer.window.channels) if layer.live_inputs is None else layer.live_inputs
    if layer.depthwise:
        assert (live, start, count) == (channels, 0, layer.window.channels), "a depthwise convolution is computed whole"
        return _conv(layer, x)
    acc = _sums(layer, x, slice(live), slice(start, start + count)) + layer.bias[:live]
    computed = _finish(layer, requantize(acc, _multipliers(layer)[:live]) + layer.output.zero_point)
    constants = np.zeros(0, np.int8) if layer.constant_outputs is None else layer.constant_outputs
    assert constants.shape == (channels - live,)
    return np.concatenate([computed, np.broadcast_to(constants, (*computed.shape[:-1], channels - live))], axis=-1)


def _dense(layer: Dense, x: Int8) -> Int8:
    rows = x.reshape(-1, layer.weights.shape[1]).astype(np.float64) - layer.inputs[0].zero_point
    acc = (rows @ layer.weights.astype(np.float64).T).astype(np.int64) + layer.bias
    return _finish(layer, requantize(acc, _multipliers(layer)) + layer.output.zero_point)


def _add(layer: Add, a: Int8, b: Int8) -> Int8:
    (p, q), y = layer.inputs, layer.output
    plan = plan_add((p.scale, p.zero_point), (q.scale, q.zero_point), (y.scale, y.zero_point), low=layer.low, high=layer.high)
    left = requantize((a.astype(np.int64) - p.zero_point) << LEFT_SHIFT, (plan.multiplier_a,))
    right = requantize((b.astype(np.int64) - q.zero_point) << LEFT_SHIFT, (plan.multiplier_b,))
    return _finish(layer, requantize(left + right, (plan.multiplier,)) + y.zero_point)


def _average_pool(layer: AveragePool, x: Int8) -> Int8:
    inside = np.ones((1, *x.shape[1:3], 1), np.int64)
    total = sum(seen for _, _, seen in _taps(layer.window, x.astype(np.int64)))
    count = sum(seen for _, _, seen in _taps(layer.window, inside))
    rounded = np.where(total > 0, total + count // 2, total - count // 2)
    return _finish(layer, np.sign(rounded) * (np.abs(rounded) // count))


def _softmax(layer: Softmax, x: Int8) -> Int8:
    table = softmax_table(layer.inputs[0].scale)
    rows = x.reshape(-1, layer.output.shape[-1]).astype(np.int64)
    return np.array([_softmax_row([int(table[d]) for d in row.max() - row]) for row in rows], np.int8)


def _softmax_row(exponentials: list[int]) -> list[int]:
    """softmax.h of the reference kernels; -1 stands for an exponential that counts as zero."""
    total = sum(rounding_shift(e, 12) for e in exponentials if e >= 0)
    zeros = 32 - total.bit_length()
    half = ((total << zeros) - (1 << 31) + (1 << 31)) // 2  # (1 + x) / 2 for 1 / (1 + x), Q0.31
    r = 1515870810 + high_mul(half, -1010580540)  # 48/17 - 32/17 * half, Q2.29
    for _ in range(3):
        r += _saturated(high_mul(r, (1 << 29) - high_mul(half, r)) << 2)
    scale, exponent = _saturated(r << 1), 12 + 31 - 8 - zeros
    return [max(-128, min(127, rounding_shift(high_mul(scale, max(e, 0)), exponent) - 128)) for e in exponentials]


def _saturated(x: int) -> int:
    return max(-(1 << 31), min((1 << 31) - 1, x))


def _copy(layer: Copy, x: Int8) -> Int8:
    return x


_RULES: dict[type[Layer], Callable[..., Int8]] = {
    Conv: _conv,
    Dense: _dense,
    Add: _add,
    AveragePool: _average_pool,
    Softmax: _softmax,
    Copy: _copy,
}
