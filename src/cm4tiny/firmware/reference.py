# SPDX-License-Identifier: Apache-2.0
"""What a model should answer: TensorFlow Lite's reference kernels on the host.

The oracle is ``OpResolverType.BUILTIN_REF`` of tflite-runtime (Python < 3.12) or ai-edge-litert (Python >= 3.12). The optimised
kernels of the same packages differ from these in some bytes, so they are not an oracle for a microcontroller.

ai-edge-litert 2.1 to 2.3 rounds FULLY_CONNECTED once where tflite-runtime and TensorFlow Lite for Microcontrollers round twice (measured:
28 of 12000 outputs of random layers differ by one, all explained by single rounding). Models with that operator are therefore run by
the tflite-micro wheel where tflite-runtime is not available. SUM of tflite-runtime 2.14 does not clamp its result and leaves equal scales
out; today's arithmetic does neither, so models with SUM are run by the tflite-micro wheel everywhere.
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cm4tiny.errors import ModelError, NotAvailableError
from cm4tiny.firmware.model_file import without_needless_axes
from cm4tiny.firmware.model_tables import operator_name

_ORACLES = ("tflite_runtime.interpreter", "ai_edge_litert.interpreter")


def reference_run(tflite: bytes, inputs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Runs a model on one or many inputs with the reference kernels.

    Args:
        tflite: the model file's bytes; one input tensor, one output tensor. Of a model with float32 or uint8 at its edges, these are the
            int8 values that the image takes and returns (docs/reference/operators.md): they are converted here.
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


def oracle_name(tflite: bytes) -> str:
    """Which interpreter answers for a model: ``"tflite_runtime BUILTIN_REF"``, ``"ai_edge_litert BUILTIN_REF"`` or ``"tflite_micro"``."""
    return "tflite_micro" if _needs_micro(tflite) else f"{_module().__name__.split('.')[0]} BUILTIN_REF"


def _needs_micro(tflite: bytes) -> bool:
    kinds = {"SUM"} | ({"FULLY_CONNECTED"} if _module().__name__.startswith("ai_edge_litert") else set())
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


Run = Callable[[npt.NDArray[np.int8]], npt.NDArray[np.int8]]


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
    entry, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    enter, leave = _edges(tflite, np.dtype(entry["dtype"]), np.dtype(result["dtype"]))

    def run(row: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        interpreter.set_tensor(entry["index"], enter(row))
        interpreter.invoke()
        return leave(interpreter.get_tensor(result["index"]))

    return run, tuple(int(n) for n in entry["shape"])


def _micro_runner(tflite: bytes) -> tuple[Run, tuple[int, ...]]:
    try:
        runtime = importlib.import_module("tflite_micro.python.tflite_micro.runtime")
    except ImportError as error:
        raise NotAvailableError(
            "no interpreter with the reference arithmetic for this model is installed",
            why="the other interpreter computes FULLY_CONNECTED or SUM differently",
            hint="install it:\npip install --pre tflite-micro",
        ) from error
    interpreter = runtime.Interpreter.from_bytes(tflite)
    details = (interpreter.get_input_details(0), interpreter.get_output_details(0))
    enter, leave = _edges(tflite, *(np.dtype(row["dtype"]) for row in details))

    def run(row: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        interpreter.set_input(enter(row), 0)
        interpreter.invoke()
        return leave(interpreter.get_output(0))

    return run, tuple(int(n) for n in interpreter.get_input_details(0)["shape"])


Values = npt.NDArray[Any]


def _edges(tflite: bytes, entry: np.dtype[Any], result: np.dtype[Any]) -> tuple[Callable[[Values], Values], Callable[[Values], Values]]:
    """From the image's int8 values to what the file's input takes, and from what its output holds to the image's int8 values.

    A float32 value stands for the int8 value that QUANTIZE makes of it; a uint8 value is 128 more.
    """
    if entry == result == np.int8:
        return (lambda values: values), (lambda values: values)
    from cm4tiny.firmware.microtvm.importer import check_model

    given, found = check_model(tflite)

    def enter(values: Values) -> Values:
        if entry == np.float32:
            real: Values = (values.astype(np.float32) - np.float32(given.zero_point)) * np.float32(given.scale)
            return real
        shifted: Values = (values.astype(np.int16) + 128).astype(np.uint8)
        return shifted if entry == np.uint8 else values

    def leave(values: Values) -> Values:
        if result == np.float32:
            stored: Values = np.rint(values.astype(np.float64) / found.scale + found.zero_point).astype(np.int8)
            return stored
        shifted: Values = (values.astype(np.int16) - 128).astype(np.int8)
        return shifted if result == np.uint8 else values

    return enter, leave


def _kinds(tflite: bytes) -> set[str]:
    """Names of the operators in a file."""
    import tflite as schema

    try:
        model = schema.Model.GetRootAsModel(tflite, 0)
        codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
        return {operator_name(max(c.BuiltinCode(), c.DeprecatedBuiltinCode())) for c in codes}
    except (struct.error, AttributeError, IndexError, TypeError) as error:
        raise ValueError(f"not a TensorFlow Lite model: {error}") from error
