# SPDX-License-Identifier: Apache-2.0
"""What a model should answer: TensorFlow Lite's reference kernels on the host.

The oracle is ``OpResolverType.BUILTIN_REF`` of tflite-runtime (Python < 3.12) or ai-edge-litert (Python >= 3.12). The optimised
kernels of the same packages differ from these in some bytes, so they are not an oracle for a microcontroller.

ai-edge-litert 2.1 to 2.3 rounds FULLY_CONNECTED once where tflite-runtime and TensorFlow Lite for Microcontrollers round twice (measured:
28 of 12000 outputs of random layers differ by one, all explained by single rounding). Models with that operator are therefore run by
the tflite-micro wheel where tflite-runtime is not available. SUM of tflite-runtime 2.14 does not clamp its result and leaves equal scales
out; today's arithmetic does neither. UNIDIRECTIONAL_SEQUENCE_LSTM of TensorFlow Lite for Microcontrollers has other functions of int16 than
TensorFlow Lite. So models with one of these two are run by the tflite-micro wheel everywhere.
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cm4tiny.errors import ModelError, NotAvailableError
from cm4tiny.firmware.model_file import read_tables, without_needless_axes
from cm4tiny.firmware.model_tables import operator_name

_ORACLES = ("tflite_runtime.interpreter", "ai_edge_litert.interpreter")


def reference_run(tflite: bytes, inputs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Runs a model on one or many inputs with the reference kernels, one after the other.

    A model that keeps values from inference to inference starts with its first ones.

    Args:
        tflite: the model file's bytes. Of a model with float32 or uint8 at its edges, or with several inputs or outputs, values are those
            that the image takes and returns (docs/reference/operators.md): they are converted here.
        inputs: int8, of the input tensor's shape, or with one more axis in front (or two axes [n, values]) for n inputs.

    Returns:
        int8, shape [n, values per output]; n is 1 if one input was given.

    Raises:
        ModelError: the interpreter refuses the model or the input's size is not a multiple of the tensor's.
        NotAvailableError: no interpreter is installed.
    """
    run, shape = _runner(tflite)
    size = int(np.prod(shape))
    if inputs.dtype != np.int8 or inputs.size == 0 or inputs.size % size:
        raise ModelError(
            f"the input holds {inputs.size} values of {inputs.dtype}",
            why=f"the model takes int8 of shape {list(shape)}",
            hint="pass one or several whole inputs",
        )
    return np.stack([run(row).reshape(-1).copy() for row in inputs.reshape(-1, *shape)])


