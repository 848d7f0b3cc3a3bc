# SPDX-License-Identifier: Apache-2.0
"""RESIZE_BILINEAR, in integers as the reference does it for int8."""

from __future__ import annotations

import functools

from cm4tiny.firmware.graph import Portable
from cm4tiny.firmware.kernels.portable.bilinear import CYCLES_PER_VALUE, ONE, Axis, bilinear
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.weighted import check_image


def between(length: int, wanted: int, *, align_corners: bool, half_pixel_centers: bool) -> Axis:
    """``ComputeInterpolationValuesInteger`` for every output row or column; C divides towards zero."""
    if align_corners and wanted > 1:
        scale = (ONE * (length - 1) + (wanted - 1) // 2) // (wanted - 1)
    else:
        scale = (ONE * length + wanted // 2) // wanted
    places = [i * scale + (scale // 2 - ONE // 2 if half_pixel_centers else 0) for i in range(wanted)]
    lower = [max(int(place / ONE), 0) for place in places]
    upper = [min(int((place + ONE - 1) / ONE), length - 1) for place in places]
    return Axis(tuple(lower), tuple(upper), tuple(place - ONE * low for place, low in zip(places, lower, strict=True)))


def _lower(site: Site) -> None:
    check_image(site)
    options = site.options("ResizeBilinearOptions")
    height, width, channels = site.inputs[0].shape[1:]
    wanted = site.numbers(1)
    if len(wanted) != 2:
        raise site.damaged(f"has a size of {len(wanted)} numbers")
    site.check_shape((1, *wanted, channels))
    flags = {"align_corners": options.AlignCorners(), "half_pixel_centers": options.HalfPixelCenters()}
    if all(flags.values()):
        raise site.refuse("it aligns corners and takes half pixels", why="TFLite allows one of them")
    x = site.activation()
    site.same_scale()
    y = site.result()
    rows, columns = between(height, wanted[0], **flags), between(width, wanted[1], **flags)
    if max(*rows.lower, 0) >= height or max(*columns.lower, 0) >= width:
        raise site.refuse("it reads behind its input", why="the reference's integer scale rounds up so far")
    make = functools.partial(bilinear, x.size, rows, columns, width * channels, channels)
    site.add(
        Portable(inputs=(x,), output=y, operator="RESIZE_BILINEAR", facts=(rows, columns), make=make, cycles=CYCLES_PER_VALUE * y.size)
    )


OPERATOR = Operator(
    kinds=("RESIZE_BILINEAR",),
    forms="one image; constant size; one scale for input and output",
    kernels="int8 `bilinear`",
    references=("kernels/internal/reference/resize_bilinear.h:136 ResizeBilinearInteger",),
    lower=_lower,
)
