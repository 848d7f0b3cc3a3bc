"""What a model should answer: TensorFlow Lite's reference kernels on the host.

The oracle is ``OpResolverType.BUILTIN_REF`` of tflite-runtime (Python < 3.12) or ai-edge-litert (Python >= 3.12). The optimised
kernels of the same packages differ from these in some bytes, so they are no oracle for a microcontroller.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cm4tiny.errors import ModelError, NotAvailableError

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
    interpreter = _interpreter(tflite)
    entry, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    shape = tuple(int(n) for n in entry["shape"])
    size = int(np.prod(shape))
    if inputs.dtype != np.int8 or inputs.size == 0 or inputs.size % size:
        raise ModelError(
            f"the input holds {inputs.size} values of {inputs.dtype}",
            why=f"the model takes int8 of shape {list(shape)}",
            cure="pass one or several whole inputs",
        )
    rows = []
    for row in inputs.reshape(-1, *shape):
        interpreter.set_tensor(entry["index"], row)
        interpreter.invoke()
        rows.append(interpreter.get_tensor(result["index"]).reshape(-1).copy())
    return np.stack(rows)


def oracle_name() -> str:
    """Which interpreter answers, e.g. ``"tflite_runtime BUILTIN_REF"``."""
    return f"{_module().__name__.split('.')[0]} BUILTIN_REF"


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
        cure="pip install tflite-runtime (Python < 3.12) or ai-edge-litert",
    )


def _interpreter(tflite: bytes) -> Any:
    module = _module()
    try:
        interpreter = module.Interpreter(
            model_content=tflite, experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF, num_threads=1
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(
            "the reference interpreter refuses the model", why=str(error), cure="check that the file is a whole .tflite model"
        ) from error
    return interpreter