def keeps_values(tflite: bytes) -> bool:
    """Whether what a model answers depends on the inferences before."""
    return bool({"VAR_HANDLE", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"} & _kinds(tflite))


def oracle_name(tflite: bytes) -> str:
    """Which interpreter answers for a model: ``"tflite_runtime BUILTIN_REF"``, ``"ai_edge_litert BUILTIN_REF"`` or ``"tflite_micro"``."""
    return "tflite_micro" if _needs_micro(tflite) else f"{_module().__name__.split('.')[0]} BUILTIN_REF"


def _needs_micro(tflite: bytes) -> bool:
    kinds = {"SUM", "UNIDIRECTIONAL_SEQUENCE_LSTM"} | ({"FULLY_CONNECTED"} if _module().__name__.startswith("ai_edge_litert") else set())
    return bool(kinds & _kinds(tflite))


@lru_cache(maxsize=1)
def _module() -> Any:
    for name in _ORACLES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise NotAvailableError(
        "no TensorFlow Lite interpreter is installed",
        why=f"none of {', '.join(_ORACLES)} can be imported",
        hint="install one; for Python 3.12 and later:\npip install ai-edge-litert\nfor earlier ones:\npip install tflite-runtime",
    )


Values = npt.NDArray[Any]
Run = Callable[[Values], Values]


def _runner(tflite: bytes) -> tuple[Run, tuple[int, ...]]:
    """A function that runs the model on one input, and the input's shape."""
    module = _module()
    try:
        tflite = without_needless_axes(tflite)
        return _micro_runner(tflite) if _needs_micro(tflite) else _lite_runner(module, tflite)
    except (ValueError, RuntimeError, struct.error, AttributeError, IndexError, TypeError) as error:
        raise ModelError(
            "the reference interpreter refuses the model", why=str(error), hint="check that the file is a whole .tflite model"
        ) from error


def _lite_runner(module: Any, tflite: bytes) -> tuple[Run, tuple[int, ...]]:
    interpreter = module.Interpreter(model_content=tflite, experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF, num_threads=1)
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    edges = _Edges(tflite, inputs, outputs)

    def run(row: Values) -> Values:
        for details, values in zip(inputs, edges.enter(row), strict=True):
            interpreter.set_tensor(details["index"], values)
        interpreter.invoke()
        return edges.leave([interpreter.get_tensor(details["index"]) for details in outputs])

    return run, edges.shape


def _micro_runner(tflite: bytes) -> tuple[Run, tuple[int, ...]]:
    try:
        runtime = importlib.import_module("tflite_micro.python.tflite_micro.runtime")
    except ImportError as error:
        raise NotAvailableError(
            "no interpreter with the reference arithmetic for this model is installed",
            why="the other interpreter computes FULLY_CONNECTED, SUM or LSTM differently",
            hint="install it:\npip install --pre tflite-micro",
        ) from error
    interpreter = runtime.Interpreter.from_bytes(tflite)
    tables = read_tables(tflite)
    inputs = [interpreter.get_input_details(i) for i in range(len(tables.inputs))]
    outputs = [interpreter.get_output_details(i) for i in range(len(tables.outputs))]
    edges = _Edges(tflite, inputs, outputs)

    def run(row: Values) -> Values:
        for number, values in enumerate(edges.enter(row)):
            interpreter.set_input(values, number)
        interpreter.invoke()
        return edges.leave([interpreter.get_output(number) for number in range(len(outputs))])

    return run, edges.shape


class _Edges:
    """Between the image's int8 values and what the file's inputs take and its outputs hold.

    Several inputs or outputs lie one after the other in the image's. A float32 value stands for the int8 value that QUANTIZE makes of it; a
    uint8 value is 128 more.
    """

    def __init__(self, tflite: bytes, inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]]) -> None:
        self._types = tuple([np.dtype(row["dtype"]) for row in rows] for rows in (inputs, outputs))
        self._shapes = [tuple(int(n) for n in row["shape"]) for row in inputs]
        self._scales: tuple[list[tuple[float, int]], ...] = ([], [])
        if any(dtype == np.float32 for types in self._types for dtype in types):
            from cm4tiny.firmware.microtvm.importer import read_model

            model = read_model(tflite)
            self._scales = tuple([(info.scale, info.zero_point) for info in infos] for infos in (model.inputs, model.outputs))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the image's input."""
        return self._shapes[0] if len(self._shapes) == 1 else (sum(int(np.prod(shape)) for shape in self._shapes),)

    def enter(self, row: Values) -> list[Values]:
        """What the file's inputs take."""
        found, flat = [], row.reshape(-1)
        for number, (dtype, shape) in enumerate(zip(self._types[0], self._shapes, strict=True)):
            size = int(np.prod(shape))
            values, flat = flat[:size].reshape(shape), flat[size:]
            if dtype == np.float32:
                scale, zero_point = self._scales[0][number]
                values = (values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
            elif dtype == np.uint8:
                values = (values.astype(np.int16) + 128).astype(np.uint8)
            found.append(values)
        return found

    def leave(self, values: Sequence[Values]) -> Values:
        """The image's output."""
        if len(values) == 1 and values[0].dtype == np.int8:
            return values[0]
        return np.concatenate([self._stored(number, array).reshape(-1) for number, array in enumerate(values)])

    def _stored(self, number: int, values: Values) -> Values:
        if self._types[1][number] == np.float32:
            scale, zero_point = self._scales[1][number]
            stored: Values = np.rint(values.astype(np.float64) / scale + zero_point).astype(np.int8)
            return stored
        shifted: Values = (values.astype(np.int16) - 128).astype(np.int8)
        return values if self._types[1][number] == np.int8 else shifted  # of uint8, and of indices


def _kinds(tflite: bytes) -> set[str]:
    """Names of the operators in a file."""
    import tflite as schema

    try:
        model = schema.Model.GetRootAsModel(tflite, 0)
        codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
        return {operator_name(max(c.BuiltinCode(), c.DeprecatedBuiltinCode())) for c in codes}
    except (struct.error, AttributeError, IndexError, TypeError) as error:
        raise ValueError(f"not a TensorFlow Lite model: {error}") from error
