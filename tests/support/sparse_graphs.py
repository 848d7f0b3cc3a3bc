# SPDX-License-Identifier: Apache-2.0
"""Small integer graphs whose convolutions have rows, columns and channels of zeros, drawn at random; and the same as ``.tflite``."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import tiny_tflite as tt

from cm4tiny.firmware.graph import Add, AveragePool, Conv, Dense, Graph, Layer, Tensor
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.quant import activation_bound

Rng = np.random.Generator
WEIGHT_SCALE = 0.004


@dataclass
class GraphMaker:
    """A graph under construction: methods append a layer and return its output."""

    rng: Rng
    layers: list[Layer] = field(default_factory=list)
    keys: itertools.count[int] = field(default_factory=itertools.count)

    def tensor(self, shape: tuple[int, ...], scale: float = 0.05, zero_point: int | None = None) -> Tensor:
        """A new tensor; its zero point is drawn if none is given."""
        zero = int(self.rng.choice([-128, -128, -128, int(self.rng.integers(-128, 30))])) if zero_point is None else zero_point
        return Tensor(next(self.keys), shape, float(np.float32(scale)), zero)

    def conv(self, x: Tensor, outputs: int, *, kernel: int = 1, stride: int = 1, same: bool = True, weights: Any = None, bias: Any = None,
             scales: Any = None, activation: str = "RELU", zero_point: int | None = None, dead: float = 0.2) -> Tensor:  # fmt: skip
        """A convolution; a share ``dead`` of its rows and of its columns is zero unless ``weights`` are given."""
        if weights is None:
            weights = self.rng.integers(-127, 128, (outputs, kernel, kernel, x.shape[3]))
            weights[self.rng.random(outputs) < dead] = 0
            weights[..., self.rng.random(x.shape[3]) < dead] = 0
        return self._conv(x, np.asarray(weights, np.int8), False, stride, same, bias, scales, activation, zero_point)

    def depthwise(self, x: Tensor, *, kernel: int = 3, stride: int = 1, same: bool = True, weights: Any = None, bias: Any = None,
                  scales: Any = None, activation: str = "RELU", zero_point: int | None = None, multiplier: int = 1,
                  dead: float = 0.1) -> Tensor:  # fmt: skip
        """A depthwise convolution; a share ``dead`` of its filters is zero unless ``weights`` are given."""
        if weights is None:
            weights = self.rng.integers(-127, 128, (x.shape[3] * multiplier, kernel, kernel, 1))
            weights[self.rng.random(len(weights)) < dead] = 0
        return self._conv(x, np.asarray(weights, np.int8), True, stride, same, bias, scales, activation, zero_point)

    def _conv(self, x: Tensor, weights: npt.NDArray[np.int8], depthwise: bool, stride: int, same: bool, bias: Any, scales: Any,
              activation: str, zero_point: int | None) -> Tensor:  # fmt: skip
        outputs, kernel = weights.shape[0], (weights.shape[1], weights.shape[2])
        window = Window(x.shape[1], x.shape[2], x.shape[3], kernel, (stride, stride), padding_of(x, kernel, stride, same))
        terms = weights[0].size
        y = self.tensor((1, *window.output, outputs), x.scale * WEIGHT_SCALE * 74 * np.sqrt(terms) * self.rng.uniform(0.3, 1.5), zero_point)
        low, high = bounds_of(activation, y)
        if bias is None:
            bias = self.rng.integers(-4000, 9000, outputs)
        if scales is None:
            scales = WEIGHT_SCALE * self.rng.uniform(0.5, 2, outputs)
            scales[self.rng.random(outputs) < 0.1] *= 1e-7  # such channels answer the same to every input
        self.layers.append(Conv(inputs=(x,), output=y, low=low, high=high, window=window, weights=weights, depthwise=depthwise,
                                bias=np.asarray(bias, np.int32), weight_scales=np.asarray(scales, np.float32)))  # fmt: skip
        return y

    def add(self, a: Tensor, b: Tensor, activation: str = "NONE") -> Tensor:
        """A sum."""
        y = self.tensor(a.shape, 1.7 * max(a.scale, b.scale))
        low, high = bounds_of(activation, y)
        self.layers.append(Add(inputs=(a, b), output=y, low=low, high=high))
        return y

    def pool(self, x: Tensor, size: int, *, same: bool = False) -> Tensor:
        """An average over windows of ``size``, moved by ``size``."""
        kernel = (size, size)
        window = Window(x.shape[1], x.shape[2], x.shape[3], kernel, kernel, padding_of(x, kernel, size, same))
        y = self.tensor((1, *window.output, x.shape[3]), x.scale, x.zero_point)
        self.layers.append(AveragePool(inputs=(x,), output=y, window=window))
        return y

    def dense(self, x: Tensor, outputs: int, *, weights: Any = None) -> Tensor:
        """A product with the flattened tensor."""
        if weights is None:
            weights = self.rng.integers(-127, 128, (outputs, x.size))
        flat = Tensor(x.key, (1, x.size), x.scale, x.zero_point)
        y = self.tensor((1, outputs), x.scale * WEIGHT_SCALE * 74 * np.sqrt(x.size) / 3)
        self.layers.append(Dense(inputs=(flat,), output=y, weights=np.asarray(weights, np.int8),
                                 bias=self.rng.integers(-2000, 2000, outputs).astype(np.int32),
                                 weight_scales=np.array([WEIGHT_SCALE], np.float32)))  # fmt: skip
        return y

    def graph(self) -> Graph:
        """From the first layer's input to the last layer's output."""
        return Graph(self.layers[0].inputs[0], self.layers[-1].output, tuple(self.layers))


def padding_of(x: Tensor, kernel: tuple[int, int], stride: int, same: bool) -> tuple[int, int, int, int]:
    """TFLite's padding."""
    if not same:
        return (0, 0, 0, 0)
    total = [max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in zip(x.shape[1:3], kernel, strict=True)]
    return (total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2)


