# SPDX-License-Identifier: Apache-2.0
"""What each supported operator must look like, checked on the file's own tables before TVM imports it.

The rules follow the ``Prepare`` functions of tensorflow/lite/kernels: what they refuse is refused here, and so is every form that the
engine does not implement, with the operator, the type and the tensor in the message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cm4tiny.errors import ModelError, UnsupportedOpError
from cm4tiny.firmware.kernels.quant import MAX_SOFTMAX_VALUES
from cm4tiny.firmware.model_tables import HINT_FILE, ModelTables, OperatorEntry, TensorEntry

_MAX_ATTRIBUTE = 4096
_MAX_WINDOW = 1 << 16


@dataclass(frozen=True)
class _Site:
    """An operator with its tensors."""

    operator: OperatorEntry
    inputs: tuple[TensorEntry, ...]
    output: TensorEntry

    def refuse(self, what: str, *, why: str = "", hint: str = "use a model without it") -> UnsupportedOpError:
        return UnsupportedOpError(f"{self.operator.kind} of {self.output.dtype} tensor '{self.output.name}': {what}", why=why, hint=hint)

    def options(self, name: str) -> Any:
        """The operator's options table, e.g. ``Conv2DOptions``."""
        import tflite

        if self.operator.options is None or self.operator.options_type != getattr(tflite.BuiltinOptions, name):
            raise ModelError(f"{self.operator.kind} of '{self.output.name}' has no {name}", hint=HINT_FILE)
        table = getattr(tflite, name)()
        table.Init(self.operator.options.Bytes, self.operator.options.Pos)
        return table


def check_kinds(tables: ModelTables) -> None:
    """Raises UnsupportedOpError, with all of them, if a model has operators that the engine does not implement."""
    foreign = [operator for operator in tables.operators if operator.kind not in _RULES]
    if not foreign:
        return
    kinds = sorted({operator.kind for operator in foreign})
    names = [
        [f"{tables.tensors[i].dtype} tensor '{tables.tensors[i].name}'" for i in indices[:1]]
        for indices in (foreign[0].inputs, foreign[0].outputs)
    ]
    where = " -> ".join([*names[0], *(name.split(" tensor ")[1] for name in names[1])])
    only = "operator {} is not supported: {}" if len(kinds) == 1 else "operators {} are not supported, the first at {}"
    raise UnsupportedOpError(
        only.format(", ".join(kinds), where), why=f"the engine implements {', '.join(sorted(_RULES))}", hint="use a model without them"
    )


def check_operator(tables: ModelTables, operator: OperatorEntry, known: set[int]) -> None:
    """Checks one operator; its kind has passed :func:`check_kinds`.

    Args:
        known: indices of the activations that are computed before it.

    Raises:
        UnsupportedOpError, ModelError: see the module.
    """
    inputs = tuple(tables.tensors[i] for i in operator.inputs)
    if not inputs or len(operator.outputs) != 1:
        raise ModelError(f"{operator.kind} has {len(inputs)} inputs and {len(operator.outputs)} outputs", hint=HINT_FILE)
    site = _Site(operator, inputs, tables.tensors[operator.outputs[0]])
    if operator.omitted:
        raise site.refuse(f"it leaves out its input {operator.omitted[0]}", why="only a bias may be left out")
    rule = _RULES[operator.kind]
    activations = 2 if operator.kind == "ADD" else 1
    if len(inputs) < activations:
        raise ModelError(f"{operator.kind} of '{site.output.name}' has {len(inputs)} input", hint=HINT_FILE)
    for index, tensor in list(zip(operator.inputs, inputs, strict=True))[:activations]:
        tensor.require_activation(f"the input of {operator.kind}")
        if index not in known:
            reason = "it is a constant" if tensor.constant else "it is not computed before"
            raise site.refuse(f"its input '{tensor.name}' cannot be used", why=reason)
    for tensor in inputs[activations:]:
        if not tensor.constant:
            raise site.refuse(f"'{tensor.name}' is not a constant", why="weights and shapes must be stored in the file")
    site.output.require_activation(f"the output of {operator.kind}")
    rule(site)


