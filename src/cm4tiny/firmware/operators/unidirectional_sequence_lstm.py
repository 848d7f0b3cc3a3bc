# SPDX-License-Identifier: Apache-2.0
"""UNIDIRECTIONAL_SEQUENCE_LSTM without peepholes, projection and layer normalisation, as TensorFlow Lite for Microcontrollers has it."""

from __future__ import annotations

import functools
import math

import numpy as np

from cm4tiny.firmware.graph import Portable
from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.kernels.portable.lstm import CYCLES_PER_PRODUCT, GATES, Lstm, lstm
from cm4tiny.firmware.kernels.quant import dense_multiplier, quantize_multiplier
from cm4tiny.firmware.model_tables import TensorEntry
from cm4tiny.firmware.operators.base import Operator, Site

_INPUTS, _WEIGHTS, _RECURRENT, _BIAS, _HIDDEN, _CELL = 24, 1, 5, 12, 18, 19  # places of the operator's inputs
_LEFT_OUT = (9, 10, 11, 16, 17, 20, 21, 22, 23)
_GATE_SCALE, _FUNCTION_SCALE = 2.0**-12, 2.0**-15


def _entry(site: Site, slot: int) -> TensorEntry:
    """The tensor in a place that counts those that are left out."""
    index = site.operator.slots[slot]
    if index < 0:
        raise site.refuse(f"its input {slot} is left out", why="TensorFlow Lite for Microcontrollers requires it")
    return site.state.tables.tensors[index]


def _array(site: Site, slot: int, dtype: str, shape: tuple[int, ...]) -> Array:
    entry = _entry(site, slot)
    if entry.dtype != dtype or entry.shape != shape or entry.values is None or any(entry.zero_points):
        raise site.refuse(
            f"'{entry.name}' is {entry.dtype} of shape {list(entry.shape)}", why=f"{dtype} constants of {list(shape)} are needed"
        )
    return entry.values


def _one_scale(site: Site, entry: TensorEntry) -> float:
    if len(entry.scales) != 1:
        raise site.refuse(f"'{entry.name}' has {len(entry.scales)} scales", why="one is needed")
    return entry.scales[0]


def _lower(site: Site) -> None:
    import tflite

    slots = site.operator.slots
    if len(slots) != _INPUTS or any(slots[i] >= 0 for i in _LEFT_OUT):
        raise site.refuse(f"it has {sum(i >= 0 for i in slots)} inputs in {len(slots)} places",
                          why="peepholes, projection, layer normalisation and other forms are not implemented")  # fmt: skip
    options = site.options("UnidirectionalSequenceLSTMOptions")
    if options.FusedActivationFunction() != tflite.ActivationFunctionType.TANH:
        raise site.refuse("its activation is not TANH", why="the reference has no other for cells")
    source, hidden, cell = _entry(site, 0), _entry(site, _HIDDEN), _entry(site, _CELL)
    batches = (source.shape[1] if options.TimeMajor() else source.shape[0]) if len(source.shape) == 3 else 0
    if batches != 1:
        raise site.refuse(f"its input has the shape {list(source.shape)}", why="one sequence is implemented")
    steps, inputs, units = source.size // source.shape[2], source.shape[2], hidden.size
    site.check_shape((*source.shape[:2], units))
    if hidden.dtype != "int8" or cell.dtype != "int16" or cell.size != units:
        raise site.refuse(f"its cells are {cell.dtype}", why="int8 hidden values and int16 cells are implemented")
    x, y = site.activation(), site.result()
    if len(hidden.scales) != 1 or len(hidden.zero_points) != 1 or (hidden.scales[0], hidden.zero_points[0]) != (y.scale, y.zero_point):
        raise site.refuse("its hidden values have another scale than its output", why="they are the same values")
    layer = _layer(site, (steps, inputs, units), options.CellClip())
    facts = (layer.weights.shape, layer.steps, layer.clip > 0)
    make, cycles = functools.partial(lstm, layer), CYCLES_PER_PRODUCT * layer.products + 200 * steps * units
    site.add(Portable(inputs=(x,), output=y, operator=site.operator.kind, facts=facts, make=make, cycles=cycles, products=layer.products))


def _layer(site: Site, sizes: tuple[int, int, int], clip: float) -> Lstm:
    steps, inputs, units = sizes
    weights = [_array(site, _WEIGHTS + gate, "int8", (units, inputs)) for gate in range(GATES)]
    recurrent = [_array(site, _RECURRENT + gate, "int8", (units, units)) for gate in range(GATES)]
    bias = [_array(site, _BIAS + gate, "int32", (units,)) for gate in range(GATES)]
    source, hidden = _entry(site, 0), _entry(site, _HIDDEN)
    cell = _one_scale(site, _entry(site, _CELL))
    power = round(math.log2(cell))
    if 2.0**power != cell:
        raise site.refuse(f"its cells have the scale {cell}", why="the reference takes powers of two")
    left = 15 + power - 3
    return Lstm(
        weights=np.stack(weights),
        recurrent=np.stack(recurrent),
        bias=np.stack(bias),
        steps=steps,
        factors=tuple(
            (
                dense_multiplier(source.scales[0], _one_scale(site, _entry(site, _WEIGHTS + gate)), _GATE_SCALE),
                dense_multiplier(hidden.scales[0], _one_scale(site, _entry(site, _RECURRENT + gate)), _GATE_SCALE),
            )
            for gate in range(GATES)
        ),
        forget=quantize_multiplier(_FUNCTION_SCALE * cell / cell),
        enter=quantize_multiplier(_FUNCTION_SCALE * _FUNCTION_SCALE / cell),
        leave=quantize_multiplier(_FUNCTION_SCALE * _FUNCTION_SCALE / hidden.scales[0]),
        tanh=(3 << left, 0) if left >= 0 else (3, -left),
        clip=int(min(max(clip / cell, -32768.0), 32767.0)) if clip > 0 else 0,
        zero_points=(source.zero_points[0], hidden.zero_points[0]),
        tanh_gate=True,
    )


OPERATOR = Operator(
    kinds=("UNIDIRECTIONAL_SEQUENCE_LSTM",),
    forms="one sequence; int8 with int16 cells; without peepholes, projection and layer normalisation",
    kernels="int8 `lstm`",
    references=("micro/kernels/lstm_eval.h:394 LstmStep",),
    lower=_lower,
    omits=True,
)
