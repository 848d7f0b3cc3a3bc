# SPDX-License-Identifier: Apache-2.0
"""Builds small ``.tflite`` files by hand, so that single operators can be compared with the TFLite reference kernels.

The schema is TensorFlow Lite's ``schema.fbs`` version 3, spoken through the ``tflite`` package. TensorFlow itself is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

Options = tuple[int, Callable[[flatbuffers.Builder], int]]
Op = tuple[int, list[int], list[int], Options | None]
_TYPES = {
    "int8": tflite.TensorType.INT8,
    "uint8": tflite.TensorType.UINT8,
    "int16": tflite.TensorType.INT16,
    "int32": tflite.TensorType.INT32,
    "int64": tflite.TensorType.INT64,
    "float32": tflite.TensorType.FLOAT32,
    "resource": tflite.TensorType.RESOURCE,
}
_INT8_VERSION = {  # the operator versions that TFLite's converter writes for int8
    tflite.BuiltinOperator.CONV_2D: 3,
    tflite.BuiltinOperator.DEPTHWISE_CONV_2D: 3,
    tflite.BuiltinOperator.FULLY_CONNECTED: 4,
    tflite.BuiltinOperator.ADD: 2,
    tflite.BuiltinOperator.AVERAGE_POOL_2D: 2,
    tflite.BuiltinOperator.SOFTMAX: 2,
    tflite.BuiltinOperator.MAX_POOL_2D: 2,
    tflite.BuiltinOperator.MUL: 2,
    tflite.BuiltinOperator.SUB: 2,
    tflite.BuiltinOperator.MEAN: 2,
    tflite.BuiltinOperator.SUM: 2,
    tflite.BuiltinOperator.REDUCE_MAX: 2,
    tflite.BuiltinOperator.REDUCE_MIN: 2,
    tflite.BuiltinOperator.PAD: 2,
    tflite.BuiltinOperator.PADV2: 2,
    tflite.BuiltinOperator.STRIDED_SLICE: 2,
    tflite.BuiltinOperator.SLICE: 2,
    tflite.BuiltinOperator.TRANSPOSE: 2,
    tflite.BuiltinOperator.PACK: 2,
    tflite.BuiltinOperator.UNPACK: 2,
    tflite.BuiltinOperator.SPLIT: 2,
    tflite.BuiltinOperator.SPLIT_V: 2,
    tflite.BuiltinOperator.CONCATENATION: 2,
    tflite.BuiltinOperator.MAXIMUM: 2,
    tflite.BuiltinOperator.MINIMUM: 2,
    tflite.BuiltinOperator.RELU: 2,
    tflite.BuiltinOperator.RELU6: 2,
    tflite.BuiltinOperator.LEAKY_RELU: 2,
    tflite.BuiltinOperator.LOGISTIC: 2,
    tflite.BuiltinOperator.TANH: 2,
    tflite.BuiltinOperator.QUANTIZE: 2,
    tflite.BuiltinOperator.DEQUANTIZE: 2,
    tflite.BuiltinOperator.RESIZE_BILINEAR: 3,
    tflite.BuiltinOperator.RESIZE_NEAREST_NEIGHBOR: 3,
}
PADDINGS = {"SAME": tflite.Padding.SAME, "VALID": tflite.Padding.VALID}
ACTIVATIONS = {
    "NONE": tflite.ActivationFunctionType.NONE,
    "RELU": tflite.ActivationFunctionType.RELU,
    "RELU6": tflite.ActivationFunctionType.RELU6,
    "RELU_N1_TO_1": tflite.ActivationFunctionType.RELU_N1_TO_1,
}


@dataclass
class _Tensor:
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    data: bytes | None
    variable: bool = False


@dataclass
class TinyTflite:
    """One graph under construction. ``tensor`` returns an index, ``op`` takes indices, ``build`` returns the file's bytes."""

    tensors: list[_Tensor] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    variables: list[tuple[str, _Tensor]] = field(default_factory=list)

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str = "int8",
        scale: float | Sequence[float] = (),
        zero_point: int = 0,
        *,
        axis: int = 0,
        data: np.ndarray[Any, Any] | None = None,
        variable: bool = False,
    ) -> int:
        """Adds a tensor; ``data`` makes it a constant; several scales make it per channel along ``axis``; ``variable``: it keeps
        its values."""
        scales = (float(scale),) if isinstance(scale, float | int | np.floating) else tuple(float(s) for s in scale)
        raw = None if data is None else np.ascontiguousarray(data, dtype=dtype).tobytes()
        self.tensors.append(_Tensor(name, tuple(shape), dtype, scales, (zero_point,) * len(scales), axis, raw, variable))
        return len(self.tensors) - 1

    def op(self, code: int, inputs: Sequence[int], outputs: Sequence[int], options: Options | None = None) -> None:
        """Adds an operator; ``code`` is a ``tflite.BuiltinOperator`` number."""
        self.ops.append((code, list(inputs), list(outputs), options))

    def constant(self, values: Any, dtype: str = "int32") -> int:
        """A constant without scale: a shape, axes, sizes."""
        array = np.asarray(values, dtype)
        return self.tensor("constant", array.shape, dtype, data=array)

    def variable(self, name: str, values: np.ndarray[Any, Any], scale: float, zero_point: int) -> int:
        """Adds an int8 variable with first values; returns its handle."""
        self.variables.append((name, _Tensor(name, values.shape, "int8", (scale,), (zero_point,), 0, values.astype(np.int8).tobytes())))
        handle = self.tensor(name, (), "resource")
        self.op(tflite.BuiltinOperator.VAR_HANDLE, [], [handle], options("VarHandleOptions", Container="", SharedName=name))
        return handle

    def _further(self) -> list[tuple[list[_Tensor], list[Op]]]:
        """The subgraph that gives variables their first values."""
        if not self.variables:
            return []
        tensors: list[_Tensor] = []
        ops: list[Op] = []
        for i, (name, values) in enumerate(self.variables):
            tensors += [_Tensor(name, (), "resource", (), (), 0, None), values]
            ops.append((tflite.BuiltinOperator.VAR_HANDLE, [], [2 * i], options("VarHandleOptions", Container="", SharedName=name)))
            ops.append((tflite.BuiltinOperator.ASSIGN_VARIABLE, [2 * i, 2 * i + 1], [], None))
        return [(tensors, ops)]

    def build(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file."""
        b = flatbuffers.Builder(1024)
        further = self._further()
        once: list[Op] = [(tflite.BuiltinOperator.CALL_ONCE, [], [], options("CallOnceOptions", InitSubgraphIndex=1))] if further else []
        graphs = [(self.tensors, [*once, *self.ops], inputs, outputs), *((tensors, ops, (), ()) for tensors, ops in further)]
        codes = sorted({code for _, ops, *_ in graphs for code, *_ in ops})
        buffers, subgraph_offsets = [self._buffer(b, b"")], []
        for tensors, ops, ins, outs in graphs:
            first = len(buffers)
            buffers += [self._buffer(b, t.data) for t in tensors if t.data is not None]
            subgraph_offsets.append(self._subgraph(b, tensors, [(codes.index(c), i, o, opt) for c, i, o, opt in ops], ins, outs, first))
        code_offsets = []
        for code in codes:
            tflite.OperatorCodeStart(b)
            tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, 127))
            tflite.OperatorCodeAddBuiltinCode(b, code)
            tflite.OperatorCodeAddVersion(b, _INT8_VERSION.get(code, 1))
            code_offsets.append(tflite.OperatorCodeEnd(b))
        code_vector, subgraphs, buffer_vector = _offsets(b, code_offsets), _offsets(b, subgraph_offsets), _offsets(b, buffers)
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, 3)
        tflite.ModelAddOperatorCodes(b, code_vector)
        tflite.ModelAddSubgraphs(b, subgraphs)
        tflite.ModelAddBuffers(b, buffer_vector)
        b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
        return bytes(b.Output())

    def _subgraph(self, b: flatbuffers.Builder, tensors: list[_Tensor], ops: list[Op], ins: Sequence[int], outs: Sequence[int],
                  first_buffer: int) -> int:  # fmt: skip
        """The codes of ``ops`` are indices."""
        tensor_offsets, next_buffer = [], first_buffer
        for t in tensors:
            tensor_offsets.append(self._tensor(b, t, next_buffer if t.data is not None else 0))
            next_buffer += t.data is not None
        operator_offsets = [self._operator(b, *op) for op in ops]
        vectors = (_offsets(b, tensor_offsets), _offsets(b, operator_offsets), _ints(b, ins), _ints(b, outs))
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, vectors[0])
        tflite.SubGraphAddInputs(b, vectors[2])
        tflite.SubGraphAddOutputs(b, vectors[3])
        tflite.SubGraphAddOperators(b, vectors[1])
        return int(tflite.SubGraphEnd(b))

    @staticmethod
    def _buffer(b: flatbuffers.Builder, data: bytes) -> int:
        vector = None
        if data:
            b.StartVector(1, len(data), 16)
            b.head -= len(data)
            b.Bytes[b.head : b.head + len(data)] = data
            vector = b.EndVector()
        tflite.BufferStart(b)
        if vector is not None:
            tflite.BufferAddData(b, vector)
        return int(tflite.BufferEnd(b))

    @staticmethod
    def _tensor(b: flatbuffers.Builder, t: _Tensor, buffer: int) -> int:
        name, shape = b.CreateString(t.name), _ints(b, t.shape)
        quantization = None
        if t.scales:
            tflite.QuantizationParametersStartScaleVector(b, len(t.scales))
            for s in reversed(t.scales):
                b.PrependFloat32(s)
            scales = b.EndVector()
            tflite.QuantizationParametersStartZeroPointVector(b, len(t.zero_points))
            for z in reversed(t.zero_points):
                b.PrependInt64(z)
            zero_points = b.EndVector()
            tflite.QuantizationParametersStart(b)
            tflite.QuantizationParametersAddScale(b, scales)
            tflite.QuantizationParametersAddZeroPoint(b, zero_points)
            tflite.QuantizationParametersAddQuantizedDimension(b, t.axis)
            quantization = tflite.QuantizationParametersEnd(b)
        tflite.TensorStart(b)
        tflite.TensorAddShape(b, shape)
        tflite.TensorAddType(b, _TYPES[t.dtype])
        tflite.TensorAddBuffer(b, buffer)
        tflite.TensorAddName(b, name)
        tflite.TensorAddIsVariable(b, t.variable)
        if quantization is not None:
            tflite.TensorAddQuantization(b, quantization)
        return int(tflite.TensorEnd(b))

    @staticmethod
    def _operator(b: flatbuffers.Builder, code: int, inputs: list[int], outputs: list[int], options: Options | None) -> int:
        ins, outs = _ints(b, inputs), _ints(b, outputs)
        table = options[1](b) if options else None
        tflite.OperatorStart(b)
        tflite.OperatorAddOpcodeIndex(b, code)
        tflite.OperatorAddInputs(b, ins)
        tflite.OperatorAddOutputs(b, outs)
        if options and table is not None:
            tflite.OperatorAddBuiltinOptionsType(b, options[0])
            tflite.OperatorAddBuiltinOptions(b, table)
        return int(tflite.OperatorEnd(b))


def _ints(b: flatbuffers.Builder, values: Sequence[int]) -> int:
    b.StartVector(4, len(values), 4)
    for v in reversed(values):
        b.PrependInt32(int(v))
    return int(b.EndVector())


def _offsets(b: flatbuffers.Builder, values: Sequence[int]) -> int:
    b.StartVector(4, len(values), 4)
    for v in reversed(values):
        b.PrependUOffsetTRelative(v)
    return int(b.EndVector())


def options(kind: str, **fields: Any) -> Options:
    """An options table; a list is a vector of int32, a string a string."""

    def write(b: flatbuffers.Builder) -> int:
        values = {name: _ints(b, value) if isinstance(value, list) else value for name, value in fields.items()}
        values = {name: b.CreateString(value) if isinstance(value, str) else value for name, value in values.items()}
        getattr(tflite, f"{kind}Start")(b)
        for name, value in values.items():
            getattr(tflite, f"{kind}Add{name}")(b, value)
        return int(getattr(tflite, f"{kind}End")(b))

    return int(getattr(tflite.BuiltinOptions, kind)), write


def conv(g: TinyTflite, x: int, w: int, bias: int | None, y: int, *, padding: str, strides: tuple[int, int],
         dilation: tuple[int, int] = (1, 1), activation: str = "NONE") -> None:  # fmt: skip
    """CONV_2D; ``w`` is [out, ky, kx, in]."""
    g.op(tflite.BuiltinOperator.CONV_2D, [x, w] + ([] if bias is None else [bias]), [y], options(
        "Conv2DOptions", Padding=PADDINGS[padding], StrideH=strides[0], StrideW=strides[1], DilationHFactor=dilation[0],
        DilationWFactor=dilation[1], FusedActivationFunction=ACTIVATIONS[activation]))  # fmt: skip


def depthwise(g: TinyTflite, x: int, w: int, bias: int | None, y: int, *, padding: str, strides: tuple[int, int],
              multiplier: int = 1, dilation: tuple[int, int] = (1, 1), activation: str = "NONE") -> None:  # fmt: skip
    """DEPTHWISE_CONV_2D; ``w`` is [1, ky, kx, in * multiplier]."""
    g.op(tflite.BuiltinOperator.DEPTHWISE_CONV_2D, [x, w] + ([] if bias is None else [bias]), [y], options(
        "DepthwiseConv2DOptions", Padding=PADDINGS[padding], StrideH=strides[0], StrideW=strides[1], DepthMultiplier=multiplier,
        DilationHFactor=dilation[0], DilationWFactor=dilation[1], FusedActivationFunction=ACTIVATIONS[activation]))  # fmt: skip


def fully_connected(g: TinyTflite, x: int, w: int, bias: int | None, y: int, *, activation: str = "NONE") -> None:
    """FULLY_CONNECTED; ``w`` is [out, in]."""
    inputs = [x, w] + ([] if bias is None else [bias])
    g.op(tflite.BuiltinOperator.FULLY_CONNECTED, inputs, [y],
         options("FullyConnectedOptions", FusedActivationFunction=ACTIVATIONS[activation]))  # fmt: skip


def add(g: TinyTflite, a: int, b: int, y: int, *, activation: str = "NONE") -> None:
    """ADD."""
    g.op(tflite.BuiltinOperator.ADD, [a, b], [y], options("AddOptions", FusedActivationFunction=ACTIVATIONS[activation]))


def average_pool(g: TinyTflite, x: int, y: int, *, size: tuple[int, int], strides: tuple[int, int], padding: str = "VALID",
                 activation: str = "NONE") -> None:  # fmt: skip
    """AVERAGE_POOL_2D."""
    g.op(tflite.BuiltinOperator.AVERAGE_POOL_2D, [x], [y], options(
        "Pool2DOptions", Padding=PADDINGS[padding], StrideH=strides[0], StrideW=strides[1], FilterHeight=size[0], FilterWidth=size[1],
        FusedActivationFunction=ACTIVATIONS[activation]))  # fmt: skip


def softmax(g: TinyTflite, x: int, y: int, *, beta: float = 1.0) -> None:
    """SOFTMAX over the last axis."""
    g.op(tflite.BuiltinOperator.SOFTMAX, [x], [y], options("SoftmaxOptions", Beta=beta))


def reshape(g: TinyTflite, x: int, y: int, shape: Sequence[int]) -> None:
    """RESHAPE with a constant shape tensor."""
    target = g.tensor("target_shape", (len(shape),), "int32", data=np.asarray(shape, np.int32))
    g.op(tflite.BuiltinOperator.RESHAPE, [x, target], [y])
