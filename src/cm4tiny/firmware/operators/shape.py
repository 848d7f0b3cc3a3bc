# SPDX-License-Identifier: Apache-2.0
"""SHAPE: known when the model is compiled, and all that is computed from it."""

from __future__ import annotations

import numpy as np

from cm4tiny.firmware.operators.base import Operator, Site


def _lower(site: Site) -> None:
    site.need_inputs(1)
    shape = np.array(site.inputs[0].shape, np.int32)
    site.check_shape(shape.shape)
    site.define(shape)


OPERATOR = Operator(
    kinds=("SHAPE",),
    forms="any",
    kernels="no code: the compiler computes it",
    references=("micro/kernels/shape.cc:45 ShapeEval",),
    lower=_lower,
)
