# SPDX-License-Identifier: Apache-2.0
"""The keyword spotting benchmark's features: 49 frames of 10 MFCC.

Written from the description of the reference front end (mlcommons/tiny, benchmark/training/keyword_spotting/get_dataset.py): the clip is
divided by its maximum, cut into 30 ms frames every 20 ms under a periodic Hann window, 512-point magnitude spectrum, 40 mel bands
from 20 to 4000 Hz, natural logarithm of (band + 1e-6), first 10 coefficients of a DCT-II scaled by 1/sqrt(2 * 40).
The definitions of tf.signal's linear_to_mel_weight_matrix and mfccs_from_log_mel_spectrograms are public documentation.
"""

from __future__ import annotations

import numpy as np

RATE = 16000
FRAME, STEP, FFT = 480, 320, 512
BANDS, COEFFICIENTS, FRAMES = 40, 10, 49
LOWEST, HIGHEST = 20.0, 4000.0


def _mel(hertz: np.ndarray) -> np.ndarray:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


def _mel_matrix() -> np.ndarray:
    """Triangles that are linear on the mel axis; the DC bin has no weight. Shape (257, 40)."""
    bins = _mel(np.linspace(0.0, RATE / 2, FFT // 2 + 1)[1:])[:, None]
    edges = np.linspace(_mel(np.array(LOWEST)), _mel(np.array(HIGHEST)), BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0.0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    return np.vstack([np.zeros((1, BANDS)), weights])


def _dct_matrix() -> np.ndarray:
    k = np.arange(COEFFICIENTS)[None, :]
    n = np.arange(BANDS)[:, None]
    return 2.0 * np.cos(np.pi * k * (2 * n + 1) / (2 * BANDS)) / np.sqrt(2.0 * BANDS)


_WINDOW = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(FRAME) / FRAME)
_INDEX = np.arange(FRAMES)[:, None] * STEP + np.arange(FRAME)[None, :]
_MEL = _mel_matrix()
_DCT = _dct_matrix()


def mfcc(clip: np.ndarray) -> np.ndarray:
    """Features of one second of sound.

    Args:
        clip: float64, shape (16000,), any scale; must not be all zero.

    Returns:
        float64, shape (49, 10, 1).
    """
    clip = np.asarray(clip, dtype=np.float64) / clip.max()
    spectrum = np.abs(np.fft.rfft(clip[_INDEX] * _WINDOW, FFT, axis=1))
    return (np.log(spectrum @ _MEL + 1e-6) @ _DCT)[:, :, None]


def quantise(features: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Features as the int8 numbers of a model's input tensor; round half to even, saturated."""
    return np.clip(np.round(features / scale) + zero_point, -128, 127).astype(np.int8)
