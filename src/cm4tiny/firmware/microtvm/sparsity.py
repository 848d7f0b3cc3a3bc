# SPDX-License-Identifier: Apache-2.0
"""Dot products whose weights are all zero are not computed (closed division; docs/closed-division.md says why).

An output channel of a convolution whose weights are all zero is the requantised bias in every pixel: a constant. An input channel that
only meets weights of zero need not be read. Both are known from the model alone. :func:`skip_zero` gathers such channels: it reorders the
channels of inner tensors so that every convolution computes a leading range of its outputs and reads one range of its inputs, and says so
in the fields of :class:`~.graph.Conv`. All weights stay, in another order; filters of depthwise convolutions stay and are computed.

Why results stay bit-exact: a permutation of channels changes the order of int32 additions only, which are exact modulo 2**32, and the
fields are read off the weights, so they hold whatever the order is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cm4tiny.firmware.graph import Conv, Graph, Layer
from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.kernels.quant import convolution_multipliers, requantize
from cm4tiny.firmware.microtvm.channels import Index, Space, columns_of, find_spaces, select_channels


def skip_zero(graph: Graph) -> Graph:
    """Marks what need not be computed, after reordering inner channels so that it is as much as possible.

    Returns:
        The same object if nothing can be skipped.
    """
    best = _marked(graph)
    orders = {key: order for space in find_spaces(graph) for order in [_order(graph, space)] if order is not None for key in space.keys}
    if orders:
        reordered = _marked(select_channels(graph, orders))
        best = reordered if live_macs(reordered) < live_macs(best) else best
    return graph if live_macs(best) == live_macs(graph) else best


def live_macs(graph: Graph) -> int:
    """Multiply-accumulates of one inference without those that are marked as not computed."""
    return sum(layer.live_macs if isinstance(layer, Conv) else layer.macs for layer in graph.layers)


def constant_outputs(layer: Conv, start: int) -> Array:
    """The values of the output channels from ``start`` on, whose weights are all zero: the requantised biases, as int8."""
    x, y, channels = layer.inputs[0], layer.output, layer.weights.shape[0]
    multipliers = convolution_multipliers(x.scale, layer.weight_scales, y.scale, channels)
    values = [requantize(int(layer.bias[c]), multipliers[c]) + y.zero_point for c in range(start, channels)]
    return np.clip(values, layer.low, layer.high).astype(np.int8)


def _order(graph: Graph, space: Space) -> Index | None:
    """The order of channels that gathers what is computed and what is read; None if all is or nothing moves.

    Four groups: computed and not read; computed and read; constant and read; constant and not read. What is computed comes first, and what
    is read lies together.
    """
    computed, read = np.zeros(space.channels, bool), np.zeros(space.channels, bool)
    for i in space.writers:
        computed |= columns_of(graph.layers[i], 1).any(axis=(1, 2))
    for i in space.readers:
        read |= columns_of(graph.layers[i], space.channels).any(axis=(0, 1))
    group = np.where(computed, read.astype(int), 3 - read.astype(int))
    order: Index = np.argsort(group, kind="stable")
    return None if (order == np.arange(space.channels)).all() else order


def _marked(graph: Graph) -> Graph:
    return replace(graph, layers=tuple(_mark(layer) for layer in graph.layers))


def _mark(layer: Layer) -> Layer:
    if not isinstance(layer, Conv) or layer.depthwise:
        return layer
    rows = np.flatnonzero(layer.weights.any(axis=(1, 2, 3)))
    columns = np.flatnonzero(layer.weights.any(axis=(0, 1, 2)))
    outputs, inputs = layer.weights.shape[0], layer.weights.shape[3]
    live = int(rows[-1]) + 1 if rows.size else 0
    start, end = (int(columns[0]), int(columns[-1]) + 1) if columns.size else (0, 0)
    return replace(
        layer,
        live_outputs=None if live == outputs else live,
        constant_outputs=None if live == outputs else constant_outputs(layer, live),
        live_inputs=None if (start, end) == (0, inputs) else (start, end - start),
    )
