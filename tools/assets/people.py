# SPDX-License-Identifier: Apache-2.0
"""A person-like figure in many postures, and things that are easily taken for one."""

from __future__ import annotations

import numpy as np

from .drawing import Canvas, Colour, colour, near, shade

Rng = np.random.Generator

_SKINS = ((240, 205, 180), (225, 180, 145), (190, 140, 100), (140, 95, 65), (90, 60, 42))
_HAIR = ((35, 28, 24), (80, 55, 35), (150, 110, 60), (210, 185, 120), (150, 150, 150))


def _arm(rng: Rng, side: int) -> list[tuple[float, float]]:
    shoulder = (side * 0.15, -0.52)
    upper = rng.uniform(-0.15, 1.2) if rng.random() < 0.75 else rng.uniform(1.6, 2.8)
    lower = upper + rng.uniform(-0.4, 1.4)
    elbow = (shoulder[0] + side * 0.24 * float(np.sin(upper)), shoulder[1] + 0.24 * float(np.cos(upper)))
    return [shoulder, elbow, (elbow[0] + side * 0.22 * float(np.sin(lower)), elbow[1] + 0.22 * float(np.cos(lower)))]


def _leg(rng: Rng, side: int, sitting: bool) -> list[tuple[float, float]]:
    hip = (side * 0.08, 0.06)
    if sitting:
        thigh, shin = rng.uniform(0.9, 1.5), rng.uniform(-0.2, 0.2)
    else:
        thigh = rng.uniform(-0.1, 0.45)
        shin = thigh - rng.uniform(0, 0.6) * (rng.random() < 0.5)
    knee = (hip[0] + side * 0.4 * float(np.sin(thigh)), hip[1] + 0.4 * float(np.cos(thigh)))
    return [hip, knee, (knee[0] + side * 0.42 * float(np.sin(shin)), knee[1] + 0.42 * float(np.cos(shin)))]


def person(canvas: Canvas, rng: Rng) -> None:
    """Someone who stands, walks, sits or waves; the head is at y = -0.75, the feet at about y = 0.9."""
    skin, hair = near(rng, _SKINS[rng.integers(5)], 8), near(rng, _HAIR[rng.integers(5)], 8)
    shirt, trousers = colour(rng), colour(rng)
    stout = rng.uniform(0.85, 1.3)
    sitting = rng.random() < 0.2
    long_sleeves, shorts, skirt = rng.random() < 0.6, rng.random() < 0.25, rng.random() < 0.2
    for side in (-1, 1):
        leg = _leg(rng, side, sitting)
        tone = shade(trousers, 0.85 if side < 0 else 1.0)
        canvas.limb(leg, [0.17 * stout, 0.13 * stout, 0.09], skin if shorts or skirt else tone)
        if shorts:
            canvas.limb(leg[:2], [0.18 * stout, 0.15 * stout], tone)
        foot = leg[2]
        canvas.limb([foot, (foot[0] + 0.08 * side, foot[1] + 0.03)], [0.09, 0.07], (40, 35, 35))
    if skirt:
        canvas.polygon([(-0.13, 0.0), (0.13, 0.0), (0.28, 0.42), (-0.28, 0.42)], trousers)
    arms = [_arm(rng, side) for side in (-1, 1)]
    _sleeve(canvas, arms[0], skin, shade(shirt, 0.8), long_sleeves)
    wide = 0.19 * stout
    canvas.polygon([(-wide, -0.55), (wide, -0.55), (wide * 0.8, 0.1), (-wide * 0.8, 0.1)], shirt)
    canvas.ellipse((0, -0.54), (wide, 0.07), shirt)
    canvas.limb([(0, -0.55), (0, -0.65)], [0.1, 0.1], shade(skin, 0.85))
    _sleeve(canvas, arms[1], skin, shade(shirt, 0.92), long_sleeves)
    _face(canvas, rng, skin, hair)


def _sleeve(canvas: Canvas, arm: list[tuple[float, float]], skin: Colour, cloth: Colour, long: bool) -> None:
    canvas.limb(arm, [0.11, 0.09, 0.07], cloth if long else skin)
    if not long:
        canvas.limb(arm[:2], [0.12, 0.1], cloth)
    canvas.ellipse(arm[2], (0.05, 0.05), skin)


def _face(canvas: Canvas, rng: Rng, skin: Colour, hair: Colour) -> None:
    x = rng.uniform(-0.03, 0.03)
    back = rng.random() < 0.25
    if rng.random() < 0.4:
        canvas.ellipse((x, -0.72), (0.14, 0.2), hair)
    canvas.ellipse((x, -0.76), (0.105, 0.135), hair if back else skin)
    canvas.ellipse((x, -0.83), (0.115, 0.085), hair if rng.random() < 0.85 else colour(rng))
    if not back:
        turn = rng.uniform(-0.03, 0.03)
        for side in (-0.04, 0.04):
            canvas.ellipse((x + side + turn, -0.76), (0.014, 0.012), (25, 20, 20))
        canvas.limb([(x - 0.03 + turn, -0.69), (x + 0.03 + turn, -0.69)], [0.015, 0.015], shade(skin, 0.6))


