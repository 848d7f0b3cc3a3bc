# SPDX-License-Identifier: Apache-2.0
"""A ``.tflite`` file's bytes become plain tables here, checked, before any engine sees them.

The file format is TensorFlow Lite's ``schema.fbs``; the rules for int8 tensors are the "TensorFlow Lite 8-bit quantization
specification". The reader is the ``tflite`` package, whose accessors follow any offset in the file: every one of their failures
becomes a :class:`~cm4tiny.errors.ModelError`.
"""

from __future__ import annotations

import functools
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from cm4tiny.errors import Cm4TinyError, ModelError
from cm4tiny.firmware.inference_code import TensorInfo
from cm4tiny.firmware.model_tables import (
    HINT_FILE,
    MAX_VALUES,
    TYPE_BYTES,
    ModelTables,
    OperatorEntry,
    TensorEntry,
    operator_name,
    type_name,
)

MAX_TENSORS = 10_000
MAX_SUBGRAPHS = 16
_AXIS_FIELD = 16  # of quantized_dimension in the vtable of QuantizationParameters (schema.fbs: the seventh field)
_READ_FAILURES = (struct.error, IndexError, ValueError, TypeError, OverflowError, AttributeError, MemoryError, AssertionError, KeyError,
                  ZeroDivisionError)  # fmt: skip
HINT_INT8 = "convert the model with full integer quantisation: int8 weights, activations, input and output"
_HINT_ENDS = "convert the model with inference_input_type and inference_output_type tf.int8"
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
SCHEMES = {
    ("float32", "float32"): "the model is a float model",
    ("float32", "float16"): "the model is a float model with float16 weights",
    ("float32", "int8"): "the model is quantised in its weights only (dynamic range)",
    ("float32", "uint8"): "the model is quantised in its weights only (dynamic range)",
    ("int16", "int8"): "the model has 16-bit activations (16x8 quantisation)",
    ("uint8", "uint8"): "the model is quantised to uint8 (TensorFlow Lite's first scheme)",
}
"""By the types of a layer's input and weights."""


@functools.lru_cache(maxsize=2)  # a build asks several times
def read_tables(data: bytes) -> ModelTables:
    """The tables of a model, whatever its types are.

    Raises:
        ModelError: the bytes are not a whole ``.tflite`` file.
    """
    if len(data) < 8 or data[4:8] != b"TFL3":
        raise ModelError(
            "the file is not a .tflite model",
            why=f"a .tflite file has the letters TFL3 at byte 4; this one has {len(data)} bytes and no such mark",
            hint="check the path and that the download is complete",
        )
    with reading():
        return _read_tables(data)


def read_model(data: bytes) -> ModelTables:
    """The tables of an int8 model with one input and one output.

    Raises:
        ModelError: the bytes are not a whole ``.tflite`` file, or the model is not int8.
    """
    tables = read_tables(data)
    check_scheme(tables)
    check_ends(tables)
    return tables


def check_scheme(tables: ModelTables) -> None:
    """Raises ModelError if the layers of a model do not compute in int8: says in which of TensorFlow Lite's schemes they do."""
    for operator in tables.operators:
        if operator.kind not in WEIGHTED or len(operator.inputs) < 2:
            continue
        x, w = (tables.tensors[i] for i in operator.inputs[:2])
        if x.dtype == "int8" or (x.dtype, w.dtype) not in SCHEMES:
            continue
        end = tables.tensors[tables.inputs[0]] if tables.inputs else x
        raise ModelError(
            f"{SCHEMES[x.dtype, w.dtype]}: its input '{end.name}' is {end.dtype}",
            why=f"its {operator.kind} reads {x.dtype} '{x.name}' and {w.dtype} weights; the engine computes in int8",
            hint=HINT_INT8,
        )


