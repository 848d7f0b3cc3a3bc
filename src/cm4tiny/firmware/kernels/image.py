# SPDX-License-Identifier: Apache-2.0
"""Geometry of images in memory: NHWC, one image, and the border that a kernel wants around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cm4tiny.firmware.kernels.base import Tir, round_up


@dataclass(frozen=True)
class Window:
    """A sliding window over an NHWC image.

    Attributes:
        height, width, channels: of the image.
        kernel, strides, dilation: (y, x).
        padding: (top, left, bottom, right).
    """

    height: int
    width: int
    channels: int
    kernel: tuple[int, int]
    strides: tuple[int, int]
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)

    @property
    def padded_height(self) -> int:
        return self.height + self.padding[0] + self.padding[2]

    @property
    def padded_width(self) -> int:
        return self.width + self.padding[1] + self.padding[3]

    @property
    def output(self) -> tuple[int, int]:
        """Height and width of the result."""
        reach = [d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True)]
        return (
            (self.padded_height - reach[0]) // self.strides[0] + 1,
            (self.padded_width - reach[1]) // self.strides[1] + 1,
        )

    @property
    def bytes(self) -> int:
        return self.height * self.width * self.channels


@dataclass(frozen=True)
class Border:
    """How a kernel gets its bordered image: in place, or as a copy in a workspace.

    A copy is made if there is a border, or if reads in quads would run over the end of the image.
    """

    window: Window
    value: int
    overrun: bool

    @property
    def copies(self) -> bool:
        return any(self.window.padding) or self.overrun

    @property
    def bytes(self) -> int:
        """Size of the copy, with three spare bytes for reads in quads."""
        w = self.window
        return round_up(w.padded_height * w.padded_width * w.channels + 3, 4)

    def workspaces(self) -> tuple[int, ...]:
        return (self.bytes,) if self.copies else ()

    def emit(self, tir: Tir, image: Any, copy: Any) -> Any:
        """Writes the copy if there is one; returns the buffer that the kernel reads."""
        if not self.copies:
            return image
        w = self.window
        top, left = w.padding[:2]
        row_to = w.padded_width * w.channels
        tir.emit("cm4t_pad", tir.at(copy, 0), tir.at(image, 0), w.height, w.width * w.channels, row_to, top * row_to,
               left * w.channels, self.bytes, self.value)  # fmt: skip
        return copy
