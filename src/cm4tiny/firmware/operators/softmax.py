# SPDX-License-Identifier: Apache-2.0
"""SOFTMAX over the last axis."""

from __future__ import annotations

from cm4tiny.firmware.graph import Softmax
from cm4tiny.firmware.kernels.quant import MAX_SOFTMAX_VALUES
from cm4tiny.firmware.operators.base import Operator, Site


def _lower(site: Site) -> None:
    if site.options("SoftmaxOptions").Beta() != 1.0:
        raise site.refuse("its beta is not 1", why="the table of exponentials is made for 1")
    x = site.activation()
    y = site.output
    y.require_activation("the output of SOFTMAX")
    if (y.scales[0], y.zero_points[0]) != (1.0 / 256.0, -128):
        raise site.refuse("its output scale is not 1/256 with zero point -128", why="TFLite's int8 softmax has no other")
    if not site.inputs[0].shape or x.shape[-1] > MAX_SOFTMAX_VALUES:
        raise site.refuse(f"it has more than {MAX_SOFTMAX_VALUES} values", why="TFLite's integer reciprocal overflows there")
    site.check_shape(x.shape)
    site.add(Softmax(inputs=(x,), output=site.result()))


OPERATOR = Operator(
    kinds=("SOFTMAX",),
    forms=f"last axis, up to {MAX_SOFTMAX_VALUES} values, beta 1",
    kernels="int8 `softmax`",
    references=("kernels/internal/reference/softmax.h:69 Softmax",),
    lower=_lower,
    imported=True,
)
