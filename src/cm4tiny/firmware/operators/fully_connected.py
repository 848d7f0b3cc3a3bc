# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED: any tensor as vectors of the weights' length."""

from __future__ import annotations

import numpy as np

from cm4tiny.errors import ModelError
from cm4tiny.firmware.graph import Dense
from cm4tiny.firmware.model_tables import HINT_FILE
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.weighted import activation_bounds, checked_weights


def _lower(site: Site) -> None:
    options = site.options("FullyConnectedOptions")
    site.need_inputs(1)
    source = site.inputs[0]
    if len(site.inputs) < 2 or len(site.inputs[1].shape) != 2:
        raise ModelError(f"FULLY_CONNECTED of '{site.output.name}' has no two-dimensional weights", hint=HINT_FILE)
    if options.WeightsFormat() != 0:
        raise site.refuse("its weights are shuffled", why="only the default format is implemented")
    outputs, inputs = site.inputs[1].shape
    if source.size % inputs:
        raise ModelError(
            f"FULLY_CONNECTED of '{site.output.name}' reads '{source.name}' of shape {list(source.shape)}",
            why=f"its {source.size} values are not whole vectors of the weights' {inputs}",
            hint=HINT_FILE,
        )
    low, high = activation_bounds(site, options)
    weights, bias, scales = checked_weights(site, outputs, 0)
    if site.output.size != source.size // inputs * outputs:
        raise ModelError(f"FULLY_CONNECTED of '{site.output.name}' has {site.output.size} outputs", why=f"its weights give {outputs} a row")
    x = site.activation()
    if x.shape[-1] != inputs:
        x = x.shaped((x.size // inputs, inputs))
    y = site.result().shaped((*x.shape[:-1], outputs))
    site.add(Dense(inputs=(x,), output=y, low=low, high=high, weights=np.ascontiguousarray(weights), bias=bias, weight_scales=scales))


OPERATOR = Operator(
    kinds=("FULLY_CONNECTED",),
    forms="any shape as vectors of the weights' length; per tensor or per channel; default weight format",
    kernels="int16 `dense`; int8 `dense`",
    references=(
        "kernels/internal/reference/integer_ops/fully_connected.h:136 FullyConnected",
        "kernels/internal/reference/integer_ops/fully_connected.h:35 FullyConnectedPerChannel",
    ),
    lower=_lower,
    imported=True,
)
