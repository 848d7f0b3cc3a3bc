# SPDX-License-Identifier: Apache-2.0
"""Random int8 models of every supported operator, as ``.tflite`` files: one seed, one model.

What the compiler has to decide about is what varies: odd shapes and rows of pixels, reshapes between any two layers, branches that are
interleaved and come back together, strides, paddings, dilations, multipliers, fused activations, zero points at both ends, per-tensor and
per-channel scales up to extreme ones, rows and columns of zeros, missing biases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import tiny_tflite as tt

ACTIVATIONS = ("NONE", "NONE", "RELU", "RELU", "RELU6", "RELU_N1_TO_1")
MOST_VALUES, MOST_MACS = 3000, 120_000
"""Of one tensor and of one layer: small models find as much, and thousands of them run in the time of one large one."""
WIDE = 100_000
"""The first seed of models of all operators; those below hold the operators that TVM imports."""


@dataclass(frozen=True)
class Node:
    """A tensor of the model that layers may read."""

    index: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def image(self) -> bool:
        return len(self.shape) == 4 and self.shape[0] == 1


@dataclass
class Maker:
    """A model under construction."""

    rng: np.random.Generator
    g: tt.TinyTflite = field(default_factory=tt.TinyTflite)
    operators: list[str] = field(default_factory=list)

    def pick(self, options: Sequence[object]) -> object:
        return options[int(self.rng.integers(len(options)))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def number(self, low: int, high: int) -> int:
        """Both ends included."""
        return int(self.rng.integers(low, high + 1))

    def zero_point(self) -> int:
        return int(self.rng.choice([-128, -128, -128, 127, 0, self.number(-128, 127)]))

    def node(self, shape: tuple[int, ...], scale: float, zero_point: int, name: str = "t") -> Node:
        scale = float(np.float32(scale))
        return Node(self.g.tensor(name, shape, "int8", scale, zero_point), shape, scale, zero_point)

    def activation(self, y: Node) -> str:
        return str(self.pick(ACTIVATIONS))

    # --- layers ---------------------------------------------------------------------------------------------------------------
    def weights(self, shape: tuple[int, ...], axis: int) -> np.ndarray:
        values = self.rng.integers(-127, 128, shape)
        kind = self.rng.random()
        if kind < 0.2:  # whole output channels of zeros, and input channels
            dead = self.rng.random(shape[axis]) < 0.4
            values[(slice(None),) * axis + (dead,)] = 0
            if len(shape) == 4 and axis == 0:
                values[..., self.rng.random(shape[3]) < 0.3] = 0
        elif kind < 0.3:
            values = np.where(self.rng.random(shape) < 0.7, 0, values)
        elif kind < 0.4:
            values = self.rng.choice([-127, 127], shape)
        return values

    def scales(self, channels: int, *, per_channel: bool) -> float | list[float]:
        if not per_channel:
            return float(np.float32(self.rng.uniform(0.001, 0.02)))
        values = self.rng.uniform(0.001, 0.02, channels)
        if self.chance(0.1):  # multipliers of 0 and just above
            values[self.rng.random(channels) < 0.4] *= float(self.rng.choice([1e-12, 1e-8, 1e-6]))
        return [float(np.float32(v)) for v in values]

    def bias(self, channels: int, x: Node, scales: float | list[float], *, optional: bool = False) -> int | None:
        if optional and self.chance(0.3):
            return None
        limit = int(self.rng.choice([500, 5000, 20_000, 20_000, 1 << 28])) if self.chance(0.5) else 3000
        values = self.rng.integers(-limit, limit + 1, channels)
        product = [x.scale * s for s in scales] if isinstance(scales, list) else x.scale * scales
        return self.g.tensor("b", (channels,), "int32", product, data=values)

    def output_scale(self, x: Node, scales: float | list[float], terms: int) -> float:
        """Most values stay inside int8; now and then almost all saturate, or almost none differ."""
        typical = float(np.median(scales)) * x.scale * 74 * np.sqrt(terms)
        return max(1e-6, typical * float(self.rng.choice([0.3, 1, 1, 2, 3, 0.02, 20])) * self.rng.uniform(0.5, 1.5))

    def window(self, x: Node, *, most: int = 5) -> tuple[tuple[int, int], tuple[int, int], str, tuple[int, int], tuple[int, int]] | None:
        """(kernel, strides, padding, dilation, output); None if the image is too small."""
        height, width = x.shape[1:3]
        padding = str(self.pick(("SAME", "VALID")))
        if self.chance(0.4):
            kernel = (3, 3)
        elif self.chance(0.3):
            kernel = (1, 1)
        elif self.chance(0.2):
            kernel = (height, width)  # the whole image
        else:
            kernel = (self.number(1, most), self.number(1, most))
        strides = (1, 1) if self.chance(0.5) else (2, 2) if self.chance(0.5) else (self.number(1, 3), self.number(1, 3))
        dilation = (self.number(1, 2), self.number(1, 3)) if self.chance(0.08) else (1, 1)
        if dilation != (1, 1):
            strides = (1, 1)
        reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        if padding == "SAME":
            output = tuple(-(-n // s) for n, s in zip((height, width), strides, strict=True))
        else:
            output = tuple((n - r) // s + 1 for n, r, s in zip((height, width), reach, strides, strict=True))
        if min(output) < 1:
            return None
        return kernel, strides, padding, dilation, (output[0], output[1])

    def conv(self, x: Node, outputs: int | None = None, *, keep: bool = False) -> Node | None:
        """``keep``: the image keeps its size."""
        chosen = ((3, 3), (1, 1), "SAME", (1, 1), x.shape[1:3]) if keep and self.chance(0.5) else self.window(x)
        if keep and chosen is not None and chosen[4] != x.shape[1:3]:
            chosen = ((1, 1), (1, 1), "VALID", (1, 1), x.shape[1:3])
        channels = outputs or int(self.pick((1, 2, 3, 4, 5, 8, 8, 16, self.number(1, 20))))  # type: ignore[call-overload]
        if chosen is None:
            return None
        kernel, strides, padding, dilation, size = chosen
        terms = kernel[0] * kernel[1] * x.shape[3]
        if size[0] * size[1] * channels > MOST_VALUES or size[0] * size[1] * channels * terms > MOST_MACS:
            return None
        scales = self.scales(channels, per_channel=self.chance(0.7))
        w = self.g.tensor("w", (channels, *kernel, x.shape[3]), "int8", scales, data=self.weights((channels, *kernel, x.shape[3]), 0))
        b = self.bias(channels, x, scales)
        y = self.node((1, *size, channels), self.output_scale(x, scales, terms), self.zero_point())
        tt.conv(self.g, x.index, w, b, y.index, padding=padding, strides=strides, dilation=dilation, activation=self.activation(y))
        self.operators.append("CONV_2D")
        return y

    def depthwise(self, x: Node, *, keep: bool = False) -> Node | None:
        chosen = ((3, 3), (1, 1), "SAME", (1, 1), x.shape[1:3]) if keep else self.window(x)
        if chosen is None:
            return None
        kernel, strides, padding, dilation, size = chosen
        multiplier = 1 if keep or self.chance(0.85) else self.number(2, 3)
        channels, terms = x.shape[3] * multiplier, kernel[0] * kernel[1]
        if size[0] * size[1] * channels > MOST_VALUES or size[0] * size[1] * channels * terms > MOST_MACS:
            return None
        scales = self.scales(channels, per_channel=self.chance(0.7))
        w = self.g.tensor("w", (1, *kernel, channels), "int8", scales, axis=3 if isinstance(scales, list) else 0,
                          data=self.weights((1, *kernel, channels), 3))  # fmt: skip
        b = self.bias(channels, x, scales)
        y = self.node((1, *size, channels), self.output_scale(x, scales, terms), self.zero_point())
        tt.depthwise(self.g, x.index, w, b, y.index, padding=padding, strides=strides, multiplier=multiplier, dilation=dilation,
                     activation=self.activation(y))  # fmt: skip
        self.operators.append("DEPTHWISE_CONV_2D")
        return y

    def pool(self, x: Node) -> Node | None:
        chosen = self.window(x, most=4)
        if chosen is None or chosen[3] != (1, 1):
            return None
        kernel, strides, padding, _, size = chosen
        y = self.node((1, *size, x.shape[3]), x.scale, x.zero_point)
        activation = self.activation(y) if self.chance(0.3) else "NONE"
        tt.average_pool(self.g, x.index, y.index, size=kernel, strides=strides, padding=padding, activation=activation)
        self.operators.append("AVERAGE_POOL_2D")
        return y

    def dense(self, x: Node) -> Node | None:
        inputs, outputs = x.shape[-1], self.number(1, 16)
        if self.chance(0.3):  # TensorFlow Lite takes any tensor as vectors of the weights' length
            inputs = x.size if self.chance(0.7) else self.divisor(x.size)
        if len(x.shape) < 2 or x.size * outputs > MOST_MACS or x.size // inputs * outputs > MOST_VALUES:
            return None
        scales = self.scales(outputs, per_channel=self.chance(0.3))
        w = self.g.tensor("w", (outputs, inputs), "int8", scales, data=self.weights((outputs, inputs), 0))
        b = self.bias(outputs, x, scales, optional=True)
        y = self.node((x.size // inputs, outputs), self.output_scale(x, scales, inputs), self.zero_point())
        tt.fully_connected(self.g, x.index, w, b, y.index, activation=self.activation(y))
        self.operators.append("FULLY_CONNECTED")
        return y

    def add(self, a: Node, b: Node) -> Node:
        y = self.node(a.shape, max(a.scale, b.scale) * self.rng.uniform(0.7, 2.2), self.zero_point())
        tt.add(self.g, a.index, b.index, y.index, activation=self.activation(y))
        self.operators.append("ADD")
        return y

    def softmax(self, x: Node) -> Node | None:
        if x.shape[-1] > 511:
            return None
        y = self.node(x.shape, 1 / 256, -128)
        tt.softmax(self.g, x.index, y.index)
        self.operators.append("SOFTMAX")
        return y

    def reshape(self, x: Node, shape: tuple[int, ...] | None = None) -> Node:
        shape = shape or self.shape_of(x.size)
        y = self.node(shape, x.scale, x.zero_point)
        tt.reshape(self.g, x.index, y.index, shape)
        self.operators.append("RESHAPE")
        return y

    def shape_of(self, size: int) -> tuple[int, ...]:
        """A random shape of so many values, mostly an image."""
        if self.chance(0.15):
            return (1, size)

        first = self.divisor(size)
        second = self.divisor(size // first)
        rest = size // first // second
        if self.chance(0.1):
            return (first, size // first)
        return (1, *(int(n) for n in self.rng.permutation([first, second, rest])))

    def divisor(self, n: int) -> int:
        return int(self.pick([d for d in range(1, n + 1) if n % d == 0]))  # type: ignore[call-overload]

    def inputs(self, nodes: list[Node]) -> list[int]:
        """The model's inputs; its first tensor is the first of ``nodes``."""
        return [nodes[0].index]

    def outputs(self, nodes: list[Node]) -> list[int]:
        """The model's outputs; its last tensor is the last of ``nodes``."""
        return [nodes[-1].index]

    def grow(self, nodes: list[Node]) -> Node | None:
        """One more layer on one of the latest tensors."""
        x = nodes[-1] if self.chance(0.8) else nodes[self.number(max(0, len(nodes) - 4), len(nodes) - 1)]
        pairs = [(a, b) for i, a in enumerate(nodes) for b in nodes[i:] if a.shape == b.shape and (a is not b or self.chance(0.1))]
        if pairs and self.chance(0.25):
            a, b = pairs[self.number(0, len(pairs) - 1)]
            return self.add(a, b) if self.chance(0.5) else self.add(b, a)
        kind = self.rng.random()
        if kind < 0.22:
            return self.reshape(x)
        if not x.image:
            return self.dense(x) if kind < 0.7 else self.softmax(x) if kind < 0.8 else self.reshape(x)
        if kind < 0.5:
            return self.conv(x)
        if kind < 0.68:
            return self.depthwise(x)
        if kind < 0.8:
            return self.pool(x)
        if kind < 0.84:
            return self.dense(x)
        if kind < 0.87:
            return self.softmax(x)
        return self.branch(x)

    def branch(self, x: Node) -> Node | None:
        """Two ways that come back together, in either order, with other layers bound in between."""
        channels = x.shape[3]
        if x.size > MOST_VALUES // 2:
            return None
        one = self.conv(x, channels, keep=True) if self.chance(0.6) else self.depthwise(x, keep=True)
        other = x if self.chance(0.4) else self.conv(x, channels, keep=True)
        if one is None or other is None:
            return None
        if self.chance(0.3):
            shape = self.shape_of(one.size)
            one, other = self.reshape(one, shape), self.reshape(other, shape)
        return self.add(one, other) if self.chance(0.5) else self.add(other, one)


def random_model(seed: int) -> tuple[bytes, tuple[str, ...]]:
    """A model, and the kinds of its operators in order; the same for the same seed. From seed :data:`WIDE` on, of all operators."""
    if seed >= WIDE:
        from random_operators import WideMaker

        m: Maker = WideMaker(np.random.default_rng(seed))
    else:
        m = Maker(np.random.default_rng(seed))
    shape: tuple[int, ...] = (1, m.number(1, 12), m.number(1, 12), int(m.pick((1, 1, 2, 3, 3, 4, 6, 8))))  # type: ignore[call-overload]
    if m.chance(0.1):
        shape = (1, 1, m.number(1, 60), m.number(1, 6))
    if m.chance(0.1):
        shape = (1, m.number(1, 300))
    nodes = [m.node(shape, m.rng.uniform(0.005, 0.3), m.zero_point(), "x")]
    wanted = m.number(1, 7)
    for _ in range(6 * wanted):
        if len(m.operators) >= wanted:
            break
        made = m.grow(nodes)
        if made is not None:
            nodes.append(made)
    if len(nodes) == 1:
        nodes.append(m.reshape(nodes[0]))
    return m.g.build(m.inputs(nodes), m.outputs(nodes)), tuple(m.operators)
