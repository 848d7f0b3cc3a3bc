# SPDX-License-Identifier: Apache-2.0
"""Relax -> integers: turns TVM's import of an int8 model into typed integer layers.

``relax.frontend.tflite`` writes every int8 operator as dequantise, float operator, quantise. The walk below follows the bindings of
``main`` once and keeps, for every variable, what it stands for; a layer is made where a float expression is quantised again. A ``clip``
after it becomes the layer's clamp. Nothing of the float arithmetic survives: the layers carry scales, from which
:mod:`cm4tiny.firmware.kernels.quant` derives TFLite's integer factors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cm4tiny.errors import UnsupportedOpError
from cm4tiny.firmware.graph import Add, AveragePool, Conv, Copy, Dense, Graph, Layer, Softmax, Tensor
from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN, activation_bound

_HINT_ACTIVATION = "fuse the activation into the operator before it, as TensorFlow Lite's converter does"
_ACTIVATION_VALUES = (0.0, 6.0, -1.0, 1.0)  # bounds of RELU, RELU6 and RELU_N1_TO_1


@dataclass(frozen=True)
class Constant:
    """An array; ``scales`` once it has been dequantised."""

    data: Array
    scales: Array | None = None


@dataclass(frozen=True)
class Quantised:
    """An int8 activation."""

    tensor: Tensor


@dataclass(frozen=True)
class Real:
    """A dequantised int8 activation, or its integer copy on the way into a pool."""

    tensor: Tensor


@dataclass(frozen=True)
class Pending:
    """A float operator that waits for the scale of its result. ``bounds`` are the real values its activation clamps to."""

    make: Callable[..., Layer]
    shape: tuple[int, ...]
    bias: Array | None = None
    bounds: tuple[float, float] = (-np.inf, np.inf)
    takes_bias: bool = False


@dataclass(frozen=True)
class Pooled:
    """An average pool in int32, before it is int8 again."""

    tensor: Tensor
    window: Window


@dataclass(frozen=True)
class Clamped:
    """A tensor that its activation replaced; nothing may read it any more."""


_CLAMPED = Clamped()

Value = Constant | Quantised | Real | Pending | Pooled | Clamped


@dataclass
class _Walk:
    """The state of one walk over ``main``."""

    values: dict[Any, Value] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    keys: int = 0

    def new_tensor(self, shape: tuple[int, ...], scale: float, zero_point: int) -> Tensor:
        self.keys += 1
        return Tensor(self.keys, shape, scale, zero_point)


def lower_relax(module: Any, input_scale: float, input_zero_point: int) -> Graph:
    """Turns an imported module into a graph.

    Args:
        module: the ``IRModule`` of ``from_tflite``; ``main`` has one parameter.
        input_scale, input_zero_point: of the model's input (Relax does not carry them on the parameter).

    Raises:
        UnsupportedOpError: a Relax operator, or a use of one, that the engine does not know.
    """
    main = module["main"]
    walk = _Walk()
    entry = walk.new_tensor(_shape(main.params[0]), input_scale, input_zero_point)
    walk.values[main.params[0]] = Quantised(entry)
    for block in main.body.blocks:
        for binding in block.bindings:
            walk.values[binding.var] = _bind(walk, binding)
    result = _quantised(walk.values.get(main.body.body), "the result")
    if result.tensor.key == entry.key:
        copied = walk.new_tensor(result.tensor.shape, result.tensor.scale, result.tensor.zero_point)
        walk.layers.append(Copy(inputs=(result.tensor,), output=copied))
        return Graph(entry, copied, tuple(walk.layers))
    return Graph(entry, result.tensor, tuple(walk.layers))


def _bind(walk: _Walk, binding: Any) -> Value:
    call = binding.value
    name = _op_name(call)
    if name is None:
        return _value(walk, call)
    handler = _HANDLERS.get(name)
    if handler is None:
        raise UnsupportedOpError(
            f"the engine has no integer form of {name}", why="TVM's import of the model uses it", hint="use another model"
        )
    return handler(walk, call, _shape(binding.var))


def _op_name(expr: Any) -> str | None:
    op = getattr(expr, "op", None)
    return getattr(op, "name", None)


def _shape(expr: Any) -> tuple[int, ...]:
    shape = expr.ty.shape
    return tuple(int(n) for n in getattr(shape, "values", shape))


def _value(walk: _Walk, expr: Any) -> Value:
    if "Const" in type(expr).__name__:
        held: Any = getattr(expr, "data", None)
        return Constant((held if hasattr(held, "numpy") else expr.value).numpy())
    return walk.values[expr]


def _constant(walk: _Walk, expr: Any) -> Array:
    value = _value(walk, expr)
    if not isinstance(value, Constant):
        raise UnsupportedOpError("weights, biases and scales must be constants", why="one of them is computed at run time")
    return value.data


def _quantised(value: Value | None, what: str) -> Quantised:
    if not isinstance(value, Quantised):
        raise UnsupportedOpError(f"{what} is not an int8 tensor", why="float arithmetic is left over after the import")
    return value


def _real(value: Value, what: str) -> Tensor:
    if not isinstance(value, Real):
        raise UnsupportedOpError(f"the input of {what} is not a dequantised int8 tensor", why="float operators follow each other")
    return value.tensor


def _numbers(values: Any) -> tuple[int, ...]:
    return tuple(int(v) for v in values)


# --- handlers: one per Relax operator -----------------------------------------------------------------------------------------
def _dequantize(walk: _Walk, call: Any, shape: tuple[int, ...]) -> Value:
    source = _value(walk, call.args[0])
    if isinstance(source, Constant):
        return Constant(source.data, _constant(walk, call.args[1]))
    return Real(_quantised(source, "the input of a dequantise").tensor)


def _quantize(walk: _Walk, call: Any, shape: tuple[int, ...]) -> Value:
    pending = _value(walk, call.args[0])
    if not isinstance(pending, Pending):
        raise UnsupportedOpError("a tensor is quantised again without an operator in between", hint="use one scale throughout")
    scale, zero_point = float(_constant(walk, call.args[1])), int(_constant(walk, call.args[2]))
    low, high = (_bound(v, scale, zero_point) for v in pending.bounds)
    output = walk.new_tensor(shape, scale, zero_point)
    options = {"bias": pending.bias} if pending.takes_bias else {}
    walk.layers.append(pending.make(output=output, low=low, high=high, **options))
    return Quantised(output)


def _bound(value: float, scale: float, zero_point: int) -> int:
    if np.isinf(value):
        return INT8_MIN if value < 0 else INT8_MAX
    return max(INT8_MIN, min(INT8_MAX, activation_bound(value, scale, zero_point)))


def _clip(walk: _Walk, call: Any, shape: tuple[int, ...]) -> Value:
    low, high = (float(arg.value) for arg in call.args[1:3])
    source = _value(walk, call.args[0])
    if isinstance(source, Pending):
        return replace(source, bounds=(max(source.bounds[0], low), min(source.bounds[1], high)))
    tensor = _quantised(source, "the input of a clip").tensor
    producer = next((i for i, layer in enumerate(walk.layers) if layer.output.key == tensor.key), None)  # other layers may lie in between
    if producer is None:
        raise UnsupportedOpError("an activation stands alone", why="no operator computes its input", hint=_HINT_ACTIVATION)
    if any(tensor.key == other.key for layer in walk.layers for other in layer.inputs):
        raise UnsupportedOpError("an activation stands alone", why="its input is also read without it", hint=_HINT_ACTIVATION)
    layer = walk.layers[producer]
    bounds = [_exact(bound, tensor) for bound in (low, high)]
    walk.layers[producer] = replace(layer, low=max(layer.low, bounds[0]), high=min(layer.high, bounds[1]))
    walk.values[call.args[0]] = _CLAMPED  # the tensor before the activation does not exist any more
    return source


def _exact(bound: float, tensor: Tensor) -> int:
    """The bound as TFLite rounds it: the importer rounds ties to even, TFLite away from zero."""
    for value in _ACTIVATION_VALUES:
        if bound == float(round(value / tensor.scale) + tensor.zero_point):
            return max(INT8_MIN, min(INT8_MAX, activation_bound(value, tensor.scale, tensor.zero_point)))
    return int(bound)


def _relu(walk: _Walk, call: Any, shape: tuple[int, ...]) -> Value:
    source = _value(walk, call.args[0])
    if not isinstance(source, Pending):
        raise UnsupportedOpError("an activation stands alone", why="RELU does not follow the operator that it belongs to")
    return replace(source, bounds=(max(source.bounds[0], 0.0), source.bounds[1]))


def _conv2d(walk: _Walk, call: Any, shape: tuple[int, ...]) -> Value:
    x, weights = _real(_value(walk, call.args[0]), "a convolution"), _weights(walk, call.args[1])
    attrs = call.attrs
    groups, channels, data = int(attrs.groups), x.shape[3], weights.data
    if str(attrs.kernel_layout) == "HWOI":
        data, depthwise = data.transpose(2, 0, 1, 3), True
    else:
        data, depthwise = data.transpose(3, 0, 1, 2), False
    if groups != (channels if depthwise else 1) or x.shape[0] != 1:
        raise UnsupportedOpError(f"a convolution has {groups} groups and {x.shape[0]} images", hint="use groups of one and one image")
    padding = _numbers(attrs.padding)
    window = Window(x.shape[1], x.shape[2], channels, (data.shape[1], data.shape[2]), _pair(attrs.strides),
                    (padding[0], padding[1], padding[-2], padding[-1]), _pair(attrs.dilation))  # fmt: skip

    def make(*, bias: Array | None, **options: Any) -> Layer:
        return Conv(inputs=(x,), window=window, weights=np.ascontiguousarray(data), bias=_bias(bias, data.shape[0]),
                    weight_scales=_scales(weights), depthwise=depthwise, **options)  # fmt: skip

    return Pending(make, shape, takes_bias=True)


def _matmul(walk: _Walk, call: Any, shape: tuple[int, ...]) -> Value:
    x, weights = _real(_value(walk, call.args[0]), "a fully connected layer"), _weights(walk, call.args[1])
    data = np.ascontiguousarray(weights.data.T)

    def make(*, bias: Array | None, **options: Any) -> Layer:
        return Dense(inputs=(x,), weights=data, bias=_bias(bias, data.shape[0]), weight_scales=_scales(weights), **options)

    return Pending(make, shape, takes_bias=True)


def _weights(walk: _Walk, expr: Any) -> Constant:
    value = _value(walk, expr)
    if not isinstance(value, Constant) or value.scales is None or value.data.dtype != np.int8:
        raise UnsupportedOpError("weights must be int8 constants with scales")
    return value


def _scales(weights: Constant) -> Array:
    return np.asarray(weights.scales, np.float32).reshape(-1)


def _bias(bias: Array | None, channels: int) -> Array:
    return np.zeros(channels, np.int32) if bias is None else bias.reshape(-1).astype(np.int32)


def _pair(values: Any) -> tuple[int, int]:
    numbers = _numbers(values)
    return numbers[0], numbers[-1]


def _add(walk: _Walk, call: Any, shape: tuple[int, ...]) -> Value:
    a, b = _value(walk, call.args[0]), _value(walk, call.args[1])
    if isinstance(a, Pending) and a.takes_bias and a.bias is None and isinstance(b, Constant):
        return replace(a, bias=b.data)
    left, right = _real(a, "an addition"), _real(b, "an addition")
    if left.shape != right.shape:
        raise UnsupportedOpError(f"an addition broadcasts {list(left.shape)} and {list(right.shape)}", hint="use equal shapes")

    def make(**options: Any) -> Layer:
        return Add(inputs=(left, right), **options)

    return Pending(make, shape)


def _softmax(walk: _Walk, call: Any, shape: tuple[int, ...]) -> Value:
    x = _real(_value(walk, call.args[0]), "a softmax")

    def make(**options: Any) -> Layer:
        return Softmax(inputs=(x,), **options)

    return Pending(make, shape)


def _astype(walk: _Walk, call: Any, shape: tuple[int, ...]) -> Value:
    source = _value(walk, call.args[0])
    if isinstance(source, Quantised):  # int8 -> int32 in front of a pool
        return Real(source.tensor)
    if isinstance(source, Pooled):  # int32 -> int8 after it: a pool keeps its input's scale
        output = walk.new_tensor(shape, source.tensor.scale, source.tensor.zero_point)
        walk.layers.append(AveragePool(inputs=(source.tensor,), output=output, window=source.window))
        return Quantised(output)
    raise UnsupportedOpError("a type conversion stands where the engine expects none")


def _avg_pool2d(walk: _Walk, call: Any, shape: tuple[int, ...]) -> Value:
    x = _real(_value(walk, call.args[0]), "an average pool")
    attrs = call.attrs
    padding = _numbers(attrs.padding)
    window = Window(x.shape[1], x.shape[2], x.shape[3], _pair(attrs.pool_size), _pair(attrs.strides),
                    (padding[0], padding[1], padding[-2], padding[-1]))  # fmt: skip
    return Pooled(x, window)


def _reshape(walk: _Walk, call: Any, shape: tuple[int, ...]) -> Value:
    source = _value(walk, call.args[0])
    if isinstance(source, Constant):
        return Constant(source.data.reshape(shape), source.scales)
    if isinstance(source, Quantised | Real):
        return replace(source, tensor=replace(source.tensor, shape=shape))
    raise UnsupportedOpError("a float result is reshaped", why="only int8 tensors and constants can be")


def _permute_dims(walk: _Walk, call: Any, shape: tuple[int, ...]) -> Value:
    source = _value(walk, call.args[0])
    if not isinstance(source, Constant):
        raise UnsupportedOpError("an activation is transposed", hint="use a model without TRANSPOSE")
    axes = None if call.attrs.axes is None else _numbers(call.attrs.axes)
    return Constant(source.data.transpose(axes), source.scales)


_HANDLERS: dict[str, Callable[[_Walk, Any, tuple[int, ...]], Value]] = {
    "relax.dequantize": _dequantize,
    "relax.quantize": _quantize,
    "relax.clip": _clip,
    "relax.nn.relu": _relu,
    "relax.nn.conv2d": _conv2d,
    "relax.matmul": _matmul,
    "relax.add": _add,
    "relax.nn.softmax": _softmax,
    "relax.astype": _astype,
    "relax.nn.avg_pool2d": _avg_pool2d,
    "relax.reshape": _reshape,
    "relax.permute_dims": _permute_dims,
}
