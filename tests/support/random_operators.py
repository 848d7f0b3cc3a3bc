# SPDX-License-Identifier: Apache-2.0
"""Random int8 models of all operators: those of :mod:`random_models` and one method here for each that the engine has besides.

``random_model(seed)`` of that module gives these models from seed :data:`random_models.WIDE` on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tflite
import tiny_tflite as tt
from random_models import MOST_MACS, MOST_VALUES, Maker, Node

OPS = tflite.BuiltinOperator
ALONE = ("RELU", "RELU6", "RELU_N1_TO_1", "LEAKY_RELU", "LOGISTIC", "TANH", "HARD_SWISH", "QUANTIZE", "ABS")


@dataclass
class WideMaker(Maker):
    """A model under construction, of every operator. ``more``: its inputs besides the first."""

    more: list[int] = field(default_factory=list)

    def emit(self, kind: str, inputs: list[int], outputs: list[int], options: str = "", **fields: Any) -> None:
        self.g.op(getattr(OPS, kind), inputs, outputs, tt.options(options, **fields) if options else None)
        self.operators.append(kind)

    def grow(self, nodes: list[Node]) -> Node | None:
        if self.chance(0.3):
            return super().grow(nodes)
        x = nodes[-1] if self.chance(0.8) else nodes[self.number(max(0, len(nodes) - 4), len(nodes) - 1)]
        makers = [self.reduce, self.alone, self.binary, self.slice, self.pad, self.transpose, self.split, self.join]
        makers += [self.squeeze, self.shaped, self.keep, self.svdf, self.gather]
        makers += [self.max_pool, self.resize, self.grouped, self.transpose_conv, self.blocks, self.blocks] if x.image else []
        return makers[self.number(0, len(makers) - 1)](x, nodes)

    def like(self, x: Node, shape: tuple[int, ...]) -> Node:
        return self.node(shape, x.scale, x.zero_point)

    def scaled_like(self, a: Node, b: Node) -> bool:
        return (a.scale, a.zero_point) == (b.scale, b.zero_point)

    # --- functions of one value -------------------------------------------------------------------------------------------------
    def alone(self, x: Node, nodes: list[Node]) -> Node | None:
        kind = str(self.pick(ALONE))
        scale, zero_point = x.scale * self.rng.uniform(0.6, 2.5), self.zero_point()
        if kind == "LOGISTIC":
            scale, zero_point = 1 / 256, -128
        elif kind == "TANH":
            scale, zero_point = 1 / 128, 0
        elif kind == "HARD_SWISH":
            scale = x.scale * self.rng.uniform(0.6, 2.5)
        elif kind.startswith("RELU") and self.chance(0.5):
            scale, zero_point = x.scale, x.zero_point
        y = self.node(x.shape, scale, zero_point)
        if kind == "LEAKY_RELU":
            self.emit(kind, [x.index], [y.index], "LeakyReluOptions", Alpha=float(self.rng.choice([0.0, 0.1, 0.3, 1.5])))
        else:
            self.emit(kind, [x.index], [y.index])
        return y

    # --- functions of two values ------------------------------------------------------------------------------------------------
    def binary(self, x: Node, nodes: list[Node]) -> Node | None:
        kind = str(self.pick(("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU")))
        if kind == "PRELU":
            return self.prelu(x)
        extreme = kind in ("MAXIMUM", "MINIMUM")
        shape = tuple(n if self.chance(0.5) else 1 for n in x.shape)
        shape = shape if self.chance(0.5) else shape[self.number(0, len(shape) - 1) :]
        same = [node for node in nodes if node.shape == x.shape and (not extreme or self.scaled_like(node, x))]
        if self.chance(0.4) and same:
            other = same[self.number(0, len(same) - 1)]
        elif not extreme and self.chance(0.1):
            other = self.node(shape, x.scale * self.rng.uniform(0.3, 3), self.zero_point(), "second")
            self.more.append(other.index)
        else:
            scale, zero = (x.scale, x.zero_point) if extreme else (float(np.float32(x.scale * self.rng.uniform(0.3, 3))), self.zero_point())
            index = self.g.tensor("k", shape, "int8", scale, zero, data=self.rng.integers(-128, 128, shape))
            other = Node(index, shape, scale, zero)
        whole = tuple(np.broadcast_shapes(x.shape, other.shape))
        largest = x.scale * other.scale * 60 if kind == "MUL" else max(x.scale, other.scale)
        largest *= largest * 100 if kind == "SQUARED_DIFFERENCE" else 1
        y = self.like(x, whole) if extreme else self.node(whole, largest * self.rng.uniform(0.7, 2.2), self.zero_point())
        pair = [x.index, other.index] if self.chance(0.5) else [other.index, x.index]
        if extreme:
            self.emit(kind, pair, [y.index], "MaximumMinimumOptions")
        elif kind == "SQUARED_DIFFERENCE":
            self.emit(kind, pair, [y.index], "SquaredDifferenceOptions")
        else:
            self.emit(kind, pair, [y.index], f"{kind.title()}Options", FusedActivationFunction=tt.ACTIVATIONS[self.activation(y)])
        return y

    def prelu(self, x: Node) -> Node | None:
        shape = tuple(n if self.chance(0.6) else 1 for n in x.shape[1:])
        if len(x.shape) < 2:
            return None
        zero, scale = self.zero_point(), float(np.float32(self.rng.uniform(0.001, 0.02)))
        slopes = self.g.tensor("slopes", shape, "int8", scale, zero, data=self.rng.integers(-128, 128, shape))
        y = self.node(x.shape, x.scale * self.rng.uniform(0.7, 2), self.zero_point())
        self.emit("PRELU", [x.index, slopes], [y.index])
        return y

    # --- reductions -------------------------------------------------------------------------------------------------------------
    def reduce(self, x: Node, nodes: list[Node]) -> Node | None:
        kind = str(self.pick(("MEAN", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")))
        axes = (1, 2) if x.image and self.chance(0.4) else tuple(i for i in range(len(x.shape)) if self.chance(0.4))
        if not axes:
            return None
        keep = self.chance(0.5)
        shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keep or i not in axes)
        if not shape:
            return None
        moved = kind.startswith("REDUCE") or self.chance(0.3)
        count = int(np.prod([x.shape[i] for i in axes]))
        grown = float(np.sqrt(count)) if kind == "SUM" else 1.0
        y = self.like(x, shape) if moved else self.node(shape, x.scale * grown * self.rng.uniform(0.4, 1.5), self.zero_point())
        written = [a - len(x.shape) if self.chance(0.3) else a for a in axes]
        self.emit(kind, [x.index, self.g.constant(written)], [y.index], "ReducerOptions", KeepDims=keep)
        return y

    # --- windows ----------------------------------------------------------------------------------------------------------------
    def max_pool(self, x: Node, nodes: list[Node]) -> Node | None:
        chosen = self.window(x, most=4)
        if chosen is None or chosen[3] != (1, 1):
            return None
        kernel, strides, padding, _, size = chosen
        y = self.like(x, (1, *size, x.shape[3]))
        self.emit("MAX_POOL_2D", [x.index], [y.index], "Pool2DOptions", Padding=tt.PADDINGS[padding], StrideH=strides[0],
                  StrideW=strides[1], FilterHeight=kernel[0], FilterWidth=kernel[1],
                  FusedActivationFunction=tt.ACTIVATIONS[self.activation(y)])  # fmt: skip
        return y

    def resize(self, x: Node, nodes: list[Node]) -> Node | None:
        size = (self.number(1, 2 * x.shape[1]), self.number(1, 2 * x.shape[2]))
        if size[0] * size[1] * x.shape[3] > MOST_VALUES:
            return None
        corners = self.chance(0.3)
        half = not corners and self.chance(0.5)
        kind = str(self.pick(("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR")))
        options = "ResizeBilinearOptions" if kind == "RESIZE_BILINEAR" else "ResizeNearestNeighborOptions"
        y = self.like(x, (1, *size, x.shape[3]))
        self.emit(kind, [x.index, self.g.constant(size)], [y.index], options, AlignCorners=corners, HalfPixelCenters=half)
        return y

    def grouped(self, x: Node, nodes: list[Node]) -> Node | None:
        groups = self.divisor(x.shape[3])
        depth, outputs = x.shape[3] // groups, groups * self.number(1, 3)
        chosen = self.window(x, most=3)
        if chosen is None or groups == 1:
            return None
        kernel, strides, padding, dilation, size = chosen
        terms = kernel[0] * kernel[1] * depth
        if size[0] * size[1] * outputs > MOST_VALUES or size[0] * size[1] * outputs * terms > MOST_MACS:
            return None
        scales = self.scales(outputs, per_channel=True)
        w = self.g.tensor("w", (outputs, *kernel, depth), "int8", scales, data=self.weights((outputs, *kernel, depth), 0))
        y = self.node((1, *size, outputs), self.output_scale(x, scales, terms), self.zero_point())
        b = self.bias(outputs, x, scales)
        tt.conv(self.g, x.index, w, b, y.index, padding=padding, strides=strides, dilation=dilation, activation=self.activation(y))
        self.operators.append("CONV_2D")
        return y

    def transpose_conv(self, x: Node, nodes: list[Node]) -> Node | None:
        kernel, strides = (self.number(1, 4), self.number(1, 4)), (self.number(1, 3), self.number(1, 3))
        same, outputs = self.chance(0.5), self.number(1, 6)
        size = [n * s if same else (n - 1) * s + max(k, s) for n, s, k in zip(x.shape[1:3], strides, kernel, strict=True)]
        if size[0] * size[1] * max(outputs, x.shape[3]) > MOST_VALUES or kernel[0] * kernel[1] * size[0] * size[1] * outputs > MOST_MACS:
            return None
        scales = self.scales(outputs, per_channel=self.chance(0.7))
        w = self.g.tensor("w", (outputs, *kernel, x.shape[3]), "int8", scales, data=self.weights((outputs, *kernel, x.shape[3]), 0))
        y = self.node((1, *size, outputs), self.output_scale(x, scales, kernel[0] * kernel[1] * x.shape[3]), self.zero_point())
        b = self.bias(outputs, x, scales, optional=True)
        inputs = [self.g.constant(y.shape), w, x.index, *([] if b is None else [b])]
        self.emit("TRANSPOSE_CONV", inputs, [y.index], "TransposeConvOptions", Padding=tt.PADDINGS["SAME" if same else "VALID"],
                  StrideH=strides[0], StrideW=strides[1])  # fmt: skip
        return y

    # --- moves ------------------------------------------------------------------------------------------------------------------
    def slice(self, x: Node, nodes: list[Node]) -> Node | None:
        begin = [self.number(0, n - 1) for n in x.shape]
        end = [self.number(b + 1, n) for b, n in zip(begin, x.shape, strict=True)]
        if self.chance(0.3):
            size = [e - b for b, e in zip(begin, end, strict=True)]
            y = self.like(x, tuple(size))
            self.emit("SLICE", [x.index, self.g.constant(begin), self.g.constant(size)], [y.index], "SliceOptions")
            return y
        steps = [self.number(1, 3) if self.chance(0.4) else 1 for _ in x.shape]
        masks = [int(sum(1 << i for i in range(len(x.shape)) if self.chance(0.2))) for _ in range(3)]
        if self.chance(0.6) or masks[2] == (1 << len(x.shape)) - 1:
            masks[2] = 0
        parts: list[Any] = []
        for i, n in enumerate(x.shape):
            low, high = (0 if masks[0] >> i & 1 else begin[i]), (n if masks[1] >> i & 1 else end[i])
            parts.append(begin[i] if masks[2] >> i & 1 else slice(low, high, steps[i]))
            if masks[2] >> i & 1:
                steps[i] = 1
                end[i] = begin[i] + 1
        y = self.like(x, np.empty(x.shape, np.int8)[tuple(parts)].shape)
        self.emit("STRIDED_SLICE", [x.index, *(self.g.constant(v) for v in (begin, end, steps))], [y.index], "StridedSliceOptions",
                  BeginMask=masks[0] & ~masks[2], EndMask=masks[1] & ~masks[2], ShrinkAxisMask=masks[2])  # fmt: skip
        return y

    def gather(self, x: Node, nodes: list[Node]) -> Node | None:
        axis, count = self.number(0, len(x.shape) - 1), self.number(1, 4)
        places = self.rng.integers(0, x.shape[axis], count)
        shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
        if np.prod(shape) > MOST_VALUES:
            return None
        y = self.like(x, shape)
        self.emit("GATHER", [x.index, self.g.constant(places)], [y.index], "GatherOptions", Axis=axis)
        return y

    def blocks(self, x: Node, nodes: list[Node]) -> Node | None:
        n, height, width, channels = x.shape
        block = self.number(2, 3)
        if channels % block**2 == 0 and self.chance(0.5):
            y = self.like(x, (n, height * block, width * block, channels // block**2))
            self.emit("DEPTH_TO_SPACE", [x.index], [y.index], "DepthToSpaceOptions", BlockSize=block)
            return y
        if height % block or width % block:
            return None
        y = self.like(x, (n, height // block, width // block, channels * block**2))
        self.emit("SPACE_TO_DEPTH", [x.index], [y.index], "SpaceToDepthOptions", BlockSize=block)
        return y

    def pad(self, x: Node, nodes: list[Node]) -> Node | None:
        pairs = [(self.number(0, 2), self.number(0, 2)) if self.chance(0.6) else (0, 0) for _ in x.shape]
        if self.chance(0.7):
            pairs[0] = (0, 0)
        shape = tuple(a + n + b for n, (a, b) in zip(x.shape, pairs, strict=True))
        if np.prod(shape) > MOST_VALUES:
            return None
        y, inputs = self.like(x, shape), [x.index, self.g.constant(pairs)]
        if self.chance(0.3):
            inputs.append(self.g.tensor("v", (1,), "int8", x.scale, x.zero_point, data=np.array([self.number(-128, 127)])))
            self.emit("PADV2", inputs, [y.index], "PadV2Options")
        else:
            self.emit("PAD", inputs, [y.index], "PadOptions")
        return y

    def transpose(self, x: Node, nodes: list[Node]) -> Node | None:
        axes = [int(i) for i in self.rng.permutation(len(x.shape))]
        y = self.like(x, tuple(x.shape[i] for i in axes))
        self.emit("TRANSPOSE", [x.index, self.g.constant(axes)], [y.index], "TransposeOptions")
        return y

    def split(self, x: Node, nodes: list[Node]) -> Node | None:
        axis = self.number(0, len(x.shape) - 1)
        n = x.shape[axis]
        if self.chance(0.3) and n <= 8 and len(x.shape) > 1:
            shape = x.shape[:axis] + x.shape[axis + 1 :]
            made = [self.like(x, shape) for _ in range(n)]
            self.emit("UNPACK", [x.index], [node.index for node in made], "UnpackOptions", Num=n, Axis=axis)
        elif self.chance(0.5):
            count = int(self.pick([d for d in range(1, min(n, 6) + 1) if n % d == 0]))  # type: ignore[call-overload]
            made = [self.like(x, (*x.shape[:axis], n // count, *x.shape[axis + 1 :])) for _ in range(count)]
            self.emit("SPLIT", [self.g.constant(axis), x.index], [node.index for node in made], "SplitOptions", NumSplits=count)
        elif n > 1:
            first = self.number(1, n - 1)
            sizes = [first, n - first]
            made = [self.like(x, (*x.shape[:axis], size, *x.shape[axis + 1 :])) for size in sizes]
            self.emit("SPLIT_V", [x.index, self.g.constant(sizes), self.g.constant(axis)], [node.index for node in made], "SplitVOptions",
                      NumSplits=2)  # fmt: skip
        else:
            return None
        nodes.extend(made[:-1])
        return made[-1]

    def join(self, x: Node, nodes: list[Node]) -> Node | None:
        axis = self.number(0, len(x.shape) - 1)
        others = [
            node
            for node in nodes
            if len(node.shape) == len(x.shape)
            and self.scaled_like(node, x)
            and all(a == b for i, (a, b) in enumerate(zip(node.shape, x.shape, strict=True)) if i != axis)
        ]
        chosen = [x, *(others[self.number(0, len(others) - 1)] for _ in range(self.number(0, 2)))]
        if sum(node.size for node in chosen) > MOST_VALUES:
            return None
        if self.chance(0.3) and len(x.shape) < 4:
            chosen = [node for node in chosen if node.shape == x.shape]
            y = self.like(x, (*x.shape[:axis], len(chosen), *x.shape[axis:]))
            self.emit("PACK", [node.index for node in chosen], [y.index], "PackOptions", ValuesCount=len(chosen), Axis=axis)
            return y
        y = self.like(x, (*x.shape[:axis], sum(node.shape[axis] for node in chosen), *x.shape[axis + 1 :]))
        self.emit("CONCATENATION", [node.index for node in chosen], [y.index], "ConcatenationOptions", Axis=axis)
        return y

    def squeeze(self, x: Node, nodes: list[Node]) -> Node | None:
        ones = [i for i, n in enumerate(x.shape) if n == 1 and i > 0]
        if ones and len(x.shape) > 2 and self.chance(0.5):
            axis = ones[self.number(0, len(ones) - 1)]
            y = self.like(x, x.shape[:axis] + x.shape[axis + 1 :])
            self.emit("SQUEEZE", [x.index], [y.index], "SqueezeOptions", SqueezeDims=[axis])
            return y
        if len(x.shape) > 3:
            return None
        axis = self.number(0, len(x.shape))
        y = self.like(x, (*x.shape[:axis], 1, *x.shape[axis:]))
        self.emit("EXPAND_DIMS", [x.index, self.g.constant(axis)], [y.index], "ExpandDimsOptions")
        return y

    def shaped(self, x: Node, nodes: list[Node]) -> Node | None:
        """Keras' Flatten: the batch size comes from SHAPE."""
        rest = x.size // x.shape[0]
        s, b, p = self.g.tensor("s", (len(x.shape),), "int32"), self.g.tensor("b", (), "int32"), self.g.tensor("p", (2,), "int32")
        self.emit("SHAPE", [x.index], [s], "ShapeOptions", OutType=tflite.TensorType.INT32)
        self.emit("STRIDED_SLICE", [s, *(self.g.constant([v]) for v in (0, 1, 1))], [b], "StridedSliceOptions", ShrinkAxisMask=1)
        self.emit("PACK", [b, self.g.constant(rest)], [p], "PackOptions", ValuesCount=2, Axis=0)
        y = self.like(x, (x.shape[0], rest))
        self.g.op(OPS.RESHAPE, [x.index, p], [y.index])
        self.operators.append("RESHAPE")
        return y

    # --- variables --------------------------------------------------------------------------------------------------------------
    def keep(self, x: Node, nodes: list[Node]) -> Node | None:
        """A stream: what was kept, joined with the new, and a part of both is kept."""
        axis, length = self.number(0, len(x.shape) - 1), self.number(1, 3)
        kept = (*x.shape[:axis], length, *x.shape[axis + 1 :])
        whole = (*x.shape[:axis], length + x.shape[axis], *x.shape[axis + 1 :])
        if np.prod(whole) > MOST_VALUES:
            return None
        name = f"variable{len(self.g.variables)}"
        handle = self.g.variable(name, self.rng.integers(-128, 128, kept), x.scale, x.zero_point)
        old, y, new = self.like(x, kept), self.like(x, whole), self.like(x, kept)
        self.emit("READ_VARIABLE", [handle], [old.index], "ReadVariableOptions")
        self.emit("CONCATENATION", [old.index, x.index], [y.index], "ConcatenationOptions", Axis=axis)
        begin = [x.shape[axis] if i == axis else 0 for i in range(len(whole))]
        self.emit("SLICE", [y.index, self.g.constant(begin), self.g.constant(kept)], [new.index], "SliceOptions")
        source = old if self.chance(0.1) else new
        self.emit("ASSIGN_VARIABLE", [handle, source.index], [], "AssignVariableOptions")
        self.operators += ["CALL_ONCE", "VAR_HANDLE"]
        return y

    def svdf(self, x: Node, nodes: list[Node]) -> Node | None:
        if x.shape[0] != 1 or x.size > 200:
            return None
        if len(x.shape) != 2:
            x = self.reshape(x, (1, x.size))
        y = svdf(self, x, self.number(1, 2), self.number(1, 6), self.number(1, 5), "int16")  # tflite-runtime has no other memory
        self.operators.append("SVDF")
        return y

    # --- edges ------------------------------------------------------------------------------------------------------------------
    def inputs(self, nodes: list[Node]) -> list[int]:
        return [self.enter(nodes[0]), *self.more]

    def outputs(self, nodes: list[Node]) -> list[int]:
        found = [self.leave(nodes[-1])]
        if self.chance(0.15) and len(nodes) > 2:
            found.append(nodes[self.number(1, len(nodes) - 2)].index)
        return found

    def enter(self, x: Node) -> int:
        """The model's input in front of ``x``: the same, or float32 or uint8 behind a QUANTIZE."""
        kind = self.rng.random()
        if kind < 0.7:
            return x.index
        source = (
            self.g.tensor("in", x.shape, "float32") if kind < 0.85 else self.g.tensor("in", x.shape, "uint8", x.scale, x.zero_point + 128)
        )
        self.g.ops.insert(0, (OPS.QUANTIZE, [source], [x.index], None))
        self.operators.insert(0, "QUANTIZE")
        return source

    def leave(self, y: Node) -> int:
        kind = self.rng.random()
        if kind < 0.65:
            return y.index
        if kind < 0.7 and len(y.shape) > 1:
            axis = self.number(0, len(y.shape) - 1)
            if y.shape[axis] > 256:
                return y.index
            result = self.g.tensor("out", y.shape[:axis] + y.shape[axis + 1 :], "int32")
            name = str(self.pick(("ARG_MAX", "ARG_MIN")))
            self.emit(name, [y.index, self.g.constant(axis)], [result], name.title().replace("_", "") + "Options",
                      OutputType=tflite.TensorType.INT32)  # fmt: skip
            return result
        if kind < 0.85:
            result = self.g.tensor("out", y.shape, "float32")
            self.emit("DEQUANTIZE", [y.index], [result])
        else:
            result = self.g.tensor("out", y.shape, "uint8", y.scale, y.zero_point + 128)
            self.emit("QUANTIZE", [y.index], [result])
        return result