def _check_activation(site: _Site, options: Any) -> None:
    import tflite

    kinds = tflite.ActivationFunctionType
    if options.FusedActivationFunction() not in (kinds.NONE, kinds.RELU, kinds.RELU6, kinds.RELU_N1_TO_1):
        raise site.refuse("its activation is not implemented", why="only RELU, RELU6 and RELU_N1_TO_1 are")


def _check_weights(site: _Site, channels: int, axis: int) -> None:
    """Weights and bias of a layer with ``channels`` outputs along ``axis`` of the weights."""
    weights = site.inputs[1]
    if weights.dtype != "int8" or any(weights.zero_points):
        raise site.refuse(f"its weights '{weights.name}' are {weights.dtype}", why="the engine takes int8 with zero point 0",
                          hint="quantise the weights to int8, symmetrically")  # fmt: skip
    if len(weights.scales) not in (1, channels) or len(weights.zero_points) != len(weights.scales):
        raise ModelError(f"weights '{weights.name}' have {len(weights.scales)} scales for {channels} channels", hint="quantise again")
    if len(weights.scales) > 1 and weights.axis != axis:
        raise site.refuse(f"its weights are quantised along axis {weights.axis}", why=f"the rule is axis {axis}")
    if len(site.inputs) > 2:
        bias = site.inputs[2]
        if bias.dtype != "int32":
            raise site.refuse(f"its bias '{bias.name}' is {bias.dtype}", why="int8 layers have int32 biases")
        if bias.size != channels:
            raise ModelError(f"bias '{bias.name}' has {bias.size} values for {channels} channels", hint=HINT_FILE)


