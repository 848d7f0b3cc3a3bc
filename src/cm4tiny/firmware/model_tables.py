# SPDX-License-Identifier: Apache-2.0
"""A ``.tflite`` file as plain tables, read once: what the checks look at."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy.typing as npt

from cm4tiny.errors import ModelError, UnsupportedOpError
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN

MAX_VALUES = 1 << 24  # values per tensor: far above what a Cortex-M4 holds, far below what hurts the host
HINT_FILE = "get the file again, or export the model again"
TYPE_BYTES = {"float32": 4, "float16": 2, "int8": 1, "uint8": 1, "int16": 2, "int32": 4, "int64": 8}


@dataclass(frozen=True)
class TensorEntry:
    """A tensor. ``constant`` says that the file holds its values; ``values`` are these, in its shape, of types that numpy knows."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    constant: bool
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    values: npt.NDArray[Any] | None = field(default=None, compare=False, repr=False)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def require_activation(self, what: str) -> None:
        """Raises unless this is an int8 activation with one scale and one zero point."""
        if not self.size:
            raise ModelError(f"{what} '{self.name}' has the shape {list(self.shape)}", why="it holds nothing", hint=HINT_FILE)
        if self.dtype != "int8":
            raise UnsupportedOpError(f"{what} '{self.name}' is {self.dtype}", why="the engine computes in int8", hint="quantise to int8")
        if len(self.scales) != 1 or len(self.zero_points) != 1 or not INT8_MIN <= self.zero_points[0] <= INT8_MAX:
            raise ModelError(
                f"{what} '{self.name}' has no usable scale and zero point",
                why=f"{len(self.scales)} scales, zero points {list(self.zero_points[:4])}",
                hint="quantise the model again",
            )


@dataclass(frozen=True)
class OperatorEntry:
    """An operator; ``options`` is the union table of its options, ``options_type`` its number. ``inputs`` are those that are there;
    ``omitted`` are the places of optional inputs that are left out before the last one; ``slots`` are all inputs, -1 where one
    is left out."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any
    options_type: int
    omitted: tuple[int, ...] = ()
    slots: tuple[int, ...] = ()


@dataclass(frozen=True)
class ModelTables:
    """A subgraph of a model: the first is the model, ``further`` are the others."""

    tensors: tuple[TensorEntry, ...]
    operators: tuple[OperatorEntry, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    further: tuple[ModelTables, ...] = ()


@lru_cache(maxsize=1)
def _names() -> tuple[dict[int, str], dict[int, str]]:
    import tflite

    def by_number(enum: Any) -> dict[int, str]:
        return {v: k for k, v in vars(enum).items() if isinstance(v, int)}

    return by_number(tflite.BuiltinOperator), by_number(tflite.TensorType)


def operator_name(code: int) -> str:
    """``CONV_2D`` for 3, and so on."""
    return _names()[0].get(code, f"operator {code}")


def type_name(code: int) -> str:
    """``int8`` for 9, and so on."""
    return _names()[1].get(code, f"type {code}").lower()
