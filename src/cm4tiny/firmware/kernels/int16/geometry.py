# SPDX-License-Identifier: Apache-2.0
"""A convolution as distances between elements: what its micro-kernels and its packed weights are derived from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16.block import Epilogue, MacBlock
from cm4tiny.firmware.kernels.int16.cover import TileRegion
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.storage import Storage


class Unroll(NamedTuple):
    """Pairs of each run in front of the loop, and per iteration; ``down``: runs go down the rows of the window instead of along them."""

    first: int
    unrolled: int
    down: bool = False


@dataclass(frozen=True)
class Geometry:
    """A convolution in distances, all in elements.

    Attributes:
        height, width: of the output; (1, pixels) if both images have no gaps between rows.
        start: of output pixel (0, 0)'s first value in the input.
        step: in the input from output pixel to output pixel (down, right).
        output, output_step, channel: the same in the output, and from channel to channel.
        runs: starts of the runs of a pixel's values; ``taps``: elements in each.
        early: so many elements at the start of each run do not belong to the window: their weights are zero.
    """

    height: int
    width: int
    start: int
    step: tuple[int, int]
    output: int
    output_step: tuple[int, int]
    channel: int
    runs: tuple[int, ...]
    taps: int
    early: int

    @property
    def pairs(self) -> int:
        """Pairs per run."""
        return -(-self.taps // 2)

    @property
    def down(self) -> int:
        """Elements from run to run, or 0 if there is one, or if they are not equally far apart."""
        steps = {b - a for a, b in zip(self.runs, self.runs[1:], strict=False)}
        return steps.pop() if len(steps) == 1 else 0

    def block(self, region: TileRegion, channels: int, epilogue: Epilogue, unroll: Unroll) -> MacBlock:
        """A region's block, in bytes, for one block of channels with weights that are not merged."""
        rows, columns = region.shape
        pixels = [(y, x) for y in range(rows) for x in range(columns)]

        def at(step: tuple[int, int], y: int, x: int) -> int:
            return 2 * (step[0] * y + step[1] * x)

        runs, length, unit = tuple(2 * r for r in self.runs), self.pairs, 4
        if unroll.down:
            runs, length, unit = tuple(range(0, 4 * length, 4)), len(runs), 2 * self.down
        return MacBlock(
            pixels=tuple(at(self.step, *p) for p in pixels),
            outputs=tuple(at(self.output_step, *p) for p in pixels),
            channels=channels,
            channel=2 * self.channel,
            runs=runs,
            length=length,
            unit=unit,
            tiles=region.tiles,
            source=(at(self.step, rows, 0), at(self.step, 0, columns)),
            target=(at(self.output_step, rows, 0), at(self.output_step, 0, columns)),
            epilogue=epilogue,
            first=unroll.first,
            unrolled=unroll.unrolled,
        )


def plan_geometries(window: Window, source: Storage, target: Storage, live: tuple[int, int]) -> tuple[Geometry, ...]:
    """Where everything lies: the whole image, or its even columns and its odd ones.

    Args:
        window, source, target: of the layer.
        live: the first channel and the number of channels that are read.

    Raises:
        KernelLimitError: the layer does not fit into this scheme.
    """
    if source.layout != "NHWC":
        raise KernelLimitError("its input is NCHW, not NHWC")
    (strides_y, strides_x), (dilation_y, dilation_x) = window.strides, window.dilation
    first, count = live
    starts = [y * dilation_y * source.row + x * dilation_x * source.pixel for y in range(window.kernel[0]) for x in range(window.kernel[1])]
    runs, taps = _merged(starts, count)
    start = source.at(-window.padding[0], -window.padding[1], first)
    step = (strides_y * source.row, strides_x * source.pixel)
    (height, width), output_step = window.output, (target.row, target.pixel)
    if height > 1 and step[0] == width * step[1] and output_step[0] == width * output_step[1]:
        height, width = 1, height * width
    if height == 1:
        step, output_step = (0, step[1]), (0, output_step[1])
    if any(r % 2 for r in runs) or step[0] % 2:
        raise KernelLimitError("rows of its window start at odd elements, but values are read in pairs")
    last = start + (height - 1) * step[0] + (width - 1) * step[1] + max(runs) + taps + 1
    if last > source.elements:
        raise KernelLimitError(f"it may read {last - source.elements} elements beyond its input")
    parts = 2 if step[1] % 2 and width > 1 else 1
    found = []
    for part in range(parts):
        at = start + part * step[1]
        found.append(
            Geometry(
                height=height,
                width=(width - part + parts - 1) // parts,
                start=at - at % 2,
                step=(step[0], parts * step[1]),
                output=target.at(0, 0) + part * output_step[1],
                output_step=(output_step[0], parts * output_step[1]),
                channel=target.channel,
                runs=runs,
                taps=taps + at % 2,
                early=at % 2,
            )
        )
    return tuple(found)


def _merged(starts: list[int], count: int) -> tuple[tuple[int, ...], int]:
    """Runs without gaps between them become one; all runs stay equally long."""
    taps = count
    while len(starts) > 1:
        size = next((n for n in range(len(starts), 1, -1) if len(starts) % n == 0 and _adjacent(starts, taps, n)), 1)
        if size == 1:
            break
        starts, taps = starts[::size], taps * size
    return tuple(starts), taps


def _adjacent(starts: list[int], taps: int, size: int) -> bool:
    """Whether all groups of ``size`` runs follow each other without gaps."""
    return all(starts[i + 1] - starts[i] == taps for i in range(len(starts) - 1) if (i + 1) % size)
