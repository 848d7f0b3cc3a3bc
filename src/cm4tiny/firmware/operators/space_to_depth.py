# SPDX-License-Identifier: Apache-2.0
"""SPACE_TO_DEPTH and DEPTH_TO_SPACE."""

from __future__ import annotations

from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.moves import take


def _lower(site: Site) -> None:
    site.need_inputs(1)
    apart = site.operator.kind == "DEPTH_TO_SPACE"
    block = int(site.options("DepthToSpaceOptions" if apart else "SpaceToDepthOptions").BlockSize())
    shape = site.inputs[0].shape
    if len(shape) != 4 or block < 1:
        raise site.damaged(f"has the block size {block} and an input of the shape {list(shape)}")
    n, height, width, channels = shape
    if (channels % block**2) if apart else (height % block or width % block):
        raise site.damaged(f"has the block size {block}, which does not divide the shape {list(shape)}")
    if apart:
        site.check_shape((n, height * block, width * block, channels // block**2))
        take(site, lambda array: array.reshape(n, height, width, block, block, -1).transpose(0, 1, 3, 2, 4, 5))
        return
    site.check_shape((n, height // block, width // block, channels * block**2))

    def together(array: Array) -> Array:
        return array.reshape(n, height // block, block, width // block, block, channels).transpose(0, 1, 3, 2, 4, 5)

    take(site, together)


OPERATOR = Operator(
    kinds=("SPACE_TO_DEPTH", "DEPTH_TO_SPACE"),
    forms="any block size",
    kernels="int8 `move`",
    references=(
        "kernels/internal/reference/space_to_depth.h:26 SpaceToDepth",
        "kernels/internal/reference/depth_to_space.h:24 DepthToSpace",
    ),
    lower=_lower,
)
