# SPDX-License-Identifier: Apache-2.0
"""Drawing tools of the two picture makers: a canvas with a movable frame, backgrounds, and what a poor camera does to a picture.

Figures are drawn as filled polygons in a coordinate frame of their own (x to the right, y downwards, about -1 to 1) at several times the
final resolution and averaged down. Everything random comes from the generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]

_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 20, endpoint=False)), np.sin(np.linspace(0, 2 * np.pi, 20, endpoint=False))], axis=1)


def colour(rng: np.random.Generator, low: int = 10, high: int = 246) -> Colour:
    """Any colour."""
    r, g, b = (int(v) for v in rng.integers(low, high, 3))
    return r, g, b


def near(rng: np.random.Generator, base: Sequence[float], spread: float = 22.0) -> Colour:
    """A colour near another one: common brightness and single channels vary."""
    values = np.asarray(base, float) * rng.uniform(0.65, 1.3) + rng.normal(0, spread, 3)
    r, g, b = (int(v) for v in np.clip(values, 0, 255))
    return r, g, b


def shade(base: Colour, factor: float) -> Colour:
    """A darker (factor < 1) or lighter colour."""
    r, g, b = (int(min(255, max(0, v * factor))) for v in base)
    return r, g, b


class Canvas:
    """A transparent layer of ``size`` x ``size`` pixels on which one figure is drawn.

    Args:
        size: final width and height in pixels.
        centre: where the figure's origin lies, in units of half the width, (0, 0) is the middle.
        scale: length of the figure's unit, in units of half the width.
        angle: turn in radians.
        mirror: draw it the other way round.
        over: how much larger than the final size it is drawn.
    """

    def __init__(self, size: int, centre: Point, scale: float, angle: float = 0.0, mirror: bool = False, over: int = 3) -> None:
        self.size, self._over = size, over
        half = size * over / 2
        c, s = np.cos(angle), np.sin(angle)
        flip = -1.0 if mirror else 1.0
        self._matrix = np.array([[c * flip, -s], [s * flip, c]]) * scale * half
        self._origin = np.array([half + centre[0] * half, half + centre[1] * half])
        self._image = Image.new("RGBA", (size * over, size * over), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Sequence[Point] | np.ndarray, fill: Colour) -> None:
        """A filled polygon."""
        # Whole pixels: the rasteriser then has no fractions to round in its own way.
        mapped = np.rint(np.asarray(points, float) @ self._matrix.T + self._origin).astype(int)
        self._draw.polygon([(int(x), int(y)) for x, y in mapped], fill=(*fill, 255))

    def ellipse(self, centre: Point, radii: Point, fill: Colour, angle: float = 0.0) -> None:
        """A filled ellipse with the given half axes, turned by ``angle``."""
        c, s = np.cos(angle), np.sin(angle)
        self.polygon((_CIRCLE * radii) @ np.array([[c, s], [-s, c]]) + centre, fill)

    def limb(self, points: Sequence[Point], widths: Sequence[float], fill: Colour) -> None:
        """A bent bar with round joints; one width per point."""
        for (x0, y0), (x1, y1), w0, w1 in zip(points, points[1:], widths, widths[1:], strict=False):
            length = float(np.hypot(x1 - x0, y1 - y0)) or 1e-6
            nx, ny = -(y1 - y0) / length / 2, (x1 - x0) / length / 2
            near_side = [(x0 + nx * w0, y0 + ny * w0), (x1 + nx * w1, y1 + ny * w1)]
            far_side = [(x1 - nx * w1, y1 - ny * w1), (x0 - nx * w0, y0 - ny * w0)]
            self.polygon(near_side + far_side, fill)
        for (x, y), w in zip(points, widths, strict=True):
            self.ellipse((x, y), (w / 2, w / 2), fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        """A filled rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], fill)

    def cover(self) -> np.ndarray:
        """Which part of each pixel the figure covers: size x size, 0 to 1."""
        over = self._over
        alpha = np.asarray(self._image.getchannel("A"), np.float64) / 255.0
        return alpha.reshape(self.size, over, self.size, over).mean(axis=(1, 3))

    def onto(self, picture: np.ndarray, light: np.ndarray | float = 1.0) -> np.ndarray:
        """The picture (float, h x w x 3) with the figure on it, its colours times ``light`` (h x w x 1)."""
        box = self._image.getbbox()
        if box is None:
            return picture
        over = self._over
        x0, y0, x1, y1 = box[0] // over, box[1] // over, -(-box[2] // over), -(-box[3] // over)
        layer = np.asarray(self._image.crop((x0 * over, y0 * over, x1 * over, y1 * over)), np.float64)
        layer = layer.reshape(y1 - y0, over, x1 - x0, over, 4)
        alpha = layer[..., 3:] / 255.0
        cover = alpha.mean(axis=(1, 3))
        paint = (layer[..., :3] * alpha).mean(axis=(1, 3))
        lit = light[y0:y1, x0:x1] if isinstance(light, np.ndarray) else light
        result = picture.copy()
        result[y0:y1, x0:x1] = picture[y0:y1, x0:x1] * (1 - cover) + np.clip(paint * lit, 0, 255 * cover)
        return result


