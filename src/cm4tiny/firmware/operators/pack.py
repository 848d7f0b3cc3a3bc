# SPDX-License-Identifier: Apache-2.0
"""PACK: tensors of one shape along a new axis."""

from __future__ import annotations

import numpy as np

from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.moves import along, one_axis, put


def _lower(site: Site) -> None:
    site.need_inputs(1)
    axis = one_axis(site, site.options("PackOptions").Axis(), len(site.output.shape))
    places = range(len(site.inputs))
    shape = site.inputs[0].shape
    if any(entry.shape != shape for entry in site.inputs):
        raise site.damaged(f"joins the shapes {[list(entry.shape) for entry in site.inputs]}")
    site.check_shape((*shape[:axis], len(site.inputs), *shape[axis:]))
    if all(site.known(place) for place in places):
        site.define(np.stack([site.array(place) for place in places], axis))
        return
    put(site, places, [along(axis, place) for place in places])


OPERATOR = Operator(
    kinds=("PACK",),
    forms="any axis; one scale for all",
    kernels="int8 `move`; none for a shape, which the compiler computes",
    references=("micro/kernels/pack.cc:29 PackImpl",),
    lower=_lower,
)
