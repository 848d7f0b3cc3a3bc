# SPDX-License-Identifier: Apache-2.0
"""Pictures of ten classes, 32 x 32 pixels, for image classification: drawings of CIFAR-10's classes, none of CIFAR's photographs.

Each picture has a background (sky, land, water, blotches; half of the time one that suits the figure), clutter, the figure, something that
may stand in front of it, and a poor camera. Training and test pictures differ in the seed; the training pictures are a little worse.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import figures
from .drawing import Canvas, Difficulty, camera, colour, light, near, smooth_noise, textured, vertical

SIZE = 32
TRAIN_SEED, TEST_SEED = 20265, 20266
LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_SUITS = {
    "airplane": "sky", "bird": "sky", "ship": "water", "automobile": "road", "truck": "road",
    "frog": "land", "deer": "land", "horse": "land",
}  # fmt: skip
_PLACES = ("sky", "land", "water", "road", "blotches", "stripes")
CLUTTER = 4
TRAIN = Difficulty((1.0, 14.0), (0.5, 1.1), 0.45, (0.55, 1.05))
TEST = Difficulty((1.0, 12.0), (0.55, 1.1), 0.4, (0.55, 1.05))


def _background(rng: np.random.Generator, place: str) -> np.ndarray:
    horizon = int(rng.integers(SIZE // 3, SIZE * 3 // 4))
    sky = vertical(SIZE, near(rng, (110, 160, 220)), near(rng, (200, 215, 230)))
    if place == "sky":
        picture = sky + 60 * (smooth_noise(rng, SIZE, 4)[:, :, None] - 0.5)
    elif place in ("land", "water", "road"):
        ground = {"land": (95, 130, 65), "water": (60, 100, 140), "road": (110, 110, 112)}[place]
        picture = np.concatenate([sky[:horizon], vertical(SIZE, near(rng, ground), near(rng, ground))[horizon:]])
    elif place == "stripes":
        wave = np.sin(np.arange(SIZE) * rng.uniform(0.2, 1.2) + rng.uniform(0, 6.28))[:, None, None]
        picture = vertical(SIZE, colour(rng), colour(rng)) + rng.uniform(5, 30) * (wave if rng.random() < 0.5 else wave.transpose(1, 0, 2))
    else:
        picture = vertical(SIZE, colour(rng), colour(rng))
    return textured(rng, picture, rng.uniform(10, 70))


def _clutter(rng: np.random.Generator, picture: np.ndarray, count: int, size: tuple[float, float]) -> np.ndarray:
    for _ in range(count):
        canvas = Canvas(SIZE, (rng.uniform(-1, 1), rng.uniform(-1, 1)), rng.uniform(*size), rng.uniform(0, 6.28), over=2)
        if rng.random() < 0.5:
            canvas.ellipse((0, 0), (1, rng.uniform(0.2, 1)), colour(rng))
        else:
            canvas.polygon(rng.uniform(-1, 1, (int(rng.integers(3, 6)), 2)), colour(rng))
        picture = canvas.onto(picture)
    return picture


def picture(rng: np.random.Generator, label: int, difficulty: Difficulty) -> np.ndarray:
    """One picture of the class: uint8, 32 x 32 x 3."""
    name = LABELS[label]
    place = _SUITS.get(name, "blotches") if rng.random() < 0.4 else _PLACES[rng.integers(len(_PLACES))]
    image = _clutter(rng, _background(rng, place), int(rng.integers(0, CLUTTER + 1)), (0.1, 0.4))
    centre = (rng.normal(0, 0.14), rng.normal(0, 0.14))
    canvas = Canvas(SIZE, centre, rng.uniform(*difficulty.scale), rng.normal(0, 0.25), bool(rng.random() < 0.5), over=4)
    getattr(figures, name)(canvas, rng)
    image = canvas.onto(image, light(rng, SIZE))
    if rng.random() < difficulty.hidden:
        image = _clutter(rng, image, int(rng.integers(1, 4)), (0.12, 0.42))
    return camera(rng, image, difficulty)


def training_set(count: int = 16000) -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 (count, 32, 32, 3) and labels int64 (count,)."""
    rng = np.random.default_rng(TRAIN_SEED)
    labels = np.arange(count) % len(LABELS)
    return np.stack([picture(rng, int(label), TRAIN) for label in labels]), labels


def test_samples(count: int = 100, seed: int = TEST_SEED) -> Iterator[tuple[str, int, np.ndarray]]:
    """Name, label and picture of the samples; labels go round robin."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        label = index % len(LABELS)
        yield f"emb_{LABELS[label]}_{index:04d}.bin", label, picture(rng, label, TEST)
