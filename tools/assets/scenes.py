# SPDX-License-Identifier: Apache-2.0
"""Scenes of 96 x 96 pixels with and without a person-like figure, for visual wake words.

Both classes have the same rooms and streets and the same other things in them: furniture, trees, poles, animals, vehicles, clothes on a
stand. A scene with a person has one to three; they may be small, cut off by the frame or half hidden. Training and test scenes differ in
the seed; the training scenes are a little worse.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import figures, people
from .drawing import Canvas, Difficulty, camera, colour, light, near, smooth_noise, textured, vertical

SIZE = 96
TRAIN_SEED, TEST_SEED = 20267, 20268
LABELS = ("non-person", "person")
TRAIN = Difficulty((1.0, 10.0), (0.55, 1.1), 0.3, (0.5, 1.1))
TEST = Difficulty((1.0, 8.0), (0.6, 1.1), 0.2, (0.6, 1.1))
# The training set also has in which of these cells of the picture a person is seen.
CELLS = 6
_ANIMALS = (figures.cat, figures.dog, figures.deer, figures.horse, figures.bird, figures.automobile, figures.truck)


def _room(rng: np.random.Generator, floor: int) -> np.ndarray:
    wall = near(rng, (190, 180, 165)) if rng.random() < 0.5 else colour(rng)
    walls = vertical(SIZE, wall, near(rng, wall, 6))
    boards = vertical(SIZE, near(rng, (130, 105, 80)), near(rng, (110, 95, 80)))
    picture = np.concatenate([walls[:floor], boards[floor:]])
    canvas = Canvas(SIZE, (0, 0), 1.0, over=1)
    for _ in range(int(rng.integers(0, 4))):
        x, y, w, h = rng.uniform(-1, 0.8), rng.uniform(-1, 0), rng.uniform(0.15, 0.6), rng.uniform(0.15, 0.7)
        frame = colour(rng)
        canvas.box(x, y, x + w, y + h, frame)
        canvas.box(x + 0.04, y + 0.04, x + w - 0.04, y + h - 0.04, colour(rng))
    return canvas.onto(picture)


def _street(rng: np.random.Generator, floor: int) -> np.ndarray:
    sky = vertical(SIZE, near(rng, (120, 165, 220)), near(rng, (205, 215, 225))) + 50 * (smooth_noise(rng, SIZE, 4)[:, :, None] - 0.5)
    ground = near(rng, ((95, 130, 65), (110, 110, 112), (200, 185, 145))[rng.integers(3)])
    picture = np.concatenate([sky[:floor], vertical(SIZE, ground, near(rng, ground, 8))[floor:]])
    canvas = Canvas(SIZE, (0, 0), 1.0, over=1)
    horizon = floor / SIZE * 2 - 1
    if rng.random() < 0.6:
        x = -1.0
        while x < 1:
            width, top, wall = rng.uniform(0.2, 0.7), horizon - rng.uniform(0.2, 1.2), colour(rng)
            canvas.box(x, top, x + width, horizon + 0.02, wall)
            for u in np.arange(x + 0.06, x + width - 0.08, 0.16):
                for v in np.arange(top + 0.08, horizon - 0.1, 0.2):
                    canvas.box(float(u), float(v), float(u) + 0.08, float(v) + 0.1, (70, 80, 100))
            x += width + rng.uniform(0, 0.4)
    return canvas.onto(picture)


def _thing(rng: np.random.Generator, picture: np.ndarray, floor: float) -> np.ndarray:
    animal = rng.random() < 0.35
    drawn = _ANIMALS[rng.integers(len(_ANIMALS))] if animal else people.DISTRACTORS[rng.integers(len(people.DISTRACTORS))]
    scale = rng.uniform(0.2, 0.6) if animal else rng.uniform(0.25, 0.95)
    foot = floor + rng.uniform(0, 0.6)
    canvas = Canvas(SIZE, (rng.uniform(-1, 1), foot - 0.9 * scale), scale, rng.normal(0, 0.05), bool(rng.random() < 0.5), over=2)
    drawn(canvas, rng)
    return canvas.onto(picture, light(rng, SIZE))


def _person(rng: np.random.Generator, picture: np.ndarray, floor: float, difficulty: Difficulty) -> tuple[np.ndarray, np.ndarray]:
    scale = float(np.exp(rng.uniform(*np.log(difficulty.scale))))
    foot = floor + rng.uniform(0, 0.5) + max(0.0, scale - 0.6) * rng.uniform(0, 1.2)
    canvas = Canvas(SIZE, (rng.uniform(-0.85, 0.85), foot - 0.9 * scale), scale, rng.normal(0, 0.08), bool(rng.random() < 0.5), over=2)
    people.person(canvas, rng)
    cell = SIZE // CELLS
    return canvas.onto(picture, light(rng, SIZE)), canvas.cover().reshape(CELLS, cell, CELLS, cell).mean(axis=(1, 3))


def _front(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Something near the camera that hides a part of the scene."""
    canvas = Canvas(SIZE, (rng.uniform(-1, 1), rng.uniform(-0.3, 1)), rng.uniform(0.2, 0.5), rng.uniform(-0.4, 0.4), over=2)
    if rng.random() < 0.5:
        canvas.box(-1, -rng.uniform(0.2, 0.8), 1, 1, colour(rng))
    else:
        canvas.polygon(rng.uniform(-1, 1, (5, 2)), colour(rng))
    return canvas.onto(picture, light(rng, SIZE))


def scene(rng: np.random.Generator, label: int, difficulty: Difficulty) -> tuple[np.ndarray, np.ndarray]:
    """One scene of the class: uint8, 96 x 96 x 3; and the part of each of 6 x 6 cells that persons cover, before anything hides them."""
    floor = int(rng.integers(SIZE * 2 // 5, SIZE * 4 // 5))
    picture = _room(rng, floor) if rng.random() < 0.5 else _street(rng, floor)
    picture = textured(rng, picture, rng.uniform(10, 50))
    level = floor / SIZE * 2 - 1
    # The number of things is the same in both classes: a person takes the place of one.
    things = int(rng.integers(1, 5))
    persons = min(things, 1 + int(rng.integers(3) == 0) + int(rng.integers(6) == 0)) if label else 0
    order = rng.permutation([True] * persons + [False] * (things - persons))
    where = np.zeros((CELLS, CELLS))
    for is_person in order:
        if is_person:
            picture, covered = _person(rng, picture, level, difficulty)
            where = np.maximum(where, covered)
        else:
            picture = _thing(rng, picture, level)
    if rng.random() < difficulty.hidden:
        picture = _front(rng, picture)
    return camera(rng, picture, difficulty), where


def training_set(count: int = 10000) -> dict[str, np.ndarray]:
    """``inputs``: scenes uint8 (count, 96, 96, 3); ``labels``: int64 (count,); ``where``: float32 (count, 6, 6, 1), see ``scene``."""
    rng = np.random.default_rng(TRAIN_SEED)
    labels = np.arange(count) % 2
    made = [scene(rng, int(label), TRAIN) for label in labels]
    where = np.stack([covered for _, covered in made]).astype(np.float32)[..., None]
    return {"inputs": np.stack([picture for picture, _ in made]), "labels": labels, "where": where}


def test_samples(count: int = 80, seed: int = TEST_SEED) -> Iterator[tuple[str, int, np.ndarray]]:
    """Name, label and scene of the samples, the classes in turn."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        label = index % 2
        yield f"emb_{LABELS[label].replace('-', '')}_{index:04d}.bin", label, scene(rng, label, TEST)[0]
