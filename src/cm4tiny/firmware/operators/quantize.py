# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE and DEQUANTIZE: another scale, or the edge of the model.

At its edges a model may take and return float32 or uint8. The image always takes and returns int8: a QUANTIZE of a float input and a
DEQUANTIZE before a float output are left out, and a uint8 value is the int8 value less 128, with a zero point less 128.
"""

from __future__ import annotations

from cm4tiny.firmware.graph import Tensor
from cm4tiny.firmware.kernels.quant import quantize_multiplier, requantize
from cm4tiny.firmware.operators.base import Operator, Real, Site
from cm4tiny.firmware.operators.tables import add_table

_FLOAT = "float arithmetic inside the model is not implemented"


def _lower(site: Site) -> None:
    site.need_inputs(1)
    if site.operator.kind == "DEQUANTIZE":
        _dequantize(site)
        return
    source = site.state.values.get(site.operator.inputs[0])
    if isinstance(source, Real):
        _enter(site, source)
        return
    if site.inputs[0].dtype == "float32":
        raise site.refuse(f"it quantises '{site.inputs[0].name}', which is not the model's input", why=_FLOAT)
    x = site.activation(uint8=True)
    site.check_shape(site.inputs[0].shape)
    y = site.result(uint8=True)
    if (x.scale, x.zero_point) == (y.scale, y.zero_point):
        site.alias(x)
        return
    multiplier = quantize_multiplier(x.scale / y.scale)
    add_table(site, x, y, lambda value: y.zero_point + requantize(value - x.zero_point, multiplier))


def _enter(site: Site, source: Real) -> None:
    entries = site.state.entries
    y = site.result(uint8=True)
    there = entries.get(source.index)
    if there is None:
        entries[source.index] = y
    elif (there.scale, there.zero_point) != (y.scale, y.zero_point):
        raise site.refuse("it quantises the model's input by a second scale", why="the image takes one int8 input")
    else:
        site.alias(there)


def _dequantize(site: Site) -> None:
    if site.output.dtype != "float32" or site.operator.outputs[0] not in site.state.tables.outputs:
        raise site.refuse("it is not the model's output", why=_FLOAT, hint="quantise the whole model to int8")
    value = site.activation(uint8=True)
    assert isinstance(value, Tensor)
    site.alias(value)


OPERATOR = Operator(
    kinds=("QUANTIZE", "DEQUANTIZE"),
    forms="int8 and uint8; float32 at the edges of the model",
    kernels="int8 `table`; no code at the edges",
    references=("kernels/internal/reference/requantize.h:28 Requantize",),
    lower=_lower,
)
