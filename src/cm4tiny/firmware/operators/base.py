# SPDX-License-Identifier: Apache-2.0
"""What an operator is to the compiler, and what its file sees of the model while it is lowered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cm4tiny.errors import ModelError, UnsupportedOpError
from cm4tiny.firmware.graph import Layer, Tensor
from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.model_tables import HINT_FILE, ModelTables, OperatorEntry, TensorEntry

NO_SUCH = "use a model without it"
UPSTREAM = "tensorflow/tflite-micro@90b983c2b3f1480642e040bbd2ddb37b998f3424"
"""Repository and commit of the reference arithmetic. Its integers round twice (no TFLITE_SINGLE_ROUNDING; kernels/internal/common.h)."""
INDEX_ZERO = -128
"""Zero point of an output of indices: the image's int8 value is the index less 128."""
UINT8_SHIFT = 128
"""uint8 values are handled as int8 values less 128, with a zero point less 128: the same real numbers."""


@dataclass(frozen=True)
class Operator:
    """One operator, or several that differ in a constant only.

    Attributes:
        kinds: names in ``schema.fbs``.
        forms: what is accepted, for the manual.
        kernels: what computes it, for the manual.
        references: "path:line function" of the arithmetic whose bits it gives, below tensorflow/lite at :data:`UPSTREAM`.
        lower: checks one operator of a model and adds its layers; raises UnsupportedOpError for a form that is missing, ModelError for
            one that contradicts itself.
        imported: TVM's importer reads the forms that :meth:`Site.imported_form` is not told of.
        omits: optional inputs may be left out in the middle.
        silent: it may have no output.
    """

    kinds: tuple[str, ...]
    forms: str
    kernels: str
    references: tuple[str, ...]
    lower: Callable[[Site], None]
    imported: bool = False
    omits: bool = False
    silent: bool = False


@dataclass(frozen=True)
class Handle:
    """A tensor that names a variable."""

    name: str


@dataclass
class Variable:
    """Memory that is kept from inference to inference: its first values, what the model reads of it, what it will hold at the end."""

    initial: Array
    read: Tensor | None = None
    written: Tensor | None = None


@dataclass(frozen=True)
class Real:
    """A float32 tensor that is a model's input: only its quantised values are ever computed with. ``index``: of the input."""

    index: int


@dataclass(frozen=True)
class Missing:
    """A tensor that an operator would compute which is refused already; what reads it is not refused once more."""


class MissingError(UnsupportedOpError):
    """An input is :class:`Missing`."""


Value = Tensor | Array | Real | Missing | Handle
_NO_TENSOR = TensorEntry("", (), "no", False, (), (), 0)


class Lowering:
    """A graph under construction: what every tensor of the file stands for.

    Attributes:
        values: by tensor number: an activation, an array that is known already, a float input.
        layers: so far.
        entries: input by number -> the int8 tensor that stands for it.
        variables: by name.
        imported: whether TVM's importer can read all operators so far.
    """

    def __init__(self, tables: ModelTables) -> None:
        self.tables = tables
        self.values: dict[int, Value] = {}
        self.layers: list[Layer] = []
        self.entries: dict[int, Tensor] = {}
        self.variables: dict[str, Variable] = {}
        self.imported = True
        self._keys = 0

    def new(self, shape: tuple[int, ...], scale: float, zero_point: int) -> Tensor:
        """A tensor of its own; a scalar has one axis here."""
        self._keys += 1
        return Tensor(self._keys, shape or (1,), scale, zero_point)

    def tensor(self, index: int) -> Tensor:
        """A new tensor as the file describes it; its type has been checked."""
        entry = self.tables.tensors[index]
        shift = UINT8_SHIFT if entry.dtype == "uint8" else 0
        return self.new(entry.shape, entry.scales[0], entry.zero_points[0] - shift)


