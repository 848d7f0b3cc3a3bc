# SPDX-License-Identifier: Apache-2.0
"""What a model should answer: TensorFlow Lite's reference kernels on the host.

The oracle is ``OpResolverType.BUILTIN_REF`` of tflite-runtime (Python < 3.12) or ai-edge-litert (Python >= 3.12). The optimised
kernels of the same packages differ from these in some bytes, so they are not an oracle for a microcontroller.

ai-edge-litert 2.1 to 2.3 rounds FULLY_CONNECTED once where tflite-runtime and TensorFlow Lite for Microcontrollers round twice (measured:
28 of 12000 outputs of random layers differ by one, all explained by single rounding). Models with that operator are therefore run by
the tflite-micro wheel where tflite-runtime is not available.
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

_ORACLES = ("tflite_runtime.interpreter", "ai_edge_litert.interpreter")


def reference_run(tflite: bytes, inputs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Runs a model on one or many inputs with the reference kernels.

    Args:
        tflite: the model file's bytes; one int8 input tensor, one int8 output tensor.
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
    return bool(_module().__name__.startswith("ai_edge_litert")) and _has_fully_connected(tflite)


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

    def run(row: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        interpreter.set_tensor(entry["index"], row)
        interpreter.invoke()
        output: npt.NDArray[np.int8] = interpreter.get_tensor(result["index"])
        return output

    return run, tuple(int(n) for n in entry["shape"])


def _micro_runner(tflite: bytes) -> tuple[Run, tuple[int, ...]]:
    try:
        runtime = importlib.import_module("tflite_micro.python.tflite_micro.runtime")
    except ImportError as error:
        raise NotAvailableError(
            "no interpreter with the reference arithmetic for FULLY_CONNECTED is installed",
            why="ai-edge-litert rounds this operator differently",
            hint="install it:\npip install --pre tflite-micro",
        ) from error
    interpreter = runtime.Interpreter.from_bytes(tflite)

    def run(row: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        interpreter.set_input(row, 0)
        interpreter.invoke()
        output: npt.NDArray[np.int8] = interpreter.get_output(0)
        return output

    return run, tuple(int(n) for n in interpreter.get_input_details(0)["shape"])


def _has_fully_connected(tflite: bytes) -> bool:
    import tflite as schema

    try:
        model = schema.Model.GetRootAsModel(tflite, 0)
        codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
        return any(max(c.BuiltinCode(), c.DeprecatedBuiltinCode()) == schema.BuiltinOperator.FULLY_CONNECTED for c in codes)
    except (struct.error, AttributeError, IndexError, TypeError) as error:
        raise ValueError(f"not a TensorFlow Lite model: {error}") from error
