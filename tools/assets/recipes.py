# SPDX-License-Identifier: Apache-2.0
"""How each embedded model is trained and how each set of samples becomes files: one Recipe per benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from . import keywords, machines, pictures, scenes
from .logmel import windows
from .mfcc import quantise

SEED = 2026


@dataclass(frozen=True)
class Recipe:
    """One benchmark's way from seeds to files.

    Attributes:
        model_id: the model is ``models/emb_<model_id>_int8.tflite``.
        data_set: folder of the samples.
        classes: second field of y_labels.csv.
        count: number of committed samples.
        suffix: what follows the label in a line of y_labels.csv.
        training_set: () -> arrays to train on.
        train: (arrays, threads) -> Keras model.
        calibration: arrays -> inputs that set the ranges of the int8 tensors.
        samples: (count, seed or None for the committed ones) -> name, label, array in the units of ``encode``.
        encode: (array, input scale, input zero point) -> bytes as committed.
    """

    model_id: str
    data_set: str
    classes: int
    count: int
    suffix: str
    training_set: Callable[[], dict[str, np.ndarray]]
    train: Callable[[dict[str, np.ndarray], int], object]
    calibration: Callable[[dict[str, np.ndarray]], Iterable[np.ndarray]]
    samples: Callable[..., Iterator[tuple[str, int, np.ndarray]]]
    encode: Callable[[np.ndarray, float, int], bytes]

    @property
    def model_file(self) -> Path:
        """The model's path inside the folder of embedded files."""
        return Path("models") / f"emb_{self.model_id}_int8.tflite"


def _pairs(made: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    return {"inputs": made[0], "labels": made[1]}


def _spread(array: np.ndarray, count: int) -> np.ndarray:
    """``count`` items, evenly over the array: the calibration inputs."""
    return array[np.linspace(0, len(array) - 1, count).astype(int)]


def _train_kws(data: dict[str, np.ndarray], threads: int) -> object:
    from .training import train_classifier

    def augment(rng: np.random.Generator, batch: np.ndarray) -> np.ndarray:
        return batch + rng.normal(0, 0.15, (len(batch), 1, 10, 1)).astype(np.float32)

    return train_classifier("kws", data["inputs"], data["labels"], 16, rate=2e-3, augment=augment, seed=SEED, threads=threads)


def _flip(rng: np.random.Generator, batch: np.ndarray) -> np.ndarray:
    mirrored = rng.random(len(batch)) < 0.5
    return np.where(mirrored[:, None, None, None], batch[:, :, ::-1], batch).astype(np.float32)


def _shift(rng: np.random.Generator, batch: np.ndarray, most: int) -> np.ndarray:
    padded = np.pad(batch, ((0, 0), (most, most), (most, most), (0, 0)), mode="edge")
    height, width = batch.shape[1:3]
    corners = rng.integers(0, 2 * most + 1, (len(batch), 2))
    return np.stack([image[y : y + height, x : x + width] for image, (y, x) in zip(padded, corners, strict=True)])


def _with_extremes(images: np.ndarray, scale: float) -> np.ndarray:
    """Calibration images whose range is exactly black to white, so that the input's zero point is -128 as the firmware assumes."""
    extremes = np.zeros((1, *images.shape[1:]), np.float32)
    extremes[:, ::2] = 255.0
    return np.concatenate([images.astype(np.float32), extremes]) * np.float32(scale)


def _train_pictures(name: str, epochs: int, data: dict[str, np.ndarray], threads: int) -> object:
    from .training import train_classifier

    def augment(rng: np.random.Generator, batch: np.ndarray) -> np.ndarray:
        return _shift(rng, _flip(rng, batch), 3)

    return train_classifier(name, data["inputs"], data["labels"], epochs, rate=2e-3, augment=augment, seed=SEED, threads=threads)


def _train_vww(data: dict[str, np.ndarray], threads: int) -> object:
    from . import topologies
    from .training import prepare, train_detector

    def augment(rng: np.random.Generator, batch: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mirrored = (rng.random(len(batch)) < 0.5)[:, None, None, None]
        pictures_ = np.where(mirrored, batch[:, :, ::-1], batch).astype(np.float32) / np.float32(255.0)
        seen = np.clip(4.0 * where, 0.0, 1.0)
        return _shift(rng, pictures_, 4), np.where(mirrored, seen[:, :, ::-1], seen)

    prepare(SEED, threads)
    model = train_detector(topologies.vww(), data, 8, rate=2e-3, augment=augment, seed=SEED)
    return train_detector(model, data, 5, rate=1e-3, augment=augment, seed=SEED + 1)


def _train_ad(data: dict[str, np.ndarray], threads: int) -> object:
    from .training import train_autoencoder

    return train_autoencoder(data["inputs"], 60, seed=SEED, threads=threads)


def _calibrate_ad(_data: dict[str, np.ndarray]) -> np.ndarray:
    # Damaged machines are louder in places than any healthy one: clips of another seed, healthy and damaged, set the range.
    clips = machines.test_samples(96, machines.TRAIN_SEED + 1000, machines.CALIBRATION_STRENGTH)
    return np.concatenate([windows(frames)[::8] for _, _, frames in clips])


def _pixels(array: np.ndarray, _scale: float, _zero_point: int) -> bytes:
    return array.astype(np.uint8).tobytes()


RECIPES = {
    "ad": Recipe(
        "ad01", "ad01", 2, 24, ",2560,512", lambda: {"inputs": machines.training_set()}, _train_ad, _calibrate_ad,
        machines.test_samples, lambda frames, _scale, _zero: frames.astype("<f4").tobytes(),
    ),
    "ic": Recipe(
        "ic01", "ic01", 10, 100, "", lambda: _pairs(pictures.training_set()), partial(_train_pictures, "ic", 16),
        lambda data: _with_extremes(_spread(data["inputs"], 300), 1.0), pictures.test_samples, _pixels,
    ),
    "ic02": Recipe(
        "ic02", "ic01", 10, 100, "", lambda: _pairs(pictures.training_set()), partial(_train_pictures, "ic02", 8),
        lambda data: _with_extremes(_spread(data["inputs"], 300), 1.0), pictures.test_samples, _pixels,
    ),
    "kws": Recipe(
        "kws01", "kws01", 12, 200, "", lambda: _pairs(keywords.training_set()), _train_kws, lambda data: _spread(data["inputs"], 400),
        keywords.test_samples, lambda features, scale, zero: quantise(features, scale, zero).tobytes(),
    ),
    "vww": Recipe(
        "vww01", "vww01", 2, 80, "", scenes.training_set, _train_vww,
        lambda data: _with_extremes(_spread(data["inputs"], 200), 1.0 / 255.0), scenes.test_samples, _pixels,
    ),
}  # fmt: skip
