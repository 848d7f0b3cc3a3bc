# SPDX-License-Identifier: Apache-2.0
"""The anomaly detection benchmark's features: log-mel frames of 128 bands.

Written from the description of the reference front end (mlcommons/tiny, benchmark/training/anomaly_detection: baseline.yaml and common.py):
16 kHz, 1024-point Hann frames every 512 samples, power spectrum, 128 mel bands (Slaney's scale and area normalisation, 0 to 8 kHz),
10 * log10(power + epsilon). Values are rounded to 1/64 dB so that the last bits of a machine's FFT do not decide on the files' bytes.
"""

from __future__ import annotations

import sys

import numpy as np

RATE = 16000
FRAME, STEP, BANDS = 1024, 512, 128
WINDOW_FRAMES = 5


def _to_mel(hertz: np.ndarray) -> np.ndarray:
    hertz = np.asarray(hertz, dtype=np.float64)
    return np.where(hertz < 1000.0, hertz * 3 / 200, 15.0 + np.log(np.maximum(hertz, 1000.0) / 1000.0) / (np.log(6.4) / 27.0))


def _to_hertz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15.0, mel * 200 / 3, 1000.0 * np.exp((np.maximum(mel, 15.0) - 15.0) * (np.log(6.4) / 27.0)))


def _mel_matrix() -> np.ndarray:
    bins = np.linspace(0.0, RATE / 2, FRAME // 2 + 1)[:, None]
    edges = _to_hertz(np.linspace(0.0, float(_to_mel(np.array(RATE / 2))), BANDS + 2))
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    return np.maximum(0.0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))) * 2.0 / (high - low)


_MEL = _mel_matrix()
_WINDOW = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(FRAME) / FRAME)


def samples_for(frames: int) -> int:
    """Length of a sound that yields that many frames."""
    return FRAME + (frames - 1) * STEP


def log_mel(sound: np.ndarray) -> np.ndarray:
    """Log-mel frames in dB: float32, shape (frames, 128)."""
    count = 1 + (len(sound) - FRAME) // STEP
    index = np.arange(count)[:, None] * STEP + np.arange(FRAME)[None, :]
    power = np.abs(np.fft.rfft(np.asarray(sound, np.float64)[index] * _WINDOW, axis=1)) ** 2
    decibels = 10.0 * np.log10(power @ _MEL + sys.float_info.epsilon)
    return (np.round(decibels * 64.0) / 64.0).astype(np.float32)


def windows(frames: np.ndarray) -> np.ndarray:
    """Five consecutive frames as one row, one frame further each: float32, shape (frames - 4, 640)."""
    return np.concatenate([frames[i : len(frames) - WINDOW_FRAMES + 1 + i] for i in range(WINDOW_FRAMES)], axis=1)
