# SPDX-License-Identifier: Apache-2.0
"""GATHER with constant indices."""

from __future__ import annotations

import functools

import numpy as np

from cm4tiny.firmware.graph import Portable
from cm4tiny.firmware.kernels.portable.move import gather
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.moves import CYCLES_PER_VALUE, one_axis


def _lower(site: Site) -> None:
    site.need_inputs(2)
    options = site.options("GatherOptions")
    shape, places = site.inputs[0].shape, site.inputs[1].shape
    axis = one_axis(site, options.Axis(), len(shape))
    if options.BatchDims() != 0:
        raise site.refuse(f"it has {options.BatchDims()} batch dimensions", why="one set of indices is implemented")
    indices = np.array(site.numbers(1), np.int64)
    if indices.size and not 0 <= indices.min() <= indices.max() < shape[axis]:
        raise site.damaged(f"takes elements up to {indices.max()} of {shape[axis]}")
    site.check_shape((*shape[:axis], *places, *shape[axis + 1 :]))
    if site.known(0):
        site.define(np.take(site.array(0), indices.reshape(places), axis))
        return
    x = site.activation()
    site.same_scale()
    y = site.result()
    run = int(np.prod(shape[axis + 1 :], dtype=np.int64))
    rows = np.arange(int(np.prod(shape[:axis], dtype=np.int64))) * shape[axis] * run
    make = functools.partial(gather, x.size, rows, indices * run, run)
    facts = (shape, axis, tuple(indices.tolist()))
    site.add(Portable(inputs=(x,), output=y, operator="GATHER", facts=facts, make=make, cycles=CYCLES_PER_VALUE * y.size))


OPERATOR = Operator(
    kinds=("GATHER",),
    forms="constant indices; any axis; one scale for input and output",
    kernels="int8 `gather`",
    references=("micro/kernels/gather.cc:32 Gather",),
    lower=_lower,
)
