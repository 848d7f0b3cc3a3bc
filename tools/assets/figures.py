# SPDX-License-Identifier: Apache-2.0
"""Simple drawings of vehicles and animals, each with random proportions, posture and colours, on a drawing.Canvas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .drawing import Canvas, Colour, colour, near, shade

Rng = np.random.Generator


def _wheel(canvas: Canvas, x: float, y: float, radius: float) -> None:
    canvas.ellipse((x, y), (radius, radius), (25, 25, 28))
    canvas.ellipse((x, y), (radius * 0.45, radius * 0.45), (150, 150, 155))


def airplane(canvas: Canvas, rng: Rng) -> None:
    body = near(rng, (205, 208, 215)) if rng.random() < 0.65 else colour(rng)
    dark = shade(body, 0.75)
    thick = rng.uniform(0.09, 0.17)
    sweep, span = rng.uniform(0.15, 0.5), rng.uniform(0.55, 0.95)
    below = span * (1.0 if rng.random() < 0.5 else rng.uniform(0.3, 0.6))
    canvas.polygon([(0.15, 0), (-0.25, 0), (-0.1 - sweep, -span), (0.05 - sweep, -span)], dark)
    canvas.ellipse((0, 0), (0.95, thick), body)
    canvas.polygon([(-0.6, 0), (-0.92, -thick), (-1.0, -0.2 - rng.uniform(0.15, 0.3)), (-0.82, -0.2 - thick)], dark)
    canvas.polygon([(0.2, 0), (-0.25, 0.02), (-0.1 - sweep, below), (0.08 - sweep, below)], shade(body, 0.88))
    canvas.polygon([(-0.7, 0), (-0.9, 0), (-1.0, 0.28), (-0.88, 0.28)], dark)
    if rng.random() < 0.6:
        for x in np.linspace(-0.45, 0.6, 7):
            canvas.ellipse((float(x), -thick * 0.3), (0.035, 0.035), (50, 60, 80))
    if rng.random() < 0.5:
        canvas.ellipse((0.02, below * 0.45), (0.13, 0.07), shade(body, 0.6))


def automobile(canvas: Canvas, rng: Rng) -> None:
    paint = colour(rng)
    height, roof = rng.uniform(0.22, 0.32), rng.uniform(0.26, 0.4)
    front, back = rng.uniform(0.25, 0.5), rng.uniform(-0.75, -0.35)
    canvas.polygon([(back - 0.1, 0.05), (back + 0.2, -roof), (front - 0.3, -roof), (front + 0.1, 0.05)], shade(paint, 0.9))
    glass = near(rng, (110, 140, 165))
    canvas.polygon([(back + 0.05, 0), (back + 0.24, -roof + 0.07), (-0.1, -roof + 0.07), (-0.1, 0)], glass)
    canvas.polygon([(-0.03, 0), (-0.03, -roof + 0.07), (front - 0.32, -roof + 0.07), (front - 0.02, 0)], glass)
    canvas.polygon([(-0.95, 0.02), (-0.9, -0.02), (0.7, 0), (0.95, 0.1), (0.95, height), (-0.95, height)], paint)
    radius = rng.uniform(0.16, 0.22)
    _wheel(canvas, -0.55, height, radius)
    _wheel(canvas, 0.55, height, radius)
    canvas.ellipse((0.9, 0.12), (0.05, 0.05), (250, 240, 170))


def truck(canvas: Canvas, rng: Rng) -> None:
    paint, load = colour(rng), near(rng, (200, 200, 200)) if rng.random() < 0.5 else colour(rng)
    top, gap = rng.uniform(-0.7, -0.4), rng.uniform(0.0, 0.08)
    cab_top = rng.uniform(top + 0.05, -0.2)
    split = rng.uniform(0.3, 0.55)
    if rng.random() < 0.75:
        canvas.box(-0.98, top, split - gap, 0.28, load)
        canvas.box(-0.98, top, split - gap, top + 0.08, shade(load, 0.8))
    else:
        canvas.box(-0.98, 0.1, split - gap, 0.28, load)
        canvas.polygon([(-0.9, 0.1), (-0.8, top + 0.15), (split - 0.2, top + 0.2), (split - 0.1, 0.1)], near(rng, (120, 100, 70)))
    canvas.polygon([(split, 0.32), (split, cab_top), (0.8, cab_top), (0.96, -0.02), (0.97, 0.32)], paint)
    canvas.polygon([(split + 0.12, 0), (split + 0.12, cab_top + 0.08), (0.77, cab_top + 0.08), (0.88, 0)], near(rng, (110, 140, 165)))
    canvas.box(-0.98, 0.26, 0.97, 0.36, (45, 45, 50))
    radius = rng.uniform(0.14, 0.2)
    for x in (-0.75, -0.75 + 2.2 * radius, 0.72):
        _wheel(canvas, x, 0.38, radius)


def ship(canvas: Canvas, rng: Rng) -> None:
    hull = colour(rng)
    height, rake = rng.uniform(0.25, 0.42), rng.uniform(0.12, 0.3)
    if rng.random() < 0.35:
        sail = near(rng, (235, 232, 222))
        canvas.box(-0.04, -0.95, 0.02, 0.05, (90, 70, 50))
        canvas.polygon([(0.04, -0.92), (0.04, -0.05), (rng.uniform(0.5, 0.8), -0.05)], sail)
        canvas.polygon([(-0.06, -0.85), (-0.06, -0.05), (rng.uniform(-0.7, -0.4), -0.05)], shade(sail, 0.9))
    else:
        house = near(rng, (225, 225, 222))
        left = rng.uniform(-0.75, -0.3)
        width, deck = rng.uniform(0.4, 1.0), rng.uniform(0.18, 0.3)
        canvas.box(left, -deck, left + width, 0.08, house)
        canvas.box(left + 0.1 * width, -1.8 * deck, left + 0.7 * width, -deck, shade(house, 0.9))
        canvas.box(left + 0.3 * width, -1.8 * deck - rng.uniform(0.15, 0.35), left + 0.3 * width + 0.14, -1.8 * deck, colour(rng))
        for x in np.linspace(left + 0.08, left + width - 0.08, 5):
            canvas.box(float(x) - 0.03, -deck * 0.6, float(x) + 0.03, -deck * 0.25, (50, 70, 95))
        canvas.box(0.5, -rng.uniform(0.3, 0.8), 0.53, 0.05, (90, 90, 90))
    canvas.polygon([(-0.95, 0.03), (0.98, -0.04), (0.98 - rake, height), (-0.95 + 0.4 * rake, height)], hull)
    canvas.polygon([(-0.92, height - 0.08), (0.98 - 0.85 * rake, height - 0.08), (0.98 - rake, height), (-0.92, height)], shade(hull, 0.6))


@dataclass(frozen=True)
class Beast:
    """Proportions of a four-legged animal, in units of its half length."""

    length: tuple[float, float]
    girth: tuple[float, float]
    leg: tuple[float, float]
    leg_width: float
    neck: tuple[float, float]
    neck_rise: tuple[float, float]
    neck_width: float
    head: float
    muzzle: float
    ears: str
    tail: str
    furs: tuple[tuple[int, int, int], ...]


_BROWNS = ((120, 85, 55), (165, 125, 85), (70, 55, 45), (200, 175, 140))
_GREYS = ((105, 105, 108), (40, 40, 44), (215, 212, 208))
CAT = Beast(
    (0.38, 0.48), (0.17, 0.23), (0.26, 0.36), 0.09, (0.1, 0.16), (0.6, 1.0), 0.2, 0.21, 0.06, "pointed", "long",
    (*_GREYS, (205, 140, 80)),
)  # fmt: skip
DOG = Beast(
    (0.42, 0.52), (0.17, 0.24), (0.34, 0.48), 0.1, (0.2, 0.28), (0.7, 1.1), 0.19, 0.17, 0.2, "hanging", "up",
    (*_BROWNS, *_GREYS),
)  # fmt: skip
DEER = Beast(
    (0.4, 0.48), (0.16, 0.2), (0.55, 0.68), 0.06, (0.38, 0.5), (0.95, 1.25), 0.12, 0.12, 0.16, "antlers", "short",
    _BROWNS,
)  # fmt: skip
HORSE = Beast(
    (0.5, 0.58), (0.22, 0.27), (0.55, 0.66), 0.09, (0.42, 0.52), (0.6, 0.95), 0.22, 0.14, 0.26, "mane", "hanging",
    (*_BROWNS, *_GREYS),
)  # fmt: skip


def beast(canvas: Canvas, rng: Rng, kind: Beast) -> None:
    """A four-legged animal that looks to the right."""
    fur = near(rng, kind.furs[rng.integers(len(kind.furs))])
    dark = shade(fur, 0.7)
    length, girth, leg = rng.uniform(*kind.length), rng.uniform(*kind.girth), rng.uniform(*kind.leg)
    drop = -0.5 * (leg - 0.3)
    gait = rng.uniform(-0.22, 0.22, 4)
    for index, x in enumerate((-length + 0.08, length - 0.08, -length + 0.12, length - 0.1)):
        knee = (x + float(gait[index]) * 0.6, drop + girth * 0.5 + leg * 0.5)
        foot = (x + float(gait[index]), drop + girth * 0.7 + leg)
        widths = [kind.leg_width * 1.5, kind.leg_width, kind.leg_width * 0.85]
        canvas.limb([(x, drop + girth * 0.3), knee, foot], widths, dark if index < 2 else fur)
    _tail(canvas, rng, kind, (-length, drop - girth * 0.3), dark)
    canvas.ellipse((0, drop), (length + 0.06, girth), fur, rng.uniform(-0.06, 0.06))
    rise, neck = rng.uniform(*kind.neck_rise), rng.uniform(*kind.neck)
    base = (length - 0.06, drop - girth * 0.35)
    head = (base[0] + neck * float(np.cos(rise)) + 0.04, base[1] - neck * float(np.sin(rise)))
    canvas.limb([base, head], [kind.neck_width * 1.4, kind.neck_width], fur)
    _head(canvas, rng, kind, head, base, fur, dark)
    if rng.random() < 0.35:
        canvas.ellipse((rng.uniform(-0.25, 0.25), drop + rng.uniform(-0.05, 0.05)), (0.15, girth * 0.5), near(rng, (225, 215, 200)))


def _tail(canvas: Canvas, rng: Rng, kind: Beast, root: tuple[float, float], dark: Colour) -> None:
    x, y = root
    bend = rng.uniform(-0.12, 0.12)
    if kind.tail == "long":
        canvas.limb([(x, y), (x - 0.22, y - 0.12 + bend), (x - 0.26 + bend, y - 0.45)], [0.08, 0.07, 0.06], dark)
    elif kind.tail == "up":
        canvas.limb([(x, y), (x - 0.14, y - 0.14 + bend), (x - 0.16 + bend, y - 0.26)], [0.08, 0.07, 0.04], dark)
    elif kind.tail == "short":
        canvas.limb([(x, y), (x - 0.08, y + 0.06)], [0.07, 0.04], near(rng, (220, 210, 195)))
    else:
        canvas.limb([(x, y), (x - 0.14, y + 0.18), (x - 0.16 + bend * 0.5, y + 0.55)], [0.07, 0.12, 0.05], dark)


def _head(canvas: Canvas, rng: Rng, kind: Beast, at: tuple[float, float], base: tuple[float, float], fur: Colour, dark: Colour) -> None:
    x, y = at
    size = kind.head
    nod = rng.uniform(0.1, 0.6)
    nose = (x + float(np.cos(nod)) * (size * 0.6 + kind.muzzle), y + float(np.sin(nod)) * (size * 0.6 + kind.muzzle))
    if kind.ears == "antlers":
        for side in (-0.07, 0.05):
            tip = (x + side - rng.uniform(0.0, 0.2), y - rng.uniform(0.35, 0.55))
            mid = ((x + side + tip[0]) / 2 - 0.08, (y + tip[1]) / 2)
            canvas.limb([(x + side, y - 0.05), mid, tip], [0.05, 0.045, 0.03], (150, 125, 95))
            canvas.limb([mid, (mid[0] + 0.16, mid[1] - 0.1)], [0.04, 0.03], (150, 125, 95))
    canvas.ellipse((x, y), (size, size * 0.85), fur)
    canvas.limb([(x, y + size * 0.15), nose], [size * 1.1, size * 0.75], fur)
    if kind.ears == "pointed":
        for side in (-0.6, 0.45):
            left, tip, right = (side - 0.4, -0.55), (side, -1.75), (side + 0.45, -0.55)
            canvas.polygon([(x + size * u, y + size * v) for u, v in (left, tip, right)], dark)
    elif kind.ears == "hanging":
        canvas.ellipse((x - size * 0.55, y + size * 0.35), (size * 0.35, size * 0.85), dark, rng.uniform(-0.2, 0.5))
    elif kind.ears == "mane":
        middle = ((x + base[0]) / 2 - 0.12, (y + base[1]) / 2 - 0.05)
        canvas.limb([(x - 0.06, y - size), middle, (base[0] - 0.15, base[1])], [0.08, 0.15, 0.1], dark)
        canvas.polygon([(x - 0.1, y - size * 0.6), (x - 0.02, y - size * 1.7), (x + 0.06, y - size * 0.6)], dark)
    canvas.ellipse((x + size * 0.35, y - size * 0.1), (0.03, 0.03), (15, 15, 15))
    canvas.ellipse(nose, (0.035, 0.035), (20, 18, 18))


def cat(canvas: Canvas, rng: Rng) -> None:
    beast(canvas, rng, CAT)


def dog(canvas: Canvas, rng: Rng) -> None:
    beast(canvas, rng, DOG)


def deer(canvas: Canvas, rng: Rng) -> None:
    beast(canvas, rng, DEER)


def horse(canvas: Canvas, rng: Rng) -> None:
    beast(canvas, rng, HORSE)


def bird(canvas: Canvas, rng: Rng) -> None:
    plume = colour(rng) if rng.random() < 0.6 else near(rng, (110, 90, 70))
    dark = shade(plume, 0.7)
    lean = rng.uniform(-0.5, 0.1)
    flying = rng.random() < 0.4
    if flying:
        for lift, tone in ((rng.uniform(0.5, 0.9), dark), (rng.uniform(0.3, 0.8), shade(plume, 0.85))):
            canvas.polygon([(0.2, -0.05), (-0.25, -0.02), (-0.45, -lift), (-0.1, -lift * 0.95)], tone)
    else:
        for x in (-0.05, 0.1):
            canvas.limb([(x, 0.2), (x + 0.02, 0.7)], [0.045, 0.04], (190, 140, 60))
    canvas.polygon([(-0.35, -0.05), (-0.95, rng.uniform(-0.25, 0.3)), (-0.85, 0.28), (-0.3, 0.16)], dark)
    canvas.ellipse((0, 0), (0.48, rng.uniform(0.24, 0.34)), plume, lean * 0.6)
    x, y = 0.46, -0.25 + lean * 0.35
    canvas.limb([(0.25, -0.05), (x, y)], [0.35, 0.22], plume)
    canvas.ellipse((x, y), (0.19, 0.18), plume)
    canvas.polygon([(x + 0.14, y - 0.07), (x + 0.14 + rng.uniform(0.18, 0.36), y + 0.03), (x + 0.13, y + 0.08)], (225, 165, 55))
    if not flying:
        canvas.ellipse((-0.12, -0.02), (0.34, 0.16), dark, 0.25)
    canvas.ellipse((x + 0.05, y - 0.04), (0.035, 0.035), (10, 10, 10))


def frog(canvas: Canvas, rng: Rng) -> None:
    skin = near(rng, ((70, 140, 50), (110, 130, 50), (120, 95, 60), (60, 120, 90))[rng.integers(4)])
    dark = shade(skin, 0.72)
    wide = rng.uniform(0.5, 0.62)
    for side in (-1, 1):
        reach = rng.uniform(0.72, 0.92)
        canvas.limb([(side * 0.3, 0.2), (side * reach, 0.02), (side * 0.5, 0.5), (side * 0.92, 0.55)], [0.28, 0.24, 0.14, 0.1], dark)
        canvas.limb([(side * 0.25, 0.25), (side * 0.32, 0.58), (side * 0.48, 0.62)], [0.14, 0.1, 0.08], shade(skin, 0.85))
    canvas.ellipse((0, 0.14), (wide, rng.uniform(0.3, 0.4)), skin)
    canvas.ellipse((0, -0.1), (wide * 0.8, 0.25), skin)
    for side in (-1, 1):
        canvas.ellipse((side * 0.28, -0.34), (0.15, 0.14), skin)
        canvas.ellipse((side * 0.29, -0.36), (0.08, 0.08), (235, 215, 110))
        canvas.ellipse((side * 0.29, -0.36), (0.04, 0.05), (10, 10, 10))
    canvas.limb([(-0.3, 0.0), (0, 0.06), (0.3, 0.0)], [0.03, 0.03, 0.03], shade(skin, 0.45))
    canvas.ellipse((0, 0.3), (wide * 0.5, 0.14), shade(skin, 1.35))
