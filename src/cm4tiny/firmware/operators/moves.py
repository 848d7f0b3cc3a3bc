# SPDX-License-Identifier: Apache-2.0
"""What the operators share that only move values: where a box of values lies, and the layer that copies boxes.

A box is found by letting numpy do the operator on an array without values: the address and the strides of the view that comes out say where
the values are. The same function works on the arrays that are known when a model is compiled, e.g. on shapes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from cm4tiny.firmware.graph import Portable, Tensor
from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.kernels.portable.loops import row_major
from cm4tiny.firmware.kernels.portable.move import Piece, move
from cm4tiny.firmware.operators.base import Site

CYCLES_PER_VALUE = 4
"""Of short runs; long ones take less than one."""

View = Callable[[Array], Array]
"""A function of numpy that gives a view of its argument: a slice, a transposition."""


def box(shape: Sequence[int], view: View) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Start, strides (in elements) and shape of a view of a dense array."""
    base = np.empty(tuple(shape), np.int8)
    found = view(base)
    start = found.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return start, tuple(found.strides), tuple(found.shape)


def take(site: Site, view: View, place: int = 0, result: int = 0) -> None:
    """An output that is a view of an input."""
    site.need_inputs(place + 1)
    if site.known(place):
        site.define(np.ascontiguousarray(view(site.array(place))).reshape(site.outputs[result].shape), result)
        return
    x = site.activation(place, uint8=True)
    start, strides, shape = box(site.inputs[place].shape, view)
    if _size(shape) != site.outputs[result].size:
        site.check_shape(shape, result)
    _same_scale(site, place, result)
    y = site.result(result, uint8=True)
    add_move(site, (x,), (Piece(0, shape, start, strides, 0, row_major(shape)),), y)


def put(site: Site, places: Sequence[int], views: Sequence[View], *, fill: int | None = None) -> None:
    """An output that is made of whole inputs; ``views`` give the part of the output that each becomes."""
    for place in places:
        _same_scale(site, place, 0)
    inputs = [site.activation(place, uint8=True) for place in places]
    y = site.result(uint8=True)
    pieces = []
    for number, (place, view) in enumerate(zip(places, views, strict=True)):
        start, strides, shape = box(site.output.shape, view)
        size = site.inputs[place].size
        if _size(shape) != size:
            raise site.damaged(f"has no room for the {size} values of '{site.inputs[place].name}'")
        pieces.append(Piece(number, shape, 0, row_major(shape), start, strides))
    add_move(site, tuple(inputs), tuple(pieces), y, fill)


def add_move(site: Site, inputs: tuple[Tensor, ...], pieces: tuple[Piece, ...], y: Tensor, fill: int | None = None) -> None:
    make = functools.partial(move, tuple(x.size for x in inputs), pieces, y.size, fill)
    site.add(
        Portable(inputs=inputs, output=y, operator=site.operator.kind, facts=(pieces, fill), make=make, cycles=CYCLES_PER_VALUE * y.size)
    )


def _same_scale(site: Site, place: int, result: int) -> None:
    x, y = site.inputs[place], site.outputs[result]
    if (x.scales, x.zero_points) != (y.scales, y.zero_points):
        raise site.refuse(f"'{x.name}' and '{y.name}' have different scales", why="values that are moved keep their scale")


def _size(shape: Sequence[int]) -> int:
    total = 1
    for n in shape:
        total *= n
    return total


def along(axis: int, part: slice | int) -> View:
    """The view that takes a part of one axis."""
    return lambda array: array[(slice(None),) * axis + (part,)]


def one_axis(site: Site, axis: int, rank: int) -> int:
    """An axis as a number from 0."""
    if not -rank <= axis < rank:
        raise site.damaged(f"works along axis {axis} of {rank}")
    return axis % rank