class Site:
    """One operator of a model, with its tensors, while it is lowered."""

    def __init__(self, state: Lowering, operator: OperatorEntry) -> None:
        self.state, self.operator = state, operator
        tensors = state.tables.tensors
        self.inputs: tuple[TensorEntry, ...] = tuple(tensors[i] for i in operator.inputs)
        self.outputs: tuple[TensorEntry, ...] = tuple(tensors[i] for i in operator.outputs)
        self.output: TensorEntry = self.outputs[0] if self.outputs else _NO_TENSOR

    # --- refusals -------------------------------------------------------------------------------------------------------------
    def refuse(self, what: str, *, why: str = "", hint: str = NO_SUCH) -> UnsupportedOpError:
        return UnsupportedOpError(f"{self.operator.kind} of {self.output.dtype} tensor '{self.output.name}': {what}", why=why, hint=hint)

    def damaged(self, what: str, *, why: str = "") -> ModelError:
        return ModelError(f"{self.operator.kind} of '{self.output.name}' {what}", why=why, hint=HINT_FILE)

    def own_form(self) -> None:
        """Says that TVM's importer does not read this form, or reads it wrongly."""
        self.state.imported = False

    # --- what the file says ---------------------------------------------------------------------------------------------------
    def options(self, name: str) -> Any:
        """The operator's options table, e.g. ``Conv2DOptions``."""
        import tflite

        if self.operator.options is None or self.operator.options_type != getattr(tflite.BuiltinOptions, name):
            raise ModelError(f"{self.operator.kind} of '{self.output.name}' has no {name}", hint=HINT_FILE)
        table = getattr(tflite, name)()
        table.Init(self.operator.options.Bytes, self.operator.options.Pos)
        return table

    def need_inputs(self, count: int) -> None:
        if len(self.inputs) < count:
            raise ModelError(f"{self.operator.kind} of '{self.output.name}' has {len(self.inputs)} input", hint=HINT_FILE)

    def activation(self, place: int = 0, *, uint8: bool = False) -> Tensor:
        """An input that is computed before, as the graph has it, in the file's shape."""
        self.need_inputs(place + 1)
        entry, value = self.inputs[place], self.state.values.get(self.operator.inputs[place])
        if isinstance(value, Missing):
            raise MissingError("")
        if not (uint8 and entry.dtype == "uint8"):
            entry.require_activation(f"the input of {self.operator.kind}")
        if not isinstance(value, Tensor):
            reason = "it is a constant" if entry.constant else "it is not computed before"
            raise self.refuse(f"its input '{entry.name}' cannot be used", why=reason)
        return replace(value, shape=entry.shape or (1,))

    def known(self, place: int) -> bool:
        """Whether an input is a constant, or was computed by the compiler."""
        return self._array(place) is not None

    def array(self, place: int) -> Array:
        """An input that is known when the model is compiled, in the file's shape."""
        self.need_inputs(place + 1)
        found = self._array(place)
        if isinstance(self.state.values.get(self.operator.inputs[place]), Missing):
            raise MissingError("")
        if found is None:
            raise self.refuse(f"'{self.inputs[place].name}' is not a constant", why="weights and shapes must be stored in the file")
        return found

    def numbers(self, place: int) -> tuple[int, ...]:
        """A known input of integers, flat."""
        array = self.array(place)
        if array.dtype.kind not in "iu":
            raise self.damaged(f"has {array.dtype} values where it needs integers")
        return tuple(int(n) for n in array.reshape(-1))

    def _array(self, place: int) -> Array | None:
        value = self.state.values.get(self.operator.inputs[place])
        if isinstance(value, np.ndarray):
            return value
        return self.inputs[place].values

    # --- what it becomes ------------------------------------------------------------------------------------------------------
    def result(self, place: int = 0, *, uint8: bool = False) -> Tensor:
        """The tensor of an output: the caller adds a layer that writes it."""
        entry = self.outputs[place]
        if not (uint8 and entry.dtype == "uint8"):
            entry.require_activation(f"the output of {self.operator.kind}")
        tensor = self.state.tensor(self.operator.outputs[place])
        self.define(tensor, place)
        return tensor

    def define(self, value: Value, place: int = 0) -> None:
        """What an output stands for."""
        self.state.values[self.operator.outputs[place]] = value

    def alias(self, tensor: Tensor, place: int = 0) -> None:
        """An output is the same memory as a tensor that is there."""
        self.define(replace(tensor, shape=self.outputs[place].shape or (1,)), place)

    def add(self, layer: Layer) -> None:
        self.state.layers.append(layer)

    def check_shape(self, shape: tuple[int, ...], place: int = 0) -> None:
        """Raises ModelError unless the output has the shape that follows from the inputs."""
        there = self.outputs[place].shape
        if there != shape:
            raise ModelError(
                f"{self.operator.kind} of '{self.outputs[place].name}' has the output shape {list(there)}",
                why=f"its inputs give {list(shape)}",
                hint=HINT_FILE,
            )

    def same_scale(self, place: int = 0) -> None:
        """Raises unless an input and the output have one scale and zero point."""
        x, y = self.inputs[place], self.output
        if (x.scales, x.zero_points) != (y.scales, y.zero_points):
            raise self.refuse("its input and output have different scales", why="TFLite requires them to be equal")


def resolved_axes(site: Site, axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """Axes as numbers from 0, sorted, each once."""
    if any(not -rank <= axis < rank for axis in axes):
        raise site.damaged(f"has the axes {list(axes)}", why=f"its input has {rank}")
    return tuple(sorted({axis % rank for axis in axes}))
