# SPDX-License-Identifier: Apache-2.0
"""Which tensors share their channels, and how to reorder or to drop channels without changing a result.

A depthwise convolution, a pool and an addition compute every channel from the channel of the same number: their inputs and outputs form
one space of channels. Convolutions write a space by the rows of their weights and read one by the columns; a fully connected layer reads
one. If no tensor of a space is seen from outside, any selection of its channels may be taken as long as rows, columns, filters, biases
and scales follow: :func:`select_channels` does. A permutation leaves the result as it is; what may be dropped is the caller's to prove.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cm4tiny.firmware.graph import Add, AveragePool, Conv, Dense, Graph, Layer, Tensor
from cm4tiny.firmware.kernels.base import Array

Index = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Space:
    """Channels that may be reordered.

    Attributes:
        number: names the space.
        keys: its tensors.
        channels: how many.
        writers: numbers of the convolutions, not depthwise, whose rows write it.
        readers: numbers of the convolutions, not depthwise, and fully connected layers whose columns read it.
    """

    number: int
    keys: frozenset[int]
    channels: int
    writers: tuple[int, ...]
    readers: tuple[int, ...]


def find_spaces(graph: Graph) -> tuple[Space, ...]:
    """The spaces of a graph that are not seen from outside, in the order in which they are first written.

    A depthwise convolution with a channel multiplier joins tensors of unequal width: those are no space.
    """
    channels = _channels(graph)
    roots = _joined(graph)
    fixed = {roots[key] for key in _seen_from_outside(graph, channels)}
    numbers: dict[int, int] = {}
    for layer in graph.layers:
        numbers.setdefault(roots[layer.output.key], len(numbers))
    spaces = []
    for top, number in numbers.items():
        keys = frozenset(key for key in roots if roots[key] == top)
        if top not in fixed and len({channels[key] for key in keys}) == 1:
            spaces.append(_space(graph, number, keys, channels[next(iter(keys))]))
    return tuple(spaces)


def _joined(graph: Graph) -> dict[int, int]:
    """Tensor key -> a key that stands for all tensors whose channels are the same (union-find)."""
    parent = {tensor.key: tensor.key for layer in graph.layers for tensor in (*layer.inputs, layer.output)}

    def root(key: int) -> int:
        while parent[key] != key:
            key = parent[key]
        return key

    for layer in graph.layers:
        if _passes(layer):
            for tensor in layer.inputs:
                parent[root(tensor.key)] = root(layer.output.key)
    return {key: root(key) for key in parent}


def _space(graph: Graph, number: int, keys: frozenset[int], channels: int) -> Space:
    writers = tuple(i for i, layer in enumerate(graph.layers) if _mixes(layer) and layer.output.key in keys)
    readers = tuple(i for i, layer in enumerate(graph.layers) if _mixes(layer) and layer.inputs[0].key in keys)
    return Space(number, keys, channels, writers, readers)


def columns_of(layer: Layer, channels: int) -> Array:
    """The weights of a reader as [outputs, taps, channels]: what the layer multiplies with each channel that it reads."""
    assert isinstance(layer, Conv | Dense)
    return layer.weights.reshape(layer.weights.shape[0], -1, channels)


def select_channels(graph: Graph, chosen: Mapping[int, Index]) -> Graph:
    """Takes channels of some spaces.

    Args:
        chosen: tensor key -> numbers of the channels to keep, in their new order; the same for all keys of a space.

    Returns:
        A graph without marks on the convolutions that changed: they are the caller's to set again.
    """
    if not chosen:
        return graph
    channels = _channels(graph)
    return replace(graph, layers=tuple(_select(layer, chosen, channels) for layer in graph.layers))


def _select(layer: Layer, chosen: Mapping[int, Index], channels: Mapping[int, int]) -> Layer:
    source = layer.inputs[0].key
    taken, written = chosen.get(source), chosen.get(layer.output.key)
    if taken is None and written is None:
        return layer
    inputs = tuple(_narrow(tensor, chosen, channels) for tensor in layer.inputs)
    narrow = replace(layer, inputs=inputs, output=_narrow(layer.output, chosen, channels))
    if isinstance(narrow, Dense) and taken is not None:
        kept = columns_of(narrow, channels[source])[:, :, taken]
        return replace(narrow, weights=np.ascontiguousarray(kept.reshape(len(kept), -1)))
    if isinstance(narrow, Conv):
        return _select_conv(narrow, taken, written)
    if isinstance(narrow, AveragePool) and taken is not None:
        return replace(narrow, window=replace(narrow.window, channels=len(taken)))
    return narrow


def _select_conv(layer: Conv, taken: Index | None, written: Index | None) -> Conv:
    weights, bias, scales, window = layer.weights, layer.bias, layer.weight_scales, layer.window
    if taken is not None:
        weights = weights if layer.depthwise else weights[..., taken]
        window = replace(window, channels=len(taken))
    if written is not None:
        weights, bias = weights[written], bias[written]
        scales = scales if scales.size == 1 else scales[written]
    unmarked = replace(layer, live_outputs=None, constant_outputs=None, live_inputs=None)
    return replace(unmarked, window=window, weights=np.ascontiguousarray(weights), bias=bias, weight_scales=scales)


def _narrow(tensor: Tensor, chosen: Mapping[int, Index], channels: Mapping[int, int]) -> Tensor:
    kept = chosen.get(tensor.key)
    if kept is None:
        return tensor
    return replace(tensor, shape=(*tensor.shape[:-1], tensor.shape[-1] // channels[tensor.key] * len(kept)))


def _mixes(layer: Layer) -> bool:
    return isinstance(layer, Dense) or (isinstance(layer, Conv) and not layer.depthwise)


def _passes(layer: Layer) -> bool:
    return isinstance(layer, AveragePool | Add) or (isinstance(layer, Conv) and layer.depthwise)


def _channels(graph: Graph) -> dict[int, int]:
    """Tensor key -> channels, as the layer that writes it sees them."""
    return {tensor.key: tensor.shape[-1] for tensor in graph.given} | {layer.output.key: layer.output.shape[-1] for layer in graph.layers}


def _seen_from_outside(graph: Graph, channels: Mapping[int, int]) -> set[int]:
    """Keys of tensors whose channels must stay: the model's own, and all that a layer reads in another way than the rules above."""
    fixed = {tensor.key for tensor in (*graph.given, *graph.results)}
    for layer in graph.layers:
        read = {tensor.key for tensor in layer.inputs}
        same = all(tensor.shape[-1] == channels[tensor.key] for tensor in layer.inputs)
        if isinstance(layer, Dense):
            fixed.add(layer.output.key)
            widths = (layer.weights.shape[1], *(tensor.shape[-1] for tensor in layer.inputs))
            fixed |= read if len(read) != 1 or any(width % channels[layer.inputs[0].key] for width in widths) else set()
        elif isinstance(layer, Conv):
            fixed |= set() if same and len(read) == 1 else {*read, layer.output.key}
        elif not (isinstance(layer, AveragePool | Add) and same):
            fixed |= {*read, layer.output.key}
    return fixed
