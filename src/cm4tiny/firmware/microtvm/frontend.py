# SPDX-License-Identifier: Apache-2.0
"""The engine's own reader of models: the file's tables, operator by operator, become the integer graph.

Every operator is one object of :mod:`cm4tiny.firmware.operators`. All that stands in the way of a model is collected before anything is
compiled, so that one message names all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cm4tiny.errors import ModelError, UnsupportedOpError
from cm4tiny.firmware.graph import Copy, Graph, Layer, State, Tensor
from cm4tiny.firmware.inference_code import TensorInfo
from cm4tiny.firmware.model_file import HINT_INT8
from cm4tiny.firmware.model_tables import ModelTables, OperatorEntry
from cm4tiny.firmware.operators.base import Lowering, Missing, MissingError, Real, Site
from cm4tiny.firmware.operators.registry import by_kind

_EDGES = {"input": ("int8", "uint8", "float32"), "output": ("int8", "uint8", "float32", "int32")}


@dataclass(frozen=True)
class Model:
    """A model that the engine can compile.

    Attributes:
        graph: its integer graph.
        inputs, outputs: its int8 tensors; where the file has float32 or uint8 at an edge, those that stand for them.
        imported: whether TVM's importer reads the file, too.
    """

    graph: Graph
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    imported: bool

    @property
    def input(self) -> TensorInfo:
        """All inputs as one: their values one after the other, with scale and zero point of the first."""
        return _together(self.inputs)

    @property
    def output(self) -> TensorInfo:
        """All outputs as one."""
        return _together(self.outputs)


def read_graph(tables: ModelTables) -> Model:
    """Lowers a model.

    Raises:
        UnsupportedOpError: with all obstacles. ModelError: the file contradicts itself.
    """
    state = Lowering(tables)
    obstacles = [*_ends(state), *_operators(state)]
    if obstacles:
        raise joined(obstacles)
    entries = [_entry(state, number) for number in range(len(tables.inputs))]
    taken = {tensor.key for tensor in entries} | {variable.read.key for variable in state.variables.values() if variable.read is not None}
    outputs: list[Tensor] = []
    for index in tables.outputs:
        result = state.values.get(index)
        if not isinstance(result, Tensor):
            raise ModelError("the model's output is never computed", hint="export the model again")
        outputs.append(_copied(state, result) if result.key in taken else result)
        taken.add(outputs[-1].key)
    states = _states(state)  # behind the outputs, which may be what was kept before
    writes = tuple(kept.write for kept in states)
    layers = _needed(state.layers, (*outputs, *writes))
    graph = Graph(entries[0], outputs[0], layers, tuple(entries[1:]), tuple(outputs[1:]), states)
    state.imported &= len(entries) == len(outputs) == 1 and not states
    infos = [
        tuple(_info(tensor, tables.tensors[index].shape) for tensor, index in zip(found, indices, strict=True))
        for found, indices in ((entries, tables.inputs), (outputs, tables.outputs))
    ]
    return Model(graph, infos[0], infos[1], state.imported)


def _copied(state: Lowering, tensor: Tensor) -> Tensor:
    """A layer that copies a tensor."""
    copy = state.new(tensor.shape, tensor.scale, tensor.zero_point)
    state.layers.append(Copy(inputs=(tensor,), output=copy))
    return copy


def _states(state: Lowering) -> tuple[State, ...]:
    """The variables that the model reads; what it writes is copied behind all layers.

    What was in another variable before is saved first: that one may be written earlier.
    """
    used = [variable for variable in state.variables.values() if variable.read is not None]
    before = {variable.read.key for variable in used if variable.read is not None}
    found, sources = [], []
    for variable in used:
        read, written = variable.read, variable.written
        assert read is not None
        if written is None or written.key == read.key:
            found.append(State(read, read, variable.initial))
            continue
        sources.append(_copied(state, written) if written.key in before else written)
        found.append(State(read, state.new(read.shape, read.scale, read.zero_point), variable.initial))
    changed = [kept for kept in found if kept.write is not kept.read]
    for source, kept in zip(sources, changed, strict=True):
        state.layers.append(Copy(inputs=(source,), output=kept.write))
    return tuple(found)


def joined(obstacles: Sequence[UnsupportedOpError]) -> UnsupportedOpError:
    """One error for all that stands in the way."""
    if len(obstacles) == 1:
        return obstacles[0]
    lines = [f"{i}. {error.what}" + (f" ({error.why})" if error.why else "") for i, error in enumerate(obstacles, start=1)]
    hints = list(dict.fromkeys(error.hint for error in obstacles if error.hint))
    return UnsupportedOpError(
        f"{len(obstacles)} things stand in the way of compiling the model",
        why="\n       ".join(lines),
        hint="\n".join(hints),
        obstacles=tuple(error.what for error in obstacles),
    )


def _ends(state: Lowering) -> list[UnsupportedOpError]:
    """What is wrong with the model's inputs and outputs; sets what the inputs stand for."""
    tables, found = state.tables, []
    for indices, what in ((tables.inputs, "input"), (tables.outputs, "output")):
        if not indices:
            found.append(UnsupportedOpError(f"the model has no {what}", why="there is nothing to infer", hint="export the model again"))
        for index in indices:
            tensor = tables.tensors[index]
            if tensor.dtype not in _EDGES[what]:
                found.append(
                    UnsupportedOpError(
                        f"the model's {what} '{tensor.name}' is {tensor.dtype}", why=f"it may be {', '.join(_EDGES[what])}", hint=HINT_INT8
                    )
                )
    for number, index in enumerate(tables.inputs):
        state.values[index] = _input(state, number, index)
    return found