def check_ends(tables: ModelTables) -> None:
    """Raises ModelError unless a model has one int8 input and one int8 output."""
    for indices, what in ((tables.inputs, "input"), (tables.outputs, "output")):
        if len(indices) != 1:
            raise ModelError(f"the model has {len(indices)} {what}s", why="the benchmarks have one", hint="export one input and one output")
        tensor = tables.tensors[indices[0]]
        if tensor.dtype != "int8":
            raise ModelError(
                f"the model's {what} '{tensor.name}' is {tensor.dtype}", why="the engine takes and returns int8", hint=_HINT_ENDS
            )
        tensor.require_activation(what)


def model_ends(tables: ModelTables) -> tuple[TensorInfo, TensorInfo]:
    """The model's input and output tensor."""
    return _info(tables.tensors[tables.inputs[0]]), _info(tables.tensors[tables.outputs[0]])


def without_needless_axes(data: bytes) -> bytes:
    """A model file with ``quantized_dimension`` 0 wherever it means nothing: one scale for the whole tensor, or a tensor of one axis.

    Converters and TensorFlow Lite for Microcontrollers' own models write any number there; TVM's importer and TensorFlow Lite's own
    checks refuse some. The bytes must have passed :func:`read_tables`.
    """
    import tflite

    changed = bytearray(data)
    graph = tflite.Model.GetRootAsModel(data, 0).Subgraphs(0)
    for i in range(graph.TensorsLength()):
        tensor = graph.Tensors(i)
        quantization = tensor.Quantization()
        if quantization is None or (quantization.ScaleLength() > 1 and tensor.ShapeLength() > 1):
            continue
        offset = quantization._tab.Offset(_AXIS_FIELD)
        if offset:
            struct.pack_into("<i", changed, quantization._tab.Pos + offset, 0)
    return bytes(changed)


@contextmanager
def reading() -> Iterator[None]:
    """What a damaged file makes the accessors raise inside the block becomes a ModelError."""
    try:
        yield
    except Cm4TinyError:
        raise
    except _READ_FAILURES as error:
        raise ModelError(
            "the .tflite file is damaged", why=f"a table points to a place that is not there ({error})", hint=HINT_FILE
        ) from error


def _info(tensor: TensorEntry) -> TensorInfo:
    return TensorInfo(tensor.shape, tensor.dtype, tensor.scales[0], tensor.zero_points[0], tensor.size)


def _read_tables(data: bytes) -> ModelTables:
    import tflite

    model = tflite.Model.GetRootAsModel(data, 0)
    count = int(model.SubgraphsLength())
    if not 1 <= count <= MAX_SUBGRAPHS:
        raise ModelError(f"the model has {count} subgraphs", why="the engine runs straight-line models only")
    first, *further = (_read_subgraph(model, model.Subgraphs(i), len(data)) for i in range(count))
    return replace(first, further=tuple(further))


def _read_subgraph(model: Any, graph: Any, length: int) -> ModelTables:
    counts = (graph.TensorsLength(), graph.OperatorsLength(), model.OperatorCodesLength(), model.BuffersLength())
    if max(counts) > MAX_TENSORS or min(counts[0], counts[3]) < 1:
        raise ModelError("the .tflite file is damaged", why=f"it claims {counts[0]} tensors and {counts[1]} operators")
    sizes = [_buffer_bytes(model.Buffers(i), length) for i in range(counts[3])]
    tensors = tuple(_with_values(model, graph.Tensors(i), _read_tensor(graph.Tensors(i), sizes)) for i in range(counts[0]))
    codes = [_code(model.OperatorCodes(i)) for i in range(counts[2])]
    operators = tuple(_read_operator(graph.Operators(i), codes, counts[0]) for i in range(counts[1]))
    inputs = tuple(_index(graph.Inputs(i), counts[0]) for i in range(min(graph.InputsLength(), MAX_TENSORS)))
    outputs = tuple(_index(graph.Outputs(i), counts[0]) for i in range(min(graph.OutputsLength(), MAX_TENSORS)))
    return ModelTables(tensors, operators, inputs, outputs)