@dataclass(frozen=True)
class Difficulty:
    """How bad the pictures of a set are.

    Attributes:
        noise: range of the standard deviation of the sensor's noise, in grey levels.
        contrast: range of the contrast.
        hidden: how often something stands in front of the figure.
        scale: range of the figure's size, in units of half the picture.
    """

    noise: tuple[float, float]
    contrast: tuple[float, float]
    hidden: float
    scale: tuple[float, float]


def smooth_noise(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Blotches: random numbers (0 to 1) on a coarse grid, interpolated linearly to size x size."""
    grid = rng.random((cells + 1, cells + 1))
    at = np.linspace(0, cells, size, endpoint=False)
    low = at.astype(int)
    part = at - low
    rows = grid[low] * (1 - part)[:, None] + grid[low + 1] * part[:, None]
    return rows[:, low] * (1 - part) + rows[:, low + 1] * part


def light(rng: np.random.Generator, size: int) -> np.ndarray:
    """A light that comes from one side, with soft spots: size x size x 1, about 0.6 to 1.35."""
    axis = np.linspace(-1, 1, size)
    direction = rng.uniform(0, 2 * np.pi)
    slope = rng.uniform(0, 0.3) * (np.cos(direction) * axis[None, :] + np.sin(direction) * axis[:, None])
    return (1 + slope + rng.uniform(0, 0.35) * (smooth_noise(rng, size, int(rng.integers(2, 7))) - 0.5))[:, :, None]


def vertical(size: int, top: Sequence[float], bottom: Sequence[float]) -> np.ndarray:
    """A gradient from one colour to another."""
    part = np.linspace(0, 1, size)[:, None, None]
    return np.broadcast_to(np.asarray(top, float) * (1 - part) + np.asarray(bottom, float) * part, (size, size, 3)).copy()


def textured(rng: np.random.Generator, picture: np.ndarray, strength: float) -> np.ndarray:
    """The picture with blotches of two sizes, tinted at random."""
    size = picture.shape[0]
    blotches = smooth_noise(rng, size, int(rng.integers(3, 8))) + 0.6 * smooth_noise(rng, size, int(rng.integers(8, 20))) - 0.8
    return picture + strength * blotches[:, :, None] * rng.uniform(0.5, 1.0, 3)


def camera(rng: np.random.Generator, picture: np.ndarray, difficulty: Difficulty) -> np.ndarray:
    """The picture as uint8 after exposure, contrast, blur and sensor noise.

    Args:
        rng: decides on everything.
        picture: float, h x w x 3, 0 to 255.
        difficulty: its noise and contrast.
    """
    weight = rng.uniform(0, 0.6)
    for axis in (0, 1):
        side = 0.5 * (np.take(picture, _clamped(picture.shape[axis], -1), axis) + np.take(picture, _clamped(picture.shape[axis], 1), axis))
        picture = (1 - weight) * picture + weight * side
    mean = picture.mean()
    picture = (picture - mean) * rng.uniform(*difficulty.contrast) + mean + rng.uniform(-35, 35)
    picture = picture * rng.uniform(0.9, 1.1, 3) + rng.normal(0, rng.uniform(*difficulty.noise), picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _clamped(length: int, shift: int) -> np.ndarray:
    return np.clip(np.arange(length) + shift, 0, length - 1)