def _input(state: Lowering, number: int, index: int) -> Tensor | Real | Missing:
    tensor = state.tables.tensors[index]
    if tensor.dtype == "float32":
        return Real(number)
    if tensor.dtype not in _EDGES["input"]:
        return Missing()
    if tensor.dtype == "int8":
        tensor.require_activation("input")
    elif len(tensor.scales) != 1 or len(tensor.zero_points) != 1:
        raise ModelError(f"the input '{tensor.name}' has no usable scale and zero point", hint="quantise the model again")
    state.imported &= tensor.dtype == "int8"
    state.entries[number] = state.tensor(index)
    return state.entries[number]


def _operators(state: Lowering) -> list[UnsupportedOpError]:
    """Lowers all operators; returns what cannot be."""
    known, found, foreign = by_kind(), [], set()
    for entry in state.tables.operators:
        operator = known.get(entry.kind)
        if not entry.outputs and not (operator and operator.silent):
            raise ModelError(f"{entry.kind} has {len(entry.inputs)} inputs and {len(entry.outputs)} outputs", hint="export the model again")
        if operator is None:
            if entry.kind not in foreign:
                found.append(_unknown(state.tables, entry))
            foreign.add(entry.kind)
        else:
            state.imported &= operator.imported
            try:
                site = Site(state, entry)
                if entry.omitted and not operator.omits:
                    raise site.refuse(f"it leaves out its input {entry.omitted[0]}", why="only a bias may be left out")
                operator.lower(site)
                continue
            except MissingError:
                pass
            except UnsupportedOpError as error:
                found.append(error)
        for index in entry.outputs:
            state.values[index] = Missing()
    return found


def _unknown(tables: ModelTables, operator: OperatorEntry) -> UnsupportedOpError:
    source = (
        f"{tables.tensors[operator.inputs[0]].dtype} tensor '{tables.tensors[operator.inputs[0]].name}'" if operator.inputs else "no tensor"
    )
    return UnsupportedOpError(
        f"operator {operator.kind} is not supported: {source} -> '{tables.tensors[operator.outputs[0]].name}'",
        why="the engine has no such operator",
        hint="docs/reference/operators.md lists what it has; use a model without others",
    )


def _entry(state: Lowering, number: int) -> Tensor:
    entry = state.entries.get(number)
    if entry is None:
        name = state.tables.tensors[state.tables.inputs[number]].name
        raise UnsupportedOpError(f"the model's float input '{name}' is never quantised", why="the image takes int8", hint=HINT_INT8)
    return entry


def _needed(layers: Sequence[Layer], results: Sequence[Tensor]) -> tuple[Layer, ...]:
    """Without layers that nothing reads."""
    wanted, kept = {tensor.key for tensor in results}, []
    for layer in reversed(layers):
        if layer.output.key in wanted:
            kept.append(layer)
            wanted.update(tensor.key for tensor in layer.inputs)
    return tuple(reversed(kept))


def _info(tensor: Tensor, shape: tuple[int, ...]) -> TensorInfo:
    return TensorInfo(shape, "int8", tensor.scale, tensor.zero_point, replace(tensor, shape=shape).size)


def _together(infos: Sequence[TensorInfo]) -> TensorInfo:
    if len(infos) == 1:
        return infos[0]
    size = sum(info.size for info in infos)
    return replace(infos[0], shape=(size,), size=size)
