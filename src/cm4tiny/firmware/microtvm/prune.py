# SPDX-License-Identifier: Apache-2.0
"""Channels that carry no information are pruned, with their weights (open division; docs/closed-division.md says why).

:func:`prune_channels` removes a channel if every layer that reads it multiplies it with zero, or reads a value there that is the same for
every input of the model and can be added to that layer's bias instead. The depthwise filters of such channels go too, although their
weights are not zero: the rules forbid to discard these in the closed division. Off by default.

Why results stay bit-exact:

1. The accumulator of a layer is a sum of products of weights and zero-point-free inputs. Intervals of the inputs give an interval of the
   sum, exactly, in integers; where the border of the image is padded, a product may also be 0, so 0 joins the interval of the input.
   TFLite's requantisation, the zero point and the clamp grow with the accumulator as long as no int32 overflows; where one could, the
   interval of the result is the clamp's. An average lies between the smallest and the largest value averaged; a sum of two tensors grows
   with both. So, by induction over the layers, every value lies in its channel's interval, whatever the input, and a channel whose
   interval has one value is that constant.
2. A reader adds weight * (constant - zero point) over its window for such a channel: a constant of its own, as long as its window never
   leaves the image (no padding, or the constant is the zero point, which is what the border holds). Its bias takes that sum, which must
   fit into int32. Final accumulators are equal modulo 2**32, hence equal, before and after.
3. A channel that no reader needs after 1 and 2 is not read by anything that remains: layers between writer and reader work channel by
   channel. The model's input and output, and what fully connected layers write, are never touched.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from cm4tiny.firmware.graph import Add, AveragePool, Conv, Dense, Graph, Layer, Tensor
from cm4tiny.firmware.kernels.add import LEFT_SHIFT, plan_add
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN, Multiplier, convolution_multipliers, requantize
from cm4tiny.firmware.microtvm.channels import Space, columns_of, find_spaces, select_channels

Int64 = npt.NDArray[np.int64]
Ends = tuple[Int64, Int64]
"""Smallest and largest value of each channel."""

_INT32 = (-(1 << 31), (1 << 31) - 1)


def prune_channels(graph: Graph) -> Graph:
    """Removes what carries no information, until nothing is left to remove.

    Returns:
        The same object if nothing is removed; else a graph with the same results, to be marked as open division (:func:`open_reason`).
    """
    while True:
        smaller = _drop_once(graph)
        if smaller is graph:
            return graph
        graph = smaller


def open_reason(before: Graph, after: Graph) -> str:
    """Why a graph that came out of :func:`prune_channels` is of the open division; empty if it did not change."""
    if after is before:
        return ""
    channels, weights = (b - a for b, a in zip(_counts(before), _counts(after), strict=True))
    return f"{channels} channels that cannot change the result were removed, and {weights} weights with them that are not zero"


def value_ranges(graph: Graph) -> dict[int, Ends]:
    """Tensor key -> smallest and largest value of each channel over all inputs of the model; bounds, not always reached."""
    ranges = {tensor.key: _full(tensor.shape[-1]) for tensor in graph.given}
    for layer in graph.layers:
        low, high = _range(layer, [_seen(tensor, ranges) for tensor in layer.inputs])
        ranges[layer.output.key] = np.clip(low, layer.low, layer.high), np.clip(high, layer.low, layer.high)
    return ranges


def _drop_once(graph: Graph) -> Graph:
    ranges = value_ranges(graph)
    chosen, layers = {}, list(graph.layers)
    for space in find_spaces(graph):
        gone = _gone(graph, space, ranges)
        if not gone.any():
            continue
        for i in space.readers:
            layers[i] = _folded(layers[i], gone, ranges)
        kept = np.flatnonzero(~gone)
        chosen.update(dict.fromkeys(space.keys, kept))
    return select_channels(replace(graph, layers=tuple(layers)), chosen) if chosen else graph


def _gone(graph: Graph, space: Space, ranges: dict[int, Ends]) -> npt.NDArray[np.bool_]:
    """Which channels of a space go; one stays, for a tensor must not be empty."""
    readers = [graph.layers[i] for i in space.readers]
    if not readers:
        return np.zeros(space.channels, np.bool_)
    unread = [~columns_of(layer, space.channels).any(axis=(0, 1)) for layer in readers]
    known = [_known(layer, ranges[layer.inputs[0].key]) for layer in readers]
    gone: npt.NDArray[np.bool_] = np.all([u | k for u, k in zip(unread, known, strict=True)], axis=0)
    if any(_overflows(layer, gone, ranges) for layer in readers):
        gone = np.all(unread, axis=0)
    if gone.all():
        gone[0] = False
    return gone


def _known(layer: Layer, ends: Ends) -> npt.NDArray[np.bool_]:
    """Which channels add the same to every accumulator of a reader."""
    constant: npt.NDArray[np.bool_] = ends[0] == ends[1]
    if isinstance(layer, Conv) and any(layer.window.padding):
        constant &= ends[0] == layer.inputs[0].zero_point
    return constant


def _share(layer: Layer, gone: npt.NDArray[np.bool_], ranges: dict[int, Ends]) -> Int64:
    """What the channels that go add to the accumulators; where a column is zero the value does not count."""
    columns = columns_of(layer, len(gone)).astype(np.int64).sum(axis=1)
    tensor = layer.inputs[0]
    share: Int64 = columns[:, gone] @ (ranges[tensor.key][0][gone] - tensor.zero_point)
    return share


def _overflows(layer: Layer, gone: npt.NDArray[np.bool_], ranges: dict[int, Ends]) -> bool:
    assert isinstance(layer, Conv | Dense)
    bias = layer.bias.astype(np.int64) + _share(layer, gone, ranges)
    return bool((bias < _INT32[0]).any() or (bias > _INT32[1]).any())


def _folded(layer: Layer, gone: npt.NDArray[np.bool_], ranges: dict[int, Ends]) -> Layer:
    assert isinstance(layer, Conv | Dense)
    return replace(layer, bias=(layer.bias + _share(layer, gone, ranges)).astype(np.int32))


def _counts(graph: Graph) -> tuple[int, int]:
    """Channels that convolutions write, weights that are not zero."""
    weights = [layer.weights for layer in graph.layers if isinstance(layer, Conv | Dense)]
    channels = sum(layer.weights.shape[0] for layer in graph.layers if isinstance(layer, Conv))
    return channels, sum(int(np.count_nonzero(w)) for w in weights)


# --- intervals ----------------------------------------------------------------------------------------------------------------
def _full(channels: int) -> Ends:
    return np.full(channels, INT8_MIN, np.int64), np.full(channels, INT8_MAX, np.int64)


def _seen(tensor: Tensor, ranges: dict[int, Ends]) -> Ends:
    """The range of each channel of a tensor as its reader sees it: a reshaped tensor has other channels."""
    ends = ranges[tensor.key]
    return ends if len(ends[0]) == tensor.shape[-1] else _full(tensor.shape[-1])


def _range(layer: Layer, given: list[Ends]) -> Ends:
    """Bounds of the output before its clamp."""
    if isinstance(layer, Conv) and len(given) == 1:
        return _conv_range(layer, *given)
    if isinstance(layer, Add):
        return _add_range(layer, *given)
    if isinstance(layer, AveragePool):
        return given[0]
    return _full(layer.output.shape[-1])


def _conv_range(layer: Conv, ends: Ends) -> Ends:
    x, y, channels = layer.inputs[0], layer.output, layer.weights.shape[0]
    low, high = (end - x.zero_point for end in ends)
    if any(layer.window.padding):
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    weights = layer.weights.astype(np.int64)
    if layer.depthwise:
        weights = weights[:, :, :, 0].transpose(1, 2, 0)  # channels last, as in the other form
        low, high = (np.repeat(end, channels // len(end)) for end in (low, high))
    products = np.stack([weights * low, weights * high])
    axes = (0, 1) if layer.depthwise else (1, 2, 3)
    bottom, top = (layer.bias + reduced.sum(axis=axes) for reduced in (products.min(axis=0), products.max(axis=0)))
    multipliers = convolution_multipliers(x.scale, layer.weight_scales, y.scale, channels)
    found = [_requantized(int(b), int(t), m) for b, t, m in zip(bottom, top, multipliers, strict=True)]
    return np.array([b for b, _ in found], np.int64) + y.zero_point, np.array([t for _, t in found], np.int64) + y.zero_point


def _requantized(bottom: int, top: int, multiplier: Multiplier) -> tuple[int, int]:
    """Ends of the requantised accumulator; all of int32 where an overflow would break the order."""
    left = max(multiplier.shift, 0)
    if bottom << left < _INT32[0] or top << left > _INT32[1]:
        return _INT32
    return requantize(bottom, multiplier), requantize(top, multiplier)


def _add_range(layer: Add, a: Ends, b: Ends) -> Ends:
    (p, q), y = layer.inputs, layer.output
    plan = plan_add((p.scale, p.zero_point), (q.scale, q.zero_point), (y.scale, y.zero_point), low=layer.low, high=layer.high)

    def total(left: int, right: int) -> int:
        first = requantize((left - p.zero_point) << LEFT_SHIFT, plan.multiplier_a)
        second = requantize((right - q.zero_point) << LEFT_SHIFT, plan.multiplier_b)
        return requantize(first + second, plan.multiplier) + y.zero_point

    low, high = ([total(int(m), int(n)) for m, n in zip(u, v, strict=True)] for u, v in zip(a, b, strict=True))
    return np.array(low, np.int64), np.array(high, np.int64)