def bounds_of(activation: str, y: Tensor) -> tuple[int, int]:
    """What an activation clamps to."""
    low = -128 if activation == "NONE" else max(-128, activation_bound(0.0, y.scale, y.zero_point))
    return low, min(127, activation_bound(6.0, y.scale, y.zero_point)) if activation == "RELU6" else 127


def random_graph(rng: Rng) -> Graph:
    """Two to six blocks behind a first convolution, sometimes with a pool, and a fully connected layer or a convolution at the end."""
    make = GraphMaker(rng)
    x = make.tensor((1, int(rng.integers(4, 8)), int(rng.integers(4, 8)), int(rng.integers(1, 4))))
    x = make.conv(x, int(rng.integers(2, 9)), kernel=int(rng.choice([1, 3])))
    for _ in range(int(rng.integers(2, 7))):
        x = _block(make, x)
    if rng.random() < 0.4:
        x = make.pool(x, min(x.shape[1:3]), same=bool(rng.random() < 0.5))
    if rng.random() < 0.6:
        make.dense(x, 4)
    else:
        make.conv(x, 3, activation="NONE")
    return make.graph()


def _block(make: GraphMaker, x: Tensor) -> Tensor:
    rng = make.rng
    activation = str(rng.choice(["NONE", "RELU", "RELU", "RELU6"]))
    kind = rng.choice(["1x1", "1x1", "1x1", "depthwise", "depthwise", "3x3", "residual", "pool", "multiplied"])
    small = min(x.shape[1:3]) < 3
    if kind == "depthwise":
        return make.depthwise(x, stride=int(rng.choice([1, 2])), same=small or bool(rng.random() < 0.7), activation=activation)
    if kind == "3x3":
        return make.conv(x, int(rng.integers(1, 9)), kernel=3, same=small or bool(rng.random() < 0.7), activation=activation)
    if kind == "residual":
        inner = make.conv(x, int(rng.integers(1, 9)), activation=activation)
        return make.add(x, make.conv(inner, x.shape[3], kernel=3), activation)
    if kind == "pool" and not small:
        return make.pool(x, 2, same=bool(rng.random() < 0.5))
    if kind == "multiplied" and x.shape[3] <= 4:
        return make.depthwise(x, multiplier=2, activation=activation)
    return make.conv(x, int(rng.integers(1, 9)), activation=activation)


def tflite_of(graph: Graph) -> bytes:
    """A file whose graph this is."""
    g = tt.TinyTflite()
    known: dict[int, int] = {}

    def activation(tensor: Tensor) -> int:
        if tensor.key not in known:
            known[tensor.key] = g.tensor(f"t{tensor.key}", tensor.shape, "int8", tensor.scale, tensor.zero_point)
        return known[tensor.key]

    activation(graph.input)
    for layer in graph.layers:
        given = [activation(tensor) for tensor in layer.inputs]
        y = activation(layer.output)
        kind = next(name for name in ("NONE", "RELU", "RELU6") if bounds_of(name, layer.output) == (layer.low, layer.high))
        if isinstance(layer, Add):
            tt.add(g, *given, y, activation=kind)
        elif isinstance(layer, AveragePool):
            size = layer.window.kernel
            tt.average_pool(g, given[0], y, size=size, strides=layer.window.strides, padding="SAME" if _padded(layer) else "VALID")
        elif isinstance(layer, Dense):
            w, b = _constants(g, layer, layer.weights)
            x = layer.inputs[0]
            flat = g.tensor(f"flat{x.key}", x.shape, "int8", x.scale, x.zero_point)
            tt.reshape(g, given[0], flat, x.shape)
            tt.fully_connected(g, flat, w, b, y, activation=kind)
        elif isinstance(layer, Conv):
            values = layer.weights.transpose(3, 1, 2, 0) if layer.depthwise else layer.weights
            w, b = _constants(g, layer, values)
            add = tt.depthwise if layer.depthwise else tt.conv
            more = {"multiplier": len(layer.weights) // layer.window.channels} if layer.depthwise else {}
            padding = "SAME" if _padded(layer) else "VALID"
            add(g, given[0], w, b, y, padding=padding, strides=layer.window.strides, activation=kind, **more)
    return g.build([known[graph.input.key]], [known[graph.output.key]])


def _padded(layer: Conv | AveragePool) -> bool:
    window = layer.window
    same = tuple(-(-n // s) for n, s in zip((window.height, window.width), window.strides, strict=True))
    return window.output == same


def _constants(g: tt.TinyTflite, layer: Conv | Dense, weights: npt.NDArray[np.int8]) -> tuple[int, int]:
    scales = layer.weight_scales.astype(float)
    one = float(scales[0]) if scales.size == 1 else [float(s) for s in scales]
    axis = 3 if isinstance(layer, Conv) and layer.depthwise and scales.size > 1 else 0
    w = g.tensor("w", weights.shape, "int8", one, axis=axis, data=weights)
    product = layer.inputs[0].scale * scales
    b = g.tensor("b", layer.bias.shape, "int32", float(product[0]) if scales.size == 1 else [float(s) for s in product], data=layer.bias)
    return w, b
