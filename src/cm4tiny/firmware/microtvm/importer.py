"""The door to TVM: what a model must be for the microTVM engine, and TVM's import of it."""

from __future__ import annotations

from typing import Any

from cm4tiny.errors import ModelError
from cm4tiny.firmware.inference_code import TensorInfo
from cm4tiny.firmware.microtvm.operators import check_operator
from cm4tiny.firmware.model_file import model_ends, read_model, reading


def check_model(data: bytes) -> tuple[TensorInfo, TensorInfo]:
    """Checks a model file; what passes is consistent enough for TVM's importer.

    Returns:
        Its input and its output tensor.

    Raises:
        ModelError: the bytes are no whole ``.tflite`` file, or the model is not int8.
        UnsupportedOpError: an operator, or a form of one, that the engine does not implement.
    """
    tables = read_model(data)
    with reading():
        known = set(tables.inputs)
        for operator in tables.operators:
            check_operator(tables, operator, known)
            known.update(operator.outputs)
        if not known.issuperset(tables.outputs):
            raise ModelError("the model's output is never computed", cure="export the model again")
        return model_ends(tables)


def import_relax(data: bytes) -> Any:
    """The model as TVM's Relax ``IRModule``; the bytes must have passed :func:`check_model`."""
    import tflite
    from tvm.relax.frontend.tflite import from_tflite

    try:
        return from_tflite(tflite.Model.GetRootAsModel(data, 0))
    except Exception as error:
        raise ModelError(
            "TVM cannot import the model", why=f"{type(error).__name__}: {_first_line(error)}", cure="check the model with another tool"
        ) from error


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no further words"
