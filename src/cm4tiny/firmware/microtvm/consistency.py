# SPDX-License-Identifier: Apache-2.0
"""Whether a graph means what its layers say: the guard in front of all kernels, int8 and int16 alike.

Kernels derive their loops from a layer's window, weights and scales, and never look at shapes again. So a graph is checked as a whole,
after the import and after the passes; :mod:`cm4tiny.firmware.kernels.int16.guards` does the same for the places in memory that the layout
pass chose.
"""

from __future__ import annotations

from cm4tiny.errors import FirmwareError
from cm4tiny.firmware.microtvm.graph import Add, AveragePool, Conv, Copy, Dense, Graph, Layer, Softmax


def check_graph(graph: Graph) -> None:
    """Raises FirmwareError, with the layer, if the graph contradicts itself: a defect of the import or of a pass."""
    sizes = {graph.input.key: graph.input.size}
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
    if sizes.get(graph.output.key) != graph.output.size:
        raise FirmwareError("the compiler's graph has no output of the model's size", hint="report the model")


def _contradiction(number: int, layer: Layer, reason: str) -> FirmwareError:
    return FirmwareError(
        f"layer {number} of the compiler's graph ({type(layer).__name__}) contradicts itself", why=reason, hint="report the model"
    )


def _reason(layer: Layer) -> str:
    """Why a layer's fields do not fit together; empty if they do."""
    x, y = layer.inputs[0], layer.output
    if isinstance(layer, Conv | AveragePool):
        window = layer.window
        outputs = layer.weights.shape[0] if isinstance(layer, Conv) else window.channels
        if x.shape != (1, window.height, window.width, window.channels):
            return f"its input has the shape {list(x.shape)}, its window is of {window.height}x{window.width}x{window.channels}"
        if y.shape != (1, *window.output, outputs):
            return f"its output has the shape {list(y.shape)}, its window gives {[1, *window.output, outputs]}"
    if isinstance(layer, Conv):
        depth = 1 if layer.depthwise else layer.window.channels
        if layer.weights.shape[1:] != (*layer.window.kernel, depth):
            return f"its weights have the shape {list(layer.weights.shape)}"
        if layer.depthwise and layer.weights.shape[0] % layer.window.channels:
            return f"its {layer.weights.shape[0]} filters are no multiple of its {layer.window.channels} channels"
    if isinstance(layer, Dense) and x.size * layer.weights.shape[0] != y.size * layer.weights.shape[1]:
        return f"its weights of shape {list(layer.weights.shape)} do not turn {x.size} values into {y.size}"
    if isinstance(layer, Conv | Dense):
        outputs = layer.weights.shape[0]
        if layer.bias.shape != (outputs,) or layer.weight_scales.shape not in ((1,), (outputs,)):
            return f"it has {layer.bias.size} biases and {layer.weight_scales.size} scales for {outputs} outputs"
    if isinstance(layer, Add) and any(tensor.shape != y.shape for tensor in layer.inputs):
        return f"it adds the shapes {[list(tensor.shape) for tensor in layer.inputs]} to {list(y.shape)}"
    if isinstance(layer, Softmax | Copy) and x.size != y.size:
        return f"it turns {x.size} values into {y.size}"
    if isinstance(layer, AveragePool | Copy) and (x.scale, x.zero_point) != (y.scale, y.zero_point):
        return "its input and output have different scales"
    return ""
