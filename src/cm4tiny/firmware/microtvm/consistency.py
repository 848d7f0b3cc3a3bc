# SPDX-License-Identifier: Apache-2.0
"""Whether a graph means what its layers say: the guard in front of all kernels, int8 and int16 alike.

Kernels derive their loops from a layer's window, weights and scales, and never look at shapes again. So a graph is checked as a whole,
after the import and after the passes; :mod:`cm4tiny.firmware.kernels.int16.guards` does the same for the offsets in memory that the layout
pass chose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cm4tiny.errors import FirmwareError
from cm4tiny.firmware.graph import Add, AveragePool, Conv, Copy, Dense, Graph, Layer, Softmax


def check_graph(graph: Graph) -> None:
    """Raises FirmwareError, with the layer, if the graph contradicts itself: a defect of the import or of a pass."""
    sizes = {tensor.key: tensor.size for tensor in graph.given}
    for number, layer in enumerate(graph.layers):
        unknown = [tensor for tensor in layer.inputs if sizes.get(tensor.key) != tensor.size]
        if unknown:
            raise _contradiction(number, layer, f"its input of shape {list(unknown[0].shape)} was not computed in that size")
        if layer.output.key in sizes:
            raise _contradiction(number, layer, "its output is written twice")
        reason = _reason(layer)
        if reason:
            raise _contradiction(number, layer, reason)
        sizes[layer.output.key] = layer.output.size
    if any(sizes.get(tensor.key) != tensor.size for tensor in graph.results):
        raise FirmwareError("the compiler's graph has no output of the model's size", hint="report the model")


def _contradiction(number: int, layer: Layer, reason: str) -> FirmwareError:
    return FirmwareError(
        f"layer {number} of the compiler's graph ({type(layer).__name__}) contradicts itself", why=reason, hint="report the model"
    )


def _reason(layer: Layer) -> str:
    """Why a layer's fields do not fit together; empty if they do."""
    return next((reason for types, check in _CHECKS if isinstance(layer, types) and (reason := check(layer))), "")


def _window(layer: Conv | AveragePool) -> str:
    x, y, window = layer.inputs[0], layer.output, layer.window
    outputs = layer.weights.shape[0] if isinstance(layer, Conv) else window.channels
    if x.shape != (1, window.height, window.width, window.channels):
        return f"its input has the shape {list(x.shape)}, its window is of {window.height}x{window.width}x{window.channels}"
    if y.shape != (1, *window.output, outputs):
        return f"its output has the shape {list(y.shape)}, its window gives {[1, *window.output, outputs]}"
    return ""


def _filters(layer: Conv) -> str:
    depth = 1 if layer.depthwise else layer.window.channels
    if layer.weights.shape[1:] != (*layer.window.kernel, depth):
        return f"its weights have the shape {list(layer.weights.shape)}"
    if layer.depthwise and layer.weights.shape[0] % layer.window.channels:
        return f"its {layer.weights.shape[0]} filters are no multiple of its {layer.window.channels} channels"
    return ""


def _matrix(layer: Dense) -> str:
    x, y = layer.inputs[0], layer.output
    if x.size * layer.weights.shape[0] != y.size * layer.weights.shape[1]:
        return f"its weights of shape {list(layer.weights.shape)} do not turn {x.size} values into {y.size}"
    return ""


def _parameters(layer: Conv | Dense) -> str:
    outputs = layer.weights.shape[0]
    if layer.bias.shape != (outputs,) or layer.weight_scales.shape not in ((1,), (outputs,)):
        return f"it has {layer.bias.size} biases and {layer.weight_scales.size} scales for {outputs} outputs"
    return ""


def _shapes(layer: Add) -> str:
    if any(tensor.shape != layer.output.shape for tensor in layer.inputs):
        return f"it adds the shapes {[list(tensor.shape) for tensor in layer.inputs]} to {list(layer.output.shape)}"
    return ""


def _sizes(layer: Softmax | Copy) -> str:
    x, y = layer.inputs[0], layer.output
    return f"it turns {x.size} values into {y.size}" if x.size != y.size else ""


def _scales(layer: AveragePool | Copy) -> str:
    x, y = layer.inputs[0], layer.output
    return "its input and output have different scales" if (x.scale, x.zero_point) != (y.scale, y.zero_point) else ""


_CHECKS: tuple[tuple[tuple[type[Any], ...], Callable[[Any], str]], ...] = (
    ((Conv, AveragePool), _window),
    ((Conv,), _filters),
    ((Dense,), _matrix),
    ((Conv, Dense), _parameters),
    ((Add,), _shapes),
    ((Softmax, Copy), _sizes),
    ((AveragePool, Copy), _scales),
)
"""Kinds of layers, and what is checked of them; the first reason found counts."""
