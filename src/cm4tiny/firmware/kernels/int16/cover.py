# SPDX-License-Identifier: Apache-2.0
"""Covers the pixels of an image by tiles: a main region of whole tiles, and the cheapest way to do what is left over at its far edges.

What is left over is either a strip with tiles of its own, smaller ones, or one more row or column of the same tiles that overlaps the
region: its pixels are computed twice, to the same values.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

Shape = tuple[int, int]

SHAPES: tuple[Shape, ...] = ((1, 4), (4, 1), (2, 2), (1, 3), (3, 1), (1, 2), (2, 1), (1, 1))
"""Rows and columns of pixels in a tile."""


@dataclass(frozen=True)
class TileRegion:
    """``tiles`` (down, right) tiles of ``shape`` from pixel (y, x) on, without gaps."""

    y: int
    x: int
    shape: Shape
    tiles: tuple[int, int]

    def moved(self, y: int, x: int) -> TileRegion:
        return replace(self, y=self.y + y, x=self.x + x)


Cover = tuple[float, tuple[TileRegion, ...]]


def cover(height: int, width: int, main: Shape, costs: Mapping[Shape, float], call_cost: float) -> tuple[TileRegion, ...] | None:
    """The cheapest cover that starts with tiles of shape ``main``; None if not one of them fits.

    Args:
        height, width: pixels.
        main: shape of the first region's tiles.
        costs: cycles of a tile of each shape that may be used; ``(1, 1)`` must be one of them.
        call_cost: cycles of each region.
    """

    def region_cost(region: TileRegion) -> float:
        return call_cost + region.tiles[0] * region.tiles[1] * costs[region.shape]

    @functools.cache
    def best(h: int, w: int) -> Cover:
        if h == 0 or w == 0:
            return 0.0, ()
        found = [c for c in (start(h, w, shape) for shape in costs) if c is not None]
        return min(found, key=lambda c: (c[0], len(c[1])))

    def placed(found: Cover, y: int, x: int) -> Cover:
        return found[0], tuple(r.moved(y, x) for r in found[1])

    def alone(region: TileRegion) -> Cover:
        return region_cost(region), (region,)

    def start(h: int, w: int, shape: Shape) -> Cover | None:
        down, right = h // shape[0], w // shape[1]
        if not down or not right:
            return None
        high, wide = down * shape[0], right * shape[1]
        sides = [placed(best(high, w - wide), 0, wide)]
        if w > wide:
            sides.append(alone(TileRegion(0, w - shape[1], shape, (down, 1))))
        below = [placed(best(h - high, w), high, 0)]
        if h > high:
            row, corner = alone(TileRegion(h - shape[0], 0, shape, (1, right))), placed(best(shape[0], w - wide), h - shape[0], wide)
            below.append((row[0] + corner[0], row[1] + corner[1]))
        parts = [alone(TileRegion(0, 0, shape, (down, right))), min(sides, key=_cost), min(below, key=_cost)]
        return sum(p[0] for p in parts), tuple(r for p in parts for r in p[1])

    whole = start(height, width, main)
    return None if whole is None else whole[1]


def _cost(found: Cover) -> float:
    return found[0]