def pole(canvas: Canvas, rng: Rng) -> None:
    """A lamp post or a road sign: a thin body with something round on top, like a head."""
    paint = near(rng, (120, 120, 125))
    canvas.limb([(0, -0.7), (0, 1.0)], [0.06, 0.08], paint)
    top = colour(rng)
    kind = rng.integers(3)
    if kind == 0:
        canvas.ellipse((0, -0.78), (0.2, 0.2), top)
        canvas.ellipse((0, -0.78), (0.13, 0.13), (235, 235, 235))
    elif kind == 1:
        canvas.ellipse((0, -0.75), (0.12, 0.14), near(rng, (240, 225, 160)))
    else:
        canvas.box(-0.14, -0.95, 0.14, -0.5, top)


def tree(canvas: Canvas, rng: Rng) -> None:
    canvas.limb([(0, 1.0), (rng.uniform(-0.1, 0.1), -0.1)], [0.2, 0.12], near(rng, (95, 70, 50)))
    leaf = near(rng, (70, 120, 55))
    if rng.random() < 0.3:
        for step in range(3):
            width = 0.55 - 0.13 * step
            low, high = 0.35 - 0.4 * step, -0.35 - 0.4 * step
            canvas.polygon([(-width, low), (0, high), (width, low)], shade(leaf, 0.85 + 0.1 * step))
        return
    for _ in range(int(rng.integers(4, 8))):
        canvas.ellipse((rng.normal(0, 0.25), rng.uniform(-0.8, -0.1)), (rng.uniform(0.2, 0.4), rng.uniform(0.18, 0.35)), near(rng, leaf, 8))


def coat_stand(canvas: Canvas, rng: Rng) -> None:
    """Clothes and a hat on a stand: a person's outline without the person."""
    canvas.limb([(0, -0.85), (0, 0.9)], [0.05, 0.06], near(rng, (110, 80, 55)))
    for side in (-1, 1):
        canvas.limb([(0, 0.85), (side * 0.25, 1.0)], [0.05, 0.04], near(rng, (110, 80, 55)))
    coat = colour(rng)
    hem = rng.uniform(0.2, 0.6)
    canvas.polygon([(-0.08, -0.6), (0.08, -0.6), (0.24, -0.45), (0.26, hem), (-0.26, hem), (-0.24, -0.45)], coat)
    if rng.random() < 0.6:
        canvas.ellipse((0, -0.82), (0.17, 0.06), colour(rng))
        canvas.ellipse((0, -0.87), (0.1, 0.08), colour(rng))


def chair(canvas: Canvas, rng: Rng) -> None:
    wood = near(rng, (140, 100, 65)) if rng.random() < 0.5 else colour(rng)
    for x in (-0.4, 0.4):
        canvas.limb([(x, 0.1), (x * 1.1, 0.9)], [0.09, 0.08], shade(wood, 0.8))
    canvas.box(-0.45, -0.8, 0.45, rng.uniform(-0.4, 0.05), shade(wood, 0.9))
    canvas.polygon([(-0.5, 0.05), (0.5, 0.05), (0.55, 0.22), (-0.55, 0.22)], wood)


def lamp(canvas: Canvas, rng: Rng) -> None:
    canvas.limb([(0, -0.4), (0, 0.9)], [0.05, 0.05], near(rng, (90, 90, 90)))
    canvas.ellipse((0, 0.92), (0.25, 0.05), near(rng, (80, 80, 80)))
    canvas.polygon([(-0.16, -0.85), (0.16, -0.85), (0.32, -0.35), (-0.32, -0.35)], near(rng, (235, 215, 165)))


def bottle(canvas: Canvas, rng: Rng) -> None:
    glass = colour(rng)
    canvas.box(-0.2, -0.25, 0.2, 0.9, glass)
    canvas.ellipse((0, -0.25), (0.2, 0.15), glass)
    canvas.box(-0.07, -0.7, 0.07, -0.25, glass)
    canvas.ellipse((0, -0.75), (0.1, 0.08), colour(rng))
    canvas.box(-0.2, 0.1, 0.2, 0.6, colour(rng))


def cactus(canvas: Canvas, rng: Rng) -> None:
    """A trunk with two arms."""
    green = near(rng, (60, 120, 70))
    canvas.limb([(0, -0.75), (0, 0.95)], [0.24, 0.28], green)
    for side in (-1, 1):
        height = rng.uniform(-0.4, 0.2)
        canvas.limb([(0, height + 0.2), (side * 0.35, height + 0.15), (side * 0.36, height - 0.25)], [0.16, 0.15, 0.13], shade(green, 0.9))


DISTRACTORS = (pole, tree, coat_stand, chair, lamp, bottle, cactus)
