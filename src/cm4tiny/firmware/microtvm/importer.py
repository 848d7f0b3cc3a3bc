# SPDX-License-Identifier: Apache-2.0
"""The door of the engine: what a model must be, and its graph, by TVM's importer where that reads the model."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cm4tiny.errors import ModelError
from cm4tiny.firmware.graph import Graph
from cm4tiny.firmware.inference_code import TensorInfo
from cm4tiny.firmware.microtvm.frontend import Model, read_graph
from cm4tiny.firmware.microtvm.lowering import lower_relax
from cm4tiny.firmware.model_file import check_scheme, read_tables, reading, without_needless_axes


def read_model(data: bytes) -> Model:
    """Checks a model file and reads it into the integer graph; what passes is consistent enough for TVM's importer.

    Raises:
        ModelError: the bytes are no whole ``.tflite`` file, or the model is not int8.
        UnsupportedOpError: operators, or forms of some, that the engine does not implement: all of them.
    """
    tables = read_tables(data)
    with reading():
        check_scheme(tables)
        return read_graph(tables)


def check_model(data: bytes) -> tuple[TensorInfo, TensorInfo]:
    """The input and the output of a model that the engine can compile; raises as :func:`read_model`."""
    model = read_model(data)
    return model.input, model.output


def import_graph(data: bytes, model: Model) -> Graph:
    """The graph that is compiled: from TVM's import where it reads the model, else from the engine's own."""
    return lower_relax(import_relax(data), model.input.scale, model.input.zero_point) if model.imported else model.graph


def import_relax(data: bytes) -> Any:
    """The model as TVM's Relax ``IRModule``; the bytes must have passed :func:`read_model`."""
    from tvm.relax.frontend.tflite import from_tflite

    try:
        return from_tflite(_numbered()(without_needless_axes(data)), op_converter=_converter())
    except Exception as error:
        raise ModelError(
            "TVM cannot import the model", why=f"{type(error).__name__}: {_first_line(error)}", hint="check the model with another tool"
        ) from error


@lru_cache(maxsize=1)
def _numbered() -> Callable[[bytes], Any]:
    """A reader of model files in which every tensor's name is its number.

    TVM's importer takes names for identities; in a file, tensors may share a name or have none.
    """
    import tflite

    class Tensor(tflite.Tensor):  # type: ignore[misc]
        number = 0

        def Name(self) -> bytes:  # noqa: N802 - the schema's name
            return b"tensor%d" % self.number

    class SubGraph(tflite.SubGraph):  # type: ignore[misc]
        def Tensors(self, j: int) -> Any:  # noqa: N802
            return _as(Tensor, super().Tensors(j), number=j)

    class Model(tflite.Model):  # type: ignore[misc]
        def Subgraphs(self, j: int) -> Any:  # noqa: N802
            return _as(SubGraph, super().Subgraphs(j))

    return lambda data: _as(Model, tflite.Model.GetRootAsModel(data, 0))


@lru_cache(maxsize=1)
def _converter() -> Any:
    """TVM's converter of operators, with what TensorFlow Lite does and it does not: FULLY_CONNECTED takes the values of any tensor as
    vectors of the weights' length, and its result has the shape that the file says."""
    from tvm import relax
    from tvm.relax.frontend.tflite.tflite_frontend import OperatorConverter

    class Converter(OperatorConverter):  # type: ignore[misc]
        vector: tuple[int, int] | None = None  # a tensor that is read as vectors, and their length

        def convert_fully_connected(self, op: Any) -> Any:
            source, weights = self.get_input_tensors(op)[:2]
            self.vector = (source.tensor_idx, int(weights.tensor.Shape(1)))
            try:
                found = super().convert_fully_connected(op)
            finally:
                self.vector = None
            return self._reshaped(found, self._get_relax_tensor_shape(self.get_output_tensors(op)[0]))

        def get_tensor_expr(self, tensor: Any) -> Any:
            expr = super().get_tensor_expr(tensor)
            shape = self._get_relax_tensor_shape(tensor)
            if self.vector is None or tensor.tensor_idx != self.vector[0] or shape[-1] == self.vector[1]:
                return expr
            return self._reshaped(expr, (math.prod(shape) // self.vector[1], self.vector[1]))

        def _reshaped(self, expr: Any, shape: tuple[int, ...]) -> Any:
            expr = self.bb.normalize(expr)
            there = tuple(int(n) for n in getattr(expr.ty.shape, "values", expr.ty.shape))
            return expr if there == tuple(shape) else self.bb.normalize(relax.op.reshape(expr, shape))

    return Converter


def _as(kind: Any, table: Any, **fields: int) -> Any:
    """The same table of the file, read by another class."""
    found = kind()
    found.Init(table._tab.Bytes, table._tab.Pos)
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no further words"
