# SPDX-License-Identifier: Apache-2.0
"""What every family of int16 kernels requires of the tensors it reads and writes, in one home.

A tensor keeps its memory when it is reshaped, so its memory may hold an image of another shape than the layer sees. A kernel whose loops
are derived from the window alone would then read the right number of values in the wrong order: no fault, no message, wrong answers. So no
family compares shapes or borders on its own; each calls the functions below before anything else.
"""

from __future__ import annotations

from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.storage import Storage


def require_window(window: Window, source: Storage, target: Storage, outputs: int) -> None:
    """A sliding window: input, output and border are those that the window describes.

    Args:
        outputs: channels that the layer computes.

    Raises:
        KernelLimitError: one is not.
    """
    if source.image != (window.height, window.width, window.channels):
        raise KernelLimitError("its input has another shape than the window says")
    require_output(window, target, outputs)
    require_border(window, source)


def require_output(window: Window, target: Storage, outputs: int) -> None:
    """The output is the one that the window describes; all that is left to say where the input is packed.

    Raises:
        KernelLimitError: it is not.
    """
    if target.image != (*window.output, outputs):
        raise KernelLimitError("its output has another shape than the window says")


def require_border(window: Window, source: Storage) -> None:
    """The border around the input is as wide as the padding, and as what the last window reads."""
    wanted = list(window.padding)
    for axis, size in enumerate((window.height, window.width)):
        reach = (window.output[axis] - 1) * window.strides[axis] + (window.kernel[axis] - 1) * window.dilation[axis] + 1
        wanted[axis + 2] = max(wanted[axis + 2], reach - window.padding[axis] - size)
    if any(have < want for have, want in zip(source.border, wanted, strict=True)):
        raise KernelLimitError(f"its input has a border of {source.border}, but the window reads {tuple(wanted)}")


def require_same_image(target: Storage, *sources: Storage) -> None:
    """An elementwise layer: all tensors are images of one shape.

    Raises:
        KernelLimitError: they are not.
    """
    if any(source.image != target.image for source in sources):
        raise KernelLimitError("its tensors have different shapes")


def require_vectors(rows: int, inputs: int, outputs: int, source: Storage, target: Storage) -> None:
    """A matrix product: the input is ``rows`` vectors of ``inputs`` values, the output as many of ``outputs``. One vector may be any image
    that has no gaps.

    Raises:
        KernelLimitError: they are not.
    """
    if rows > 1:
        if (source.height * source.width, source.channels) != (rows, inputs):
            raise KernelLimitError(f"its {rows} input vectors are no pixels")
        return  # a convolution of one pixel, with its own guard
    if not source.flat or source.height * source.width * source.channels != inputs:
        raise KernelLimitError("its input has gaps")
    if target.image != (1, 1, outputs):
        raise KernelLimitError("its output is not a single pixel")
