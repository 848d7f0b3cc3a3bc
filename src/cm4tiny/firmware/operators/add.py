# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB."""

from __future__ import annotations

from typing import Any

from cm4tiny.firmware.graph import Add
from cm4tiny.firmware.kernels.add import plan_add
from cm4tiny.firmware.kernels.portable.binary import weighted_sum
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.elementwise import activations, add_binary, scale_of, two_operands
from cm4tiny.firmware.operators.weighted import activation_bounds


def _lower(site: Site) -> None:
    options: Any = site.options("AddOptions" if site.operator.kind == "ADD" else "SubOptions")
    low, high = activation_bounds(site, options)
    operands = two_operands(site)
    a, b = scale_of(site, 0), scale_of(site, 1)
    site.output.require_activation(f"the output of {site.operator.kind}")
    if 2.0 * max(a[0], b[0]) >= (1 << 20) * site.output.scales[0]:
        raise site.refuse("its output scale is far below its inputs'", why="the factor to the output must be below 1")
    plain = site.inputs[0].shape == site.inputs[1].shape and not any(operand.values is not None for operand in operands)
    if site.operator.kind == "ADD" and plain:
        inputs = activations(site, operands)
        site.add(Add(inputs=inputs, output=site.result(), low=low, high=high))
        return
    site.own_form()
    plan = plan_add(a, b, (site.output.scales[0], site.output.zero_points[0]), low=low, high=high)
    add_binary(site, operands, weighted_sum(plan, subtract=site.operator.kind == "SUB"), (plan,))


OPERATOR = Operator(
    kinds=("ADD", "SUB"),
    forms="any shapes that broadcast; one operand may be a constant",
    kernels="ADD of equal shapes: int16 `add`, int8 `add`; else int8 `binary`",
    references=("kernels/internal/reference/integer_ops/add.h:135 Add", "micro/kernels/sub.cc:103 EvalSubQuantized"),
    lower=_lower,
    imported=True,
)
