# SPDX-License-Identifier: Apache-2.0
"""Sounds of small toy cars, healthy and damaged, for the anomaly detection benchmark.

A car is a motor (harmonics of its speed, a commutator whine), a gear (mesh tone with side bands), wheels (noise that swings with
the wheel's turn) in a room with its own noise. Each of the four cars has its own character; each clip has its own speed, loudness and room.
A fault of random kind and strength is added to anomalous clips. Training uses healthy clips only.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.signal import butter, sosfilt

from .logmel import RATE, log_mel, samples_for, windows

WINDOWS = 64
FRAMES = WINDOWS + 4
TRAIN_SEED, TEST_SEED = 20263, 20264
CARS = 4
FAULTS = ("detuned", "knock", "scrape", "missing-harmonics", "whine", "rattle")
# Strength 1 is plain to hear; the faintest faults drown in the room.
FAULT_STRENGTH = (0.08, 0.9)
CALIBRATION_STRENGTH = (0.12, 1.0)


def _band(sound: np.ndarray, low: float, high: float) -> np.ndarray:
    return sosfilt(butter(2, [low, min(high, RATE / 2 - 100)], "bandpass", fs=RATE, output="sos"), sound)


def _car(number: int) -> dict[str, np.ndarray | float]:
    rng = np.random.default_rng([7, number])
    return {
        "speed": 38.0 + 9.0 * number + rng.uniform(-2, 2),
        "harmonics": rng.uniform(0.2, 1.0, 24) / np.arange(1, 25) ** 0.8,
        "teeth": float(rng.integers(9, 16)),
        "mesh": rng.uniform(0.15, 0.4),
        "wheel_low": rng.uniform(500, 1100),
        "wheel_high": rng.uniform(2200, 4200),
        "wheel": rng.uniform(0.3, 0.6),
        "whine": rng.uniform(3000, 5200),
    }


def _tone(phase: np.ndarray, factor: float, start: float) -> np.ndarray:
    return np.sin(factor * phase + start)


def sound(rng: np.random.Generator, car_number: int, fault: str | None, strength: float = 0.0) -> np.ndarray:
    """One clip, float64, long enough for FRAMES frames.

    Args:
        rng: decides on speed, loudness, room and on the details of the fault.
        car_number: 0 to CARS - 1.
        fault: one of FAULTS, or None for a healthy car.
        strength: of the fault, 0 to 1.
    """
    car = _car(car_number)
    length = samples_for(FRAMES)
    time = np.arange(length) / RATE
    speed = float(car["speed"]) * rng.uniform(0.94, 1.06)
    drift = 1 + 0.01 * np.sin(2 * np.pi * rng.uniform(0.2, 0.8) * time + rng.uniform(0, 6.28))
    if fault == "detuned":
        speed *= 1 + 0.35 * strength * rng.choice([-1, 1])
        drift = drift + 0.06 * strength * np.sin(2 * np.pi * rng.uniform(2, 7) * time)
    phase = 2 * np.pi * np.cumsum(speed * drift) / RATE
    weights = np.asarray(car["harmonics"]) * np.exp(rng.normal(0, 0.12, 24))
    if fault == "missing-harmonics":
        weights = weights * np.where(rng.random(24) < 0.3 + 0.5 * strength, 1 - strength, 1 + 0.8 * strength)
    out = sum(w * _tone(phase, k + 1, rng.uniform(0, 6.28)) for k, w in enumerate(weights))
    teeth = float(car["teeth"])
    for side in (-1, 0, 1):
        out = out + float(car["mesh"]) * (1 if side == 0 else 0.4) * _tone(phase, teeth + side * 0.25, rng.uniform(0, 6.28))
    out = out + 0.08 * np.sin(2 * np.pi * float(car["whine"]) * rng.uniform(0.97, 1.03) * time)
    rolling = _band(rng.standard_normal(length), float(car["wheel_low"]), float(car["wheel_high"]))
    out = out + float(car["wheel"]) * rolling * (1 + 0.5 * np.sin(0.25 * phase + rng.uniform(0, 6.28)))
    if fault is not None:
        out = out + _damage(rng, fault, strength, time, phase)
    room = np.cumsum(rng.standard_normal(length)) * 0.004 + 0.06 * rng.standard_normal(length)
    room = room - room.mean() + rng.uniform(0, 0.12) * _band(rng.standard_normal(length), 200, 2500)
    return (out * 0.05 + room * 0.05 * rng.uniform(0.6, 1.6)) * 10 ** (rng.uniform(-3, 3) / 20)


def _damage(rng: np.random.Generator, fault: str, strength: float, time: np.ndarray, phase: np.ndarray) -> np.ndarray:
    length = len(time)
    turn = np.mod(0.25 * phase + rng.uniform(0, 6.28), 2 * np.pi)
    if fault == "knock":
        hit = np.diff(turn, prepend=turn[0]) < 0
        ring = np.exp(-np.arange(1200) / 180.0) * np.sin(2 * np.pi * rng.uniform(700, 2600) * np.arange(1200) / RATE)
        return 2.5 * strength * np.convolve(hit.astype(float), ring)[:length]
    if fault == "scrape":
        low = rng.uniform(2500, 5000)
        return 0.8 * strength * _band(rng.standard_normal(length), low, low + 2000) * (turn < rng.uniform(1.5, 4.5))
    if fault == "whine":
        return 0.35 * strength * np.sin(2 * np.pi * rng.uniform(1500, 6500) * time + 3 * np.sin(2 * np.pi * rng.uniform(3, 9) * time))
    if fault == "rattle":
        steps = rng.random(length) < 60.0 / RATE
        ring = np.exp(-np.arange(300) / 40.0) * rng.standard_normal(300)
        return 1.2 * strength * np.convolve(steps.astype(float), ring)[:length]
    return np.zeros(length)


def training_set(clips: int = 700) -> np.ndarray:
    """Windows of healthy clips, float32, shape (clips * 64, 640)."""
    rng = np.random.default_rng(TRAIN_SEED)
    return np.concatenate([windows(log_mel(sound(rng, index % CARS, None))) for index in range(clips)])


def test_samples(
    count: int = 24, seed: int = TEST_SEED, strength: tuple[float, float] = FAULT_STRENGTH
) -> Iterator[tuple[str, int, np.ndarray]]:
    """Name, label (1: anomaly) and frames float32 (68, 128) of the samples: healthy and damaged in turn, cars and faults round robin."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        label, pair = index % 2, index // 2
        car, fault = pair % CARS, FAULTS[pair % len(FAULTS)] if label else None
        clip = sound(rng, car, fault, float(rng.uniform(*strength)))
        kind = "anomaly" if label else "normal"
        yield f"emb_{kind}_car{car}_{index:04d}.bin", label, log_mel(clip)
