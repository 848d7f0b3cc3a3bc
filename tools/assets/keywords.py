# SPDX-License-Identifier: Apache-2.0
"""The keyword spotting samples: features and labels for training, and the committed test samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import speech
from .mfcc import mfcc

TRAIN_SEED, TEST_SEED = 20261, 20262
TRAIN_SNR_DB = (0.0, 30.0)
TEST_SNR_DB = (10.0, 30.0)
LABELS = ("Down", "Go", "Left", "No", "Off", "On", "Right", "Stop", "Up", "Yes", "Silence", "Unknown")


def _utterance(rng: np.random.Generator, label: int, accents: tuple[str, ...], variants: tuple[str, ...]) -> speech.Utterance:
    word = speech.KEYWORDS[label] if label < speech.SILENCE else speech.OTHER_WORDS[rng.integers(len(speech.OTHER_WORDS))]
    return speech.random_utterance(rng, word, accents, variants)


def training_set(recordings: int = 5600, clips_each: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 (n, 49, 10, 1) and labels int64 (n,) in the training voices; other words 2.8 times as often as a keyword."""
    rng = np.random.default_rng(TRAIN_SEED)
    weights = np.array([1.0] * 10 + [0.0, 2.8])
    labels = rng.choice(12, size=recordings, p=weights / weights.sum())
    said = speech.record_all([_utterance(rng, int(label), speech.TRAIN_ACCENTS, speech.TRAIN_VARIANTS) for label in labels])
    features, truth = [], []
    for _ in range(clips_each):
        for label, recording in zip(labels, said, strict=True):
            features.append(mfcc(speech.clip(rng, recording, said, TRAIN_SNR_DB)))
            truth.append(int(label))
        for _ in range(recordings // 11):
            features.append(mfcc(speech.clip(rng, None, said, TRAIN_SNR_DB)))
            truth.append(speech.SILENCE)
    return np.asarray(features, dtype=np.float32), np.asarray(truth)


def test_samples(count: int = 200, seed: int = TEST_SEED) -> Iterator[tuple[str, int, np.ndarray]]:
    """Name, label and features (49, 10, 1) of the samples, in voices that no training clip uses; labels go round robin."""
    rng = np.random.default_rng(seed)
    labels = [index % 12 for index in range(count)]
    said = {}
    for index, label in enumerate(labels):
        if label != speech.SILENCE:
            said[index] = speech.record(_utterance(rng, label, speech.TEST_ACCENTS, speech.TEST_VARIANTS))
    babble = list(said.values())
    for index, label in enumerate(labels):
        features = mfcc(speech.clip(rng, said.get(index), babble, TEST_SNR_DB))
        yield f"emb_{index:04d}_{LABELS[label]}_{label}.bin", label, features
