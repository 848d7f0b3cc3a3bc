# SPDX-License-Identifier: Apache-2.0
"""What the operators of two tensors share: operands that are activations or constants, and broadcasting."""

from __future__ import annotations

import functools

import numpy as np

from cm4tiny.firmware.graph import Portable, Tensor
from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.kernels.portable.binary import CYCLES_PER_VALUE, Function, Operand, binary, broadcast_shape
from cm4tiny.firmware.operators.base import Site


def two_operands(site: Site) -> tuple[Operand, Operand]:
    """The operands, checked; at least one is an activation."""
    site.need_inputs(2)
    operands = []
    for place, entry in enumerate(site.inputs[:2]):
        entry.require_activation(f"the input of {site.operator.kind}")
        operands.append(Operand(entry.shape or (1,), np.ascontiguousarray(site.array(place)) if site.known(place) else None))
    shape = broadcast_shape(operands[0].shape, operands[1].shape)
    if shape is None:
        raise site.damaged(f"combines the shapes {[list(entry.shape) for entry in site.inputs[:2]]}", why="they do not broadcast")
    if shape != (site.output.shape or (1,)):
        site.check_shape(shape)
    return operands[0], operands[1]


def activations(site: Site, operands: tuple[Operand, Operand]) -> tuple[Tensor, ...]:
    """The operands that are computed at run time, in order."""
    return tuple(site.activation(place) for place, operand in enumerate(operands) if operand.values is None)


def add_binary(site: Site, operands: tuple[Operand, Operand], function: Function, facts: tuple[object, ...]) -> None:
    """The layer of a function of both operands; two constants are computed by nobody and refused."""
    inputs = activations(site, operands)
    if not inputs:
        raise site.refuse("both its inputs are constants", hint="fold constants when the model is exported")
    y = site.result()
    kinds = tuple((operand.shape, operand.values is not None) for operand in operands)
    make = functools.partial(binary, site.operator.kind.lower(), operands, y.shape, function)
    site.add(Portable(inputs=inputs, output=y, operator=site.operator.kind, facts=(kinds, *facts), make=make,
                      cycles=CYCLES_PER_VALUE * y.size))  # fmt: skip


def scale_of(site: Site, place: int) -> tuple[float, int]:
    """Scale and zero point of an input."""
    entry = site.inputs[place]
    return entry.scales[0], entry.zero_points[0]


def whole(array: Array) -> Array:
    """Dense and flat."""
    return np.ascontiguousarray(array).reshape(-1)
