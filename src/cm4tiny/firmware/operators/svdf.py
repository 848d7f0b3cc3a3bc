# SPDX-License-Identifier: Apache-2.0
"""SVDF, which keeps its past in a memory of its own."""

from __future__ import annotations

import functools

import numpy as np

from cm4tiny.firmware.graph import Portable
from cm4tiny.firmware.kernels.portable.svdf import CYCLES_PER_PRODUCT, Svdf, svdf
from cm4tiny.firmware.kernels.quant import quantize_multiplier
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.weighted import checked_bias


def _lower(site: Site) -> None:
    import tflite

    site.need_inputs(5)
    source, features, times, _, memory = site.inputs[:5]
    options = site.options("SVDFOptions")
    rank = int(options.Rank())
    if len(features.shape) != 2 or len(times.shape) != 2 or rank < 1 or features.shape[0] % rank:
        raise site.damaged(f"has weights of the shapes {list(features.shape)} and {list(times.shape)} and the rank {rank}")
    filters, inputs = features.shape
    if source.size != inputs or times.shape[0] != filters or memory.size != times.size or site.output.size != filters // rank:
        raise site.refuse(f"it reads {source.size} values with weights for {inputs}", why="one input vector is implemented")
    if options.FusedActivationFunction() not in (tflite.ActivationFunctionType.NONE, tflite.ActivationFunctionType.RELU):
        raise site.refuse("its activation is not implemented", why="the reference has RELU, by its scale, or none")
    if features.dtype != "int8" or times.dtype not in ("int8", "int16") or memory.dtype != times.dtype or any(features.zero_points):
        raise site.refuse(f"its weights are {features.dtype} and {times.dtype}", why="int8, and int8 or int16 over time, are implemented")
    if any(len(entry.scales) != 1 for entry in (features, times, memory)):
        raise site.damaged("has weights or a memory without one scale")
    x, y = site.activation(), site.result()
    f, g, t, m, o = (np.float32(v) for v in (x.scale, features.scales[0], times.scales[0], memory.scales[0], y.scale))
    layer = Svdf(
        features=np.ascontiguousarray(site.array(1)),
        times=np.ascontiguousarray(site.array(2)).astype(times.dtype),
        bias=checked_bias(site, 3, filters // rank),
        first=quantize_multiplier(float(f * g / m)),
        second=quantize_multiplier(float(m * t / o)),
        zero_points=(x.zero_point, (memory.zero_points or (0,))[0], y.zero_point),
    )
    cycles, make = CYCLES_PER_PRODUCT * layer.products, functools.partial(svdf, layer)
    facts = (features.shape, times.shape, times.dtype, rank)
    site.add(Portable(inputs=(x,), output=y, operator="SVDF", facts=facts, make=make, cycles=cycles, products=layer.products))


OPERATOR = Operator(
    kinds=("SVDF",),
    forms="one input vector; int8, over time int8 or int16; the memory begins with zeros",
    kernels="int8 `svdf`",
    references=("micro/kernels/svdf_common.cc:52 EvalIntegerSvdfReference",),
    lower=_lower,
)