def _window_output(site: _Site, options: Any, kernel: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the output (``ComputePaddingHeightWidth`` of tensorflow/lite/kernels/padding.h)."""
    import tflite

    strides = (options.StrideH(), options.StrideW())
    numbers = (*strides, *kernel, *dilation)
    if min(numbers) < 1 or max(numbers) > _MAX_ATTRIBUTE or kernel[0] * kernel[1] > _MAX_WINDOW:
        raise ModelError(f"{site.operator.kind} of '{site.output.name}' has an impossible window", why=f"its numbers are {numbers}")
    same = options.Padding() == tflite.Padding.SAME
    size = []
    for i in range(2):
        length, reach = site.inputs[0].shape[1 + i], dilation[i] * (kernel[i] - 1) + 1
        size.append(-(-length // strides[i]) if same else (length - reach) // strides[i] + 1)
    return size[0], size[1]


def _check_image(site: _Site) -> None:
    x = site.inputs[0]
    if len(x.shape) != 4:
        raise ModelError(f"{site.operator.kind} reads '{x.name}' of shape {list(x.shape)}", why="an image has four dimensions")
    if x.shape[0] != 1:
        raise site.refuse(f"it works on {x.shape[0]} images at once", hint="export the model for one image")


def _check_shape(site: _Site, shape: tuple[int, ...]) -> None:
    if site.output.shape != shape:
        raise ModelError(
            f"{site.operator.kind} of '{site.output.name}' has the output shape {list(site.output.shape)}",
            why=f"its inputs give {list(shape)}",
            hint=HINT_FILE,
        )


def _conv(site: _Site) -> None:
    _check_image(site)
    options, x = site.options("Conv2DOptions"), site.inputs[0]
    if len(site.inputs) < 2 or len(site.inputs[1].shape) != 4:
        raise ModelError(f"CONV_2D of '{site.output.name}' has no four-dimensional weights", hint=HINT_FILE)
    outputs, ky, kx, depth = site.inputs[1].shape
    if depth != x.shape[3]:
        raise site.refuse(f"its weights take {depth} of {x.shape[3]} channels", why="grouped convolutions are not implemented")
    _check_activation(site, options)
    _check_weights(site, outputs, 0)
    dilation = (options.DilationHFactor(), options.DilationWFactor())
    _check_shape(site, (1, *_window_output(site, options, (ky, kx), dilation), outputs))


def _depthwise(site: _Site) -> None:
    _check_image(site)
    options, x = site.options("DepthwiseConv2DOptions"), site.inputs[0]
    if len(site.inputs) < 2 or len(site.inputs[1].shape) != 4:
        raise ModelError(f"DEPTHWISE_CONV_2D of '{site.output.name}' has no four-dimensional weights", hint=HINT_FILE)
    first, ky, kx, outputs = site.inputs[1].shape
    if first != 1 or outputs != x.shape[3] * options.DepthMultiplier():
        raise ModelError(
            f"DEPTHWISE_CONV_2D of '{site.output.name}' has weights of shape {list(site.inputs[1].shape)}",
            why=f"{x.shape[3]} channels times a multiplier of {options.DepthMultiplier()} were announced",
        )
    _check_activation(site, options)
    _check_weights(site, outputs, 3)
    dilation = (options.DilationHFactor(), options.DilationWFactor())
    _check_shape(site, (1, *_window_output(site, options, (ky, kx), dilation), outputs))


def _fully_connected(site: _Site) -> None:
    options, x = site.options("FullyConnectedOptions"), site.inputs[0]
    if len(site.inputs) < 2 or len(site.inputs[1].shape) != 2:
        raise ModelError(f"FULLY_CONNECTED of '{site.output.name}' has no two-dimensional weights", hint=HINT_FILE)
    if options.WeightsFormat() != 0:
        raise site.refuse("its weights are shuffled", why="only the default format is implemented")
    outputs, inputs = site.inputs[1].shape
    if x.size % inputs:
        raise ModelError(
            f"FULLY_CONNECTED of '{site.output.name}' reads '{x.name}' of shape {list(x.shape)}",
            why=f"its {x.size} values are not whole vectors of the weights' {inputs}",
            hint=HINT_FILE,
        )
    _check_activation(site, options)
    _check_weights(site, outputs, 0)
    if site.output.size != x.size // inputs * outputs:
        raise ModelError(f"FULLY_CONNECTED of '{site.output.name}' has {site.output.size} outputs", why=f"its weights give {outputs} a row")


def _add(site: _Site) -> None:
    a, b = site.inputs[:2]
    _check_activation(site, site.options("AddOptions"))
    if a.shape != b.shape:
        raise site.refuse(f"it broadcasts {list(a.shape)} and {list(b.shape)}", hint="use equal shapes")
    if 2.0 * max(a.scales[0], b.scales[0]) >= (1 << 20) * site.output.scales[0]:
        raise site.refuse("its output scale is far below its inputs'", why="the factor to the output must be below 1")
    _check_shape(site, a.shape)


def _average_pool(site: _Site) -> None:
    _check_image(site)
    options, x = site.options("Pool2DOptions"), site.inputs[0]
    _check_activation(site, options)
    _same_scale(site)
    size = _window_output(site, options, (options.FilterHeight(), options.FilterWidth()), (1, 1))
    _check_shape(site, (1, *size, x.shape[3]))


def _same_scale(site: _Site) -> None:
    x, y = site.inputs[0], site.output
    if (x.scales, x.zero_points) != (y.scales, y.zero_points):
        raise site.refuse("its input and output have different scales", why="TFLite requires them to be equal")


def _softmax(site: _Site) -> None:
    x, y = site.inputs[0], site.output
    if site.options("SoftmaxOptions").Beta() != 1.0:
        raise site.refuse("its beta is not 1", why="TVM's importer leaves beta out")
    if (y.scales[0], y.zero_points[0]) != (1.0 / 256.0, -128):
        raise site.refuse("its output scale is not 1/256 with zero point -128", why="TFLite's int8 softmax has no other")
    if not x.shape or x.shape[-1] > MAX_SOFTMAX_VALUES:
        raise site.refuse(f"it has more than {MAX_SOFTMAX_VALUES} values", why="TFLite's integer reciprocal overflows there")
    _check_shape(site, x.shape)


def _reshape(site: _Site) -> None:
    _same_scale(site)
    if site.output.size != site.inputs[0].size:
        raise ModelError(f"RESHAPE of '{site.output.name}' turns {site.inputs[0].size} values into {site.output.size}", hint=HINT_FILE)


_RULES: dict[str, Callable[[_Site], None]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "ADD": _add,
    "AVERAGE_POOL_2D": _average_pool,
    "SOFTMAX": _softmax,
    "RESHAPE": _reshape,
}
