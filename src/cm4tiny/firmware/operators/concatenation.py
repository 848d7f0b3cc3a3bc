# SPDX-License-Identifier: Apache-2.0
"""CONCATENATION."""

from __future__ import annotations

import numpy as np

from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.moves import View, along, one_axis, put


def _lower(site: Site) -> None:
    import tflite

    site.need_inputs(1)
    options = site.options("ConcatenationOptions")
    axis = one_axis(site, options.Axis(), len(site.output.shape))
    if options.FusedActivationFunction() != tflite.ActivationFunctionType.NONE:
        raise site.refuse("it has an activation", why="TFLite has none there")
    views: list[View] = []
    start = 0
    for entry in site.inputs:
        if len(entry.shape) != len(site.output.shape):
            raise site.damaged(f"joins the shapes {[list(entry.shape) for entry in site.inputs]}")
        views.append(along(axis, slice(start, start + entry.shape[axis])))
        start += entry.shape[axis]
    whole = list(site.inputs[0].shape)
    whole[axis] = start
    site.check_shape(tuple(whole))
    places = range(len(site.inputs))
    if all(site.known(place) for place in places):
        site.define(np.concatenate([site.array(place) for place in places], axis))
        return
    put(site, places, views)


OPERATOR = Operator(
    kinds=("CONCATENATION",),
    forms="any axis; one scale for all, as TFLite requires it of int8",
    kernels="int8 `move`",
    references=("kernels/internal/reference/concatenation.h:31 Concatenation",),
    lower=_lower,
)
