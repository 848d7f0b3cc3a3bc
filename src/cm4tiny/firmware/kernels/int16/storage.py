# SPDX-License-Identifier: Apache-2.0
"""Where the values of an int16 tensor lie in memory.

An int16 tensor holds int16 values: quantised value minus zero point. Around the image there may be a border, which holds zeros: the real
number zero, which is what TFLite pads with. All strides are in elements (2 bytes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cm4tiny.firmware.kernels.base import round_up

Layout = Literal["NHWC", "NCHW"]
Border = tuple[int, int, int, int]

NO_BORDER: Border = (0, 0, 0, 0)
SLACK = 8
"""Elements after the last one that a kernel may read, and may write where it says so; their values never matter."""


@dataclass(frozen=True)
class Storage:
    """The offset of element (y, x, c) is ``origin + y * row + x * pixel + c * channel``.

    Attributes:
        layout: ``"NHWC"``: the channels of a pixel are neighbours (``channel == 1``); ``"NCHW"``: one image per channel.
        height, width, channels: of the tensor.
        border: (top, left, bottom, right), in pixels.
        pixel, row, channel: strides. Rows and planes start at multiples of 4 bytes.
    """

    layout: Layout
    height: int
    width: int
    channels: int
    border: Border
    pixel: int
    row: int
    channel: int

    @property
    def origin(self) -> int:
        """Offset of element (0, 0, 0)."""
        return self.border[0] * self.row + self.border[1] * self.pixel

    @property
    def elements(self) -> int:
        """Size with border and slack, even."""
        rows = (self.height + self.border[0] + self.border[2]) * self.row
        body = rows if self.layout == "NHWC" else self.channels * self.channel
        return round_up(body, 2) + SLACK

    @property
    def bytes(self) -> int:
        return 2 * self.elements

    @property
    def image(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.height, self.width, self.channels

    def viewed(self, image: tuple[int, int, int]) -> Storage | None:
        """The same memory as NHWC of another shape; None if its values have gaps, or if rows of that shape would need some."""
        other = nhwc(*image)
        same_size = self.height * self.width * self.channels == other.height * other.width * other.channels
        return other if self.flat and other.flat and same_size and not any(self.border) else None

    @property
    def flat(self) -> bool:
        """Whether the values lie in the order of a dense NHWC array, without gaps."""
        return self.layout == "NHWC" and self.pixel == self.channels and (self.row == self.width * self.pixel or self.height == 1)

    def at(self, y: int, x: int, c: int = 0) -> int:
        """Offset of an element; coordinates may lie in the border."""
        return self.origin + y * self.row + x * self.pixel + c * self.channel

    @property
    def border_cells(self) -> bool:
        """Whether cells exist that no producer writes but a consumer reads."""
        return any(self.border) or self.pixel > self.channels


def nhwc(height: int, width: int, channels: int, border: Border = NO_BORDER, *, pixel: int | None = None) -> Storage:
    """NHWC; ``pixel`` leaves room for more channels, which hold zeros. Rows are filled up to whole words if there are several."""
    step = channels if pixel is None else pixel
    row = (width + border[1] + border[3]) * step
    return Storage("NHWC", height, width, channels, border, step, round_up(row, 2) if height > 1 else row, 1)


def nchw(height: int, width: int, channels: int, border: Border = NO_BORDER) -> Storage:
    """One image per channel; rows are filled up to whole words, with at least one spare element at their end."""
    row = round_up(width + border[1] + border[3] + 1, 2)
    return Storage("NCHW", height, width, channels, border, 1, row, row * (height + border[0] + border[2]))
