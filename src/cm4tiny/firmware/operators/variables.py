# SPDX-License-Identifier: Apache-2.0
"""Variables: memory that a model keeps from inference to inference, e.g. the past of a stream.

A subgraph that CALL_ONCE names gives their first values, which become data of the image. What an inference writes is copied after all other
layers, so that everything that reads a variable before it is assigned sees what the inference before left.
"""

from __future__ import annotations

import numpy as np

from cm4tiny.firmware.graph import Tensor
from cm4tiny.firmware.model_tables import ModelTables, OperatorEntry
from cm4tiny.firmware.operators.base import Handle, MissingError, Operator, Site, Variable


def _lower(site: Site) -> None:
    {"CALL_ONCE": _call_once, "VAR_HANDLE": _handle, "READ_VARIABLE": _read, "ASSIGN_VARIABLE": _assign}[site.operator.kind](site)


def _call_once(site: Site) -> None:
    number, further = int(site.options("CallOnceOptions").InitSubgraphIndex()), site.state.tables.further
    if not 1 <= number <= len(further):
        raise site.damaged(f"calls subgraph {number} of {len(further) + 1}")
    _initialise(site, further[number - 1])


def _initialise(site: Site, tables: ModelTables) -> None:
    names: dict[int, str] = {}
    for operator in tables.operators:
        if operator.kind == "VAR_HANDLE" and operator.outputs:
            names[operator.outputs[0]] = _name(operator)
            continue
        values = tables.tensors[operator.inputs[1]].values if len(operator.inputs) == 2 else None
        if operator.kind != "ASSIGN_VARIABLE" or operator.inputs[0] not in names or values is None:
            raise site.refuse(f"its subgraph has a {operator.kind}", why="it may assign constants to variables, and nothing else")
        if values.dtype != np.int8:
            raise site.refuse(f"a variable is {values.dtype}", why="the engine keeps int8", hint="quantise the variables to int8")
        site.state.variables[names[operator.inputs[0]]] = Variable(values.reshape(-1))


def _name(operator: OperatorEntry) -> str:
    import tflite

    options = tflite.VarHandleOptions()
    if operator.options is None or operator.options_type != tflite.BuiltinOptions.VarHandleOptions:
        return ""
    options.Init(operator.options.Bytes, operator.options.Pos)
    return "/".join((text or b"").decode("utf-8", "replace") for text in (options.Container(), options.SharedName()))


def _handle(site: Site) -> None:
    site.define(Handle(_name(site.operator)))


def _variable(site: Site) -> Variable:
    site.need_inputs(1)
    handle = site.state.values.get(site.operator.inputs[0])
    if not isinstance(handle, Handle):
        raise MissingError("")
    if handle.name not in site.state.variables:
        raise site.refuse("its variable has no first values", why="no CALL_ONCE assigns it", hint="export the model with its initialiser")
    return site.state.variables[handle.name]


def _read(site: Site) -> None:
    variable = _variable(site)
    if site.output.size != variable.initial.size:
        raise site.damaged(f"reads {site.output.size} values of a variable of {variable.initial.size}")
    there = variable.written or variable.read
    if there is None:
        variable.read = site.result()
        return
    entry = site.output
    entry.require_activation("the output of READ_VARIABLE")
    _check_scale(site, there, (entry.scales[0], entry.zero_points[0]))
    site.alias(there)


def _assign(site: Site) -> None:
    variable = _variable(site)
    value = site.activation(1)
    if value.size != variable.initial.size:
        raise site.damaged(f"writes {value.size} values to a variable of {variable.initial.size}")
    if variable.read is not None:
        _check_scale(site, variable.read, (value.scale, value.zero_point))
    variable.written = value


def _check_scale(site: Site, there: Tensor, scale: tuple[float, int]) -> None:
    if (there.scale, there.zero_point) != scale:
        raise site.refuse("its variable has another scale elsewhere", why="values that are kept keep their scale")


OPERATOR = Operator(
    kinds=("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"),
    forms="int8 variables with constant first values",
    kernels="int8 `copy`, after all other layers",
    references=("micro/kernels/assign_variable.cc:103 Eval", "micro/kernels/read_variable.cc:56 Eval"),
    lower=_lower,
    silent=True,
)