def _buffer_bytes(buffer: Any, limit: int) -> int:
    size = int(buffer.DataLength())
    if size > limit:
        raise ModelError("the .tflite file is damaged", why=f"a buffer has {size} bytes, the file {limit}", hint=HINT_FILE)
    if size:
        buffer.Data(size - 1)  # the accessor fails if the end lies outside of the file
    return size


def _index(value: int, count: int) -> int:
    if not 0 <= value < count:
        raise ModelError("the .tflite file is damaged", why=f"tensor {value} of {count} is used", hint=HINT_FILE)
    return int(value)


def _code(code: Any) -> int:
    return max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))


def _read_tensor(tensor: Any, buffer_sizes: list[int]) -> TensorEntry:
    name = (tensor.Name() or b"").decode("utf-8", "replace")
    shape = tuple(int(tensor.Shape(i)) for i in range(min(tensor.ShapeLength(), 9)))
    if len(shape) > 8 or any(n < 0 for n in shape) or math.prod(shape) > MAX_VALUES:
        raise ModelError(
            f"tensor '{name}' has the shape {list(shape)}", why="its size is unknown or too large for a microcontroller", hint=HINT_INT8
        )
    dtype, size = type_name(tensor.Type()), buffer_sizes[tensor.Buffer()]
    if size and dtype in TYPE_BYTES and size != math.prod(shape) * TYPE_BYTES[dtype]:
        raise ModelError(
            f"tensor '{name}' has {size} bytes of data",
            why=f"its shape {list(shape)} of {dtype} needs {math.prod(shape) * TYPE_BYTES[dtype]}",
            hint=HINT_FILE,
        )
    q = tensor.Quantization()
    if q is None:
        return TensorEntry(name, shape, dtype, size > 0, (), (), 0)
    if q.ScaleLength() > MAX_VALUES or q.ZeroPointLength() > MAX_VALUES:
        raise ModelError(f"tensor '{name}' has an impossible number of scales", hint=HINT_FILE)
    scales = tuple(float(q.Scale(i)) for i in range(q.ScaleLength()))
    zero_points = tuple(int(q.ZeroPoint(i)) for i in range(q.ZeroPointLength()))
    if any(not math.isfinite(s) or s < 0 or (s == 0 and not size) for s in scales):  # channels of zeros may have the scale 0
        raise ModelError(f"tensor '{name}' has a scale that is not a positive number", hint="quantise the model again")
    return TensorEntry(name, shape, dtype, size > 0, scales, zero_points, int(q.QuantizedDimension()))


def _with_values(model: Any, tensor: Any, entry: TensorEntry) -> TensorEntry:
    """The tensor with the values that the file holds: a view of its bytes."""
    if not entry.constant or entry.dtype not in TYPE_BYTES:
        return entry
    raw = model.Buffers(tensor.Buffer()).DataAsNumpy()
    return replace(entry, values=raw.view(np.dtype(entry.dtype).newbyteorder("<")).reshape(entry.shape))


def _read_operator(operator: Any, codes: list[int], tensors: int) -> OperatorEntry:
    kind = operator_name(codes[operator.OpcodeIndex()])
    lengths = (operator.InputsLength(), operator.OutputsLength())
    if max(lengths) > MAX_TENSORS:
        raise ModelError("the .tflite file is damaged", why=f"an operator {kind} claims {lengths[0]} inputs", hint=HINT_FILE)
    inputs = [int(operator.Inputs(i)) for i in range(lengths[0])]
    slots = tuple(inputs)
    omitted = tuple(i for i, index in enumerate(inputs) if index == -1)  # optional inputs that are left out
    while inputs and inputs[-1] == -1:
        inputs.pop()
    outputs = tuple(_index(operator.Outputs(i), tensors) for i in range(lengths[1]))
    present = tuple(_index(i, tensors) for i in inputs if i != -1)
    left_out = tuple(i for i in omitted if i < len(inputs))
    return OperatorEntry(kind, present, outputs, operator.BuiltinOptions(), operator.BuiltinOptionsType(), left_out, slots)
