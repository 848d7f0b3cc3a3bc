# SPDX-License-Identifier: Apache-2.0
"""RESIZE_NEAREST_NEIGHBOR. Which row and column is nearest is float32 arithmetic, done by the compiler."""

from __future__ import annotations

import functools
import math

import numpy as np

from cm4tiny.firmware.graph import Portable
from cm4tiny.firmware.kernels.portable.move import gather
from cm4tiny.firmware.kernels.quant import round_half_away
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.moves import CYCLES_PER_VALUE
from cm4tiny.firmware.operators.weighted import check_image


def nearest(length: int, wanted: int, *, align_corners: bool, half_pixel_centers: bool) -> list[int]:
    """``GetNearestNeighbor`` for every output row or column."""
    f = np.float32
    scale = f(length - 1) / f(wanted - 1) if align_corners and wanted > 1 else f(length) / f(wanted)
    offset = f(0.5 if half_pixel_centers else 0.0)
    found = []
    for i in range(wanted):
        place = float((f(i) + offset) * scale)
        found.append(max(0, min(round_half_away(place) if align_corners else math.floor(place), length - 1)))
    return found


def _lower(site: Site) -> None:
    check_image(site)
    options = site.options("ResizeNearestNeighborOptions")
    height, width, channels = site.inputs[0].shape[1:]
    wanted = site.numbers(1)
    if len(wanted) != 2:
        raise site.damaged(f"has a size of {len(wanted)} numbers")
    site.check_shape((1, *wanted, channels))
    x = site.activation()
    site.same_scale()
    y = site.result()
    flags = {"align_corners": options.AlignCorners(), "half_pixel_centers": options.HalfPixelCenters()}
    rows = width * channels * np.array(nearest(height, wanted[0], **flags))
    columns = channels * np.array(nearest(width, wanted[1], **flags))
    make = functools.partial(gather, x.size, rows, columns, channels)
    site.add(Portable(inputs=(x,), output=y, operator="RESIZE_NEAREST_NEIGHBOR", facts=tuple(sorted(flags.items())), make=make,
                      cycles=CYCLES_PER_VALUE * y.size))  # fmt: skip


OPERATOR = Operator(
    kinds=("RESIZE_NEAREST_NEIGHBOR",),
    forms="one image; constant size; one scale for input and output",
    kernels="int8 `gather`",
    references=("kernels/internal/reference/resize_nearest_neighbor.h:50 ResizeNearestNeighbor",),
    lower=_lower,
)
