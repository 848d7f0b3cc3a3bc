# SPDX-License-Identifier: Apache-2.0
"""RESHAPE: the tensor keeps its memory."""

from __future__ import annotations

import numpy as np

from cm4tiny.errors import ModelError
from cm4tiny.firmware.model_tables import HINT_FILE
from cm4tiny.firmware.operators.base import Operator, Real, Site


def keep_memory(site: Site) -> None:
    """The output is the input in the shape that the file gives it."""
    site.need_inputs(1)
    if site.output.size != site.inputs[0].size:
        raise ModelError(
            f"{site.operator.kind} of '{site.output.name}' turns {site.inputs[0].size} values into {site.output.size}", hint=HINT_FILE
        )
    value = site.state.values.get(site.operator.inputs[0])
    if site.known(0):
        site.own_form()
        site.define(np.ascontiguousarray(site.array(0)).reshape(site.output.shape))
        return
    if isinstance(value, Real):
        site.define(value)
        return
    x = site.activation(uint8=True)
    if site.output.dtype != "uint8" or site.inputs[0].dtype != "uint8":
        site.output.require_activation(f"the output of {site.operator.kind}")
    site.same_scale()
    site.alias(x)


def _lower(site: Site) -> None:
    if len(site.inputs) > 1 and not site.known(1):
        site.array(1)  # refuses; a shape that is computed from shapes is known
    keep_memory(site)


OPERATOR = Operator(
    kinds=("RESHAPE",),
    forms="any",
    kernels="no code: the tensor keeps its memory",
    references=("micro/kernels/reshape.cc:32 EvalReshapeReference",),
    lower=_lower,
    imported=True,
)