def svdf(m: Maker, x: Node, rank: int, units: int, memory: int, dtype: str) -> Node:
    """SVDF of one vector with a memory of int8 or int16."""
    filters, most = rank * units, 127 if dtype == "int8" else 2000
    scales = [float(np.float32(v)) for v in (m.rng.uniform(0.001, 0.02), m.rng.uniform(0.0001, 0.01))]
    kept = float(np.float32(x.scale * scales[0] * 74 * np.sqrt(x.size) * 100 / most))
    zero = m.number(-20, 20) if dtype == "int8" else 0
    w = m.g.tensor("w", (filters, x.size), "int8", scales[0], data=m.rng.integers(-127, 128, (filters, x.size)))
    t = m.g.tensor("t", (filters, memory), dtype, scales[1], data=m.rng.integers(-most, most + 1, (filters, memory)))
    b = m.g.tensor("b", (units,), "int32", kept * scales[1], data=m.rng.integers(-3000, 3001, units))
    state = m.g.tensor("m", (1, filters * memory), dtype, kept, zero, variable=True)
    y = m.node((1, units), kept * scales[1] * most * most * np.sqrt(rank * memory) / 300, m.zero_point())
    m.g.op(
        OPS.SVDF, [x.index, w, t, b, state], [y.index], tt.options("SVDFOptions", Rank=rank, FusedActivationFunction=tt.ACTIVATIONS["RELU"])
    )
    return y


