# SPDX-License-Identifier: Apache-2.0
"""The features of ad01: log-mel spectrogram frames of a recording, with the parameters of the benchmark's reference code.

Source of the parameters: mlcommons/tiny, benchmark/training/anomaly_detection/{baseline.yaml,common.py}: n_fft 1024, hop 512, 128 mel
bands, power 2, librosa 0.6.0's defaults (periodic Hann window, centred frames with reflection at the ends, Slaney's mel scale and area
normalisation, 0 Hz to half the sampling rate), 10 * log10(x + eps), frames 50 to 249. The formulas are written out here, so that neither
librosa nor a sound library is needed; a test compares with librosa where that is installed.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

N_FFT = 1024
HOP = 512
BANDS = 128
FIRST_FRAME, FRAMES = 50, 200
"""The central part of a clip: the reference code takes ``[:, 50:250]``."""

SAMPLE_RATE_HZ = 16_000
MIN_SAMPLES = (FIRST_FRAME + FRAMES - 1) * HOP
"""A shorter clip has fewer frames than are taken."""

_LINEAR_HZ_PER_MEL = 200 / 3
_LOG_FROM_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27.0
Floats = npt.NDArray[np.floating[Any]]


def hz_to_mel(frequency_hz: Floats) -> Floats:
    """Slaney's mel scale (Auditory Toolbox, 1998): linear up to 1 kHz, logarithmic above."""
    linear = frequency_hz / _LINEAR_HZ_PER_MEL
    above = _LOG_FROM_HZ / _LINEAR_HZ_PER_MEL + np.log(np.maximum(frequency_hz, 1e-10) / _LOG_FROM_HZ) / _LOG_STEP
    return np.asarray(np.where(frequency_hz >= _LOG_FROM_HZ, above, linear))


def mel_to_hz(mel: Floats) -> Floats:
    """The inverse of :func:`hz_to_mel`."""
    above = _LOG_FROM_HZ * np.exp(_LOG_STEP * (mel - _LOG_FROM_HZ / _LINEAR_HZ_PER_MEL))
    return np.asarray(np.where(mel >= _LOG_FROM_HZ / _LINEAR_HZ_PER_MEL, above, mel * _LINEAR_HZ_PER_MEL))


@cache
def mel_filters() -> Floats:
    """Triangular filters, each of unit area over frequency: (BANDS, N_FFT / 2 + 1)."""
    edges = mel_to_hz(np.linspace(0.0, float(hz_to_mel(np.asarray(SAMPLE_RATE_HZ / 2))), BANDS + 2))
    bins = np.linspace(0.0, SAMPLE_RATE_HZ / 2, N_FFT // 2 + 1)
    rising = (bins[None, :] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins[None, :]) / np.diff(edges)[1:, None]
    filters = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    filters.setflags(write=False)
    return np.asarray(filters)


def log_mel_frames(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """The frames of a clip as the benchmark's files hold them.

    Args:
        samples: a mono recording at 16 kHz, at least ``MIN_SAMPLES`` long.

    Returns:
        (FRAMES, BANDS) float32, in decibels; an inference takes five frames in a row.

    Raises:
        ValueError: the clip is too short.
    """
    if samples.ndim != 1 or len(samples) < MIN_SAMPLES:
        raise ValueError(f"the clip has {samples.shape} samples, at least {MIN_SAMPLES} of one channel are needed")
    signal = samples.astype(np.float32) / np.float32(32768)
    padded = np.pad(signal, N_FFT // 2, mode="reflect")
    starts = HOP * np.arange(FIRST_FRAME, FIRST_FRAME + FRAMES)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    frames = padded[starts[:, None] + np.arange(N_FFT)[None, :]] * window
    spectrum = np.fft.rfft(frames, axis=1).astype(np.complex64)
    power = np.abs(spectrum) ** 2.0
    mel = power @ mel_filters().T
    return np.asarray(10.0 * np.log10(mel + sys.float_info.epsilon), dtype=np.float32)
