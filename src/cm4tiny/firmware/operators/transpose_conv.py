# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE_CONV as a convolution: the image is drawn apart by the stride, with the real number zero in between, and filters are turned.

Both forms add the same products of integers; what is zero adds nothing. So the fast kernels do it, with as many more products as values
were put in.
"""

from __future__ import annotations

import numpy as np

from cm4tiny.firmware.graph import Conv, Tensor
from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.portable.loops import row_major
from cm4tiny.firmware.kernels.portable.move import Piece
from cm4tiny.firmware.operators.base import Operator, Site
from cm4tiny.firmware.operators.moves import add_move, box
from cm4tiny.firmware.operators.weighted import activation_bounds, checked_bias, checked_scales, four_dimensional_weights, strides_of


def _lower(site: Site) -> None:
    site.need_inputs(3)
    options = site.options("TransposeConvOptions")
    outputs, ky, kx, depth = four_dimensional_weights(site)
    source = site.inputs[2]
    if len(source.shape) != 4 or source.shape[3] != depth or source.shape[0] != 1:
        raise site.refuse(f"its input has the shape {list(source.shape)}", why=f"it takes one image of {depth} channels")
    wanted = site.numbers(0)
    if len(wanted) != 4 or wanted[0] != 1 or wanted[3] != outputs:
        raise site.damaged(f"has the output shape {list(wanted)}", why=f"it makes one image of {outputs} channels")
    site.check_shape(wanted)
    strides = strides_of(site, options, (ky, kx))
    low, high = activation_bounds(site, options) if hasattr(options, "FusedActivationFunction") else (-128, 127)
    scales = checked_scales(site, outputs, 0)
    weights, bias = site.array(1), checked_bias(site, 3, outputs)
    x = site.activation(2)
    window, apart = _window(site, options, x, (ky, kx), strides, (wanted[1], wanted[2]))
    image = x if strides == (1, 1) else _drawn_apart(site, x, apart, strides)
    turned: Array = np.ascontiguousarray(weights[:, ::-1, ::-1])
    site.add(
        Conv(inputs=(image,), output=site.result(), low=low, high=high, window=window, weights=turned, bias=bias, weight_scales=scales)
    )


def _window(
    site: Site, options: object, x: Tensor, kernel: tuple[int, int], strides: tuple[int, int], wanted: tuple[int, int]
) -> tuple[Window, tuple[int, int]]:
    """The window over the image that was drawn apart, and the size of that image."""
    import tflite

    same = options.Padding() == tflite.Padding.SAME  # type: ignore[attr-defined]
    before, after, apart = [], [], []
    for i in range(2):
        length = (x.shape[1 + i] - 1) * strides[i] + 1
        total = max(0, (-(-wanted[i] // strides[i]) - 1) * strides[i] + kernel[i] - wanted[i]) if same else 0
        first = kernel[i] - 1 - total // 2
        last = wanted[i] + kernel[i] - 1 - first - length
        if first < 0 or last < 0:
            raise site.refuse(f"its output has the size {list(wanted)}", why="a part of its input would not be used")
        before.append(first)
        after.append(last)
        apart.append(length)
    window = Window(apart[0], apart[1], x.shape[3], kernel, (1, 1), (before[0], before[1], after[0], after[1]))
    return window, (apart[0], apart[1])


def _drawn_apart(site: Site, x: Tensor, size: tuple[int, int], strides: tuple[int, int]) -> Tensor:
    shape = (1, *size, x.shape[3])
    image = site.state.new(shape, x.scale, x.zero_point)
    start, steps, _ = box(shape, lambda array: array[:, :: strides[0], :: strides[1]])
    add_move(site, (x,), (Piece(0, x.shape, 0, row_major(x.shape), start, steps),), image, x.zero_point)
    return image


OPERATOR = Operator(
    kinds=("TRANSPOSE_CONV",),
    forms="one image; per tensor or per channel; SAME, VALID; any stride",
    kernels="int8 `move`, then as CONV_2D",
    references=("kernels/internal/reference/integer_ops/transpose_conv.h:26 TransposeConv",),
    lower=_lower,
)