def lstm(m: Maker, x: Node, units: int, *, clip: float = 0.0, time_major: bool = False) -> Node:
    """UNIDIRECTIONAL_SEQUENCE_LSTM without its optional parts; ``x`` is [1, steps, inputs], or [steps, 1, inputs] if ``time_major``."""

    def weights(inputs: int) -> int:
        return m.g.tensor("w", (units, inputs), "int8", m.rng.uniform(0.002, 0.02), data=m.rng.integers(-127, 128, (units, inputs)))

    zero = m.number(-30, 30)
    matrices = [weights(x.shape[2]) for _ in range(4)] + [weights(units) for _ in range(4)]
    bias = [m.g.tensor("b", (units,), "int32", 0.001, data=m.rng.integers(-2000, 2001, units)) for _ in range(4)]
    states = [
        m.g.tensor("h", (1, units), "int8", 1 / 128, zero, variable=True),
        m.g.tensor("c", (1, units), "int16", 2.0 ** -m.number(9, 14), variable=True),
    ]
    y = m.node((*x.shape[:2], units), 1 / 128, zero)
    inputs = [x.index, *matrices, -1, -1, -1, *bias, -1, -1, *states, -1, -1, -1, -1]
    options = tt.options("UnidirectionalSequenceLSTMOptions", FusedActivationFunction=tflite.ActivationFunctionType.TANH, CellClip=clip,
                         TimeMajor=time_major)  # fmt: skip
    m.g.op(OPS.UNIDIRECTIONAL_SEQUENCE_LSTM, inputs, [y.index], options)
    return y
