# SPDX-License-Identifier: Apache-2.0
"""Spoken keywords, made with the speech synthesiser espeak-ng, then put into rooms and noise.

A *recording* is what espeak-ng says for (word, voice, rate, pitch); a *clip* is one second made of a recording by a random generator:
moment, loudness, room, colouring and noise. Training and test clips use different voices, see TRAIN_VARIANTS and TEST_VARIANTS.
espeak-ng starts its own random generator afresh in every process, so a recording is the same at each call of the same release.
"""

from __future__ import annotations

import io
import subprocess
import wave
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve, lfilter, resample_poly

RATE = 16000
KEYWORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
SILENCE, UNKNOWN = 10, 11
OTHER_WORDS = (
    "backward", "bed", "bird", "cat", "dog", "eight", "five", "follow", "forward", "four", "happy", "house", "learn",
    "marvin", "nine", "one", "seven", "sheila", "six", "three", "tree", "two", "visual", "wow", "zero",
)  # fmt: skip
TRAIN_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-us-nyc", "en-gb-x-gbclan")
TRAIN_VARIANTS = (
    "m1", "m2", "m3", "m4", "m5", "m6", "f1", "f2", "f3", "f4", "klatt", "klatt2", "adam", "Alex", "Alicia", "Andy",
    "anika", "antonio", "belinda", "benjamin", "boris", "david", "ed", "Gene", "Henrique", "Hugo", "iven", "iven2",
    "john", "linda", "Lee", "marcelo", "Marco", "Mario", "max", "michel", "miguel", "norbert", "pablo", "paul",
    "quincy", "rob", "sandro", "steph", "steph2", "travis", "zac",
)  # fmt: skip
TEST_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-029", "en-gb-x-gbcwmd")
TEST_VARIANTS = (
    "m7", "m8", "f5", "klatt3", "Andrea", "Annie", "Denis", "Diogo", "edward", "Michael", "aunty", "pedro", "robert",
    "shelby", "steph3", "victor",
)  # fmt: skip


@dataclass(frozen=True)
class Utterance:
    """What espeak-ng is asked to say: rate in words a minute, pitch from 0 to 99."""

    word: str
    voice: str
    rate: int
    pitch: int


def random_utterance(rng: np.random.Generator, word: str, accents: tuple[str, ...], variants: tuple[str, ...]) -> Utterance:
    """A word in a random voice of the lists."""
    voice = f"{accents[rng.integers(len(accents))]}+{variants[rng.integers(len(variants))]}"
    return Utterance(word, voice, int(rng.integers(110, 211)), int(rng.integers(15, 86)))


def record(utterance: Utterance) -> np.ndarray:
    """espeak-ng's output at 16 kHz, without silence at its ends, float64, largest value 1.

    Raises:
        RuntimeError: espeak-ng failed or said nothing.
    """
    u = utterance
    command = ["espeak-ng", "-v", u.voice, "-s", str(u.rate), "-p", str(u.pitch), "--stdout", u.word]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode or not done.stdout:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
    # The header of a streamed wave file states no length: the samples are what follows its 44 bytes.
    with wave.open(io.BytesIO(done.stdout)) as sound:
        rate = sound.getframerate()
    samples = np.frombuffer(done.stdout[44 : 44 + (len(done.stdout) - 44) // 2 * 2], dtype="<i2").astype(np.float64)
    sound16 = resample_poly(samples, 320, 441) if rate == 22050 else resample_poly(samples, RATE, rate)
    loud = np.flatnonzero(np.abs(sound16) > 0.02 * np.abs(sound16).max())
    if loud.size == 0:
        raise RuntimeError(f"{' '.join(command)}: silence")
    sound16 = sound16[loud[0] : loud[-1] + 1]
    return sound16 / np.abs(sound16).max()


def record_all(utterances: list[Utterance]) -> list[np.ndarray]:
    """The recordings of many utterances, in their order."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(record, utterances))


def noise(rng: np.random.Generator, babble: list[np.ndarray]) -> np.ndarray:
    """One second of background sound of a random kind, root mean square 1: white, pink, brown, hum, babble or clatter."""
    kind = rng.integers(6)
    white = rng.standard_normal(RATE)
    if kind == 0:
        sound = white
    elif kind == 1:
        sound = lfilter([0.05, -0.096, 0.05, -0.0044], [1, -2.495, 2.017, -0.522], white)
    elif kind == 2:
        sound = lfilter([1], [1, -0.985], white)
    elif kind == 3:
        time = np.arange(RATE) / RATE
        base = rng.uniform(45, 240)
        sound = 0.3 * white / 3 + sum(np.sin(2 * np.pi * base * k * time + rng.uniform(0, 6.28)) / k for k in range(1, 12))
    elif kind == 4:
        sound = 0.02 * white
        for _ in range(int(rng.integers(4, 9))):
            voice = babble[rng.integers(len(babble))][::-1]
            start = int(rng.integers(-len(voice) // 2, RATE))
            part = voice[max(0, -start) : max(0, RATE - start)]
            sound[max(0, start) : max(0, start) + len(part)] += part * rng.uniform(0.3, 1)
    else:
        sound = 0.1 * white
        for _ in range(int(rng.integers(3, 15))):
            start, length = int(rng.integers(0, RATE - 400)), int(rng.integers(100, 2500))
            burst = rng.standard_normal(length) * np.exp(-np.arange(length) / (0.25 * length))
            sound[start : start + length] += rng.uniform(1, 5) * burst[: RATE - start]
    return sound / np.sqrt(np.mean(sound**2))


def _room(rng: np.random.Generator, sound: np.ndarray) -> np.ndarray:
    decay = rng.uniform(0.02, 0.25)
    length = int(decay * 2.5 * RATE)
    echo = rng.standard_normal(length) * np.exp(-np.arange(length) / (decay * RATE / 3)) * rng.uniform(0.02, 0.12)
    echo[0] = 1.0
    return fftconvolve(sound, echo)


def _colour(rng: np.random.Generator, sound: np.ndarray) -> np.ndarray:
    tilt = rng.uniform(-0.6, 0.6)
    sound = lfilter([1, tilt], [1], sound)
    pole = rng.uniform(0.5, 0.93)
    angle = 2 * np.pi * rng.uniform(300, 4000) / RATE
    peak = lfilter([1 - pole], [1, -2 * pole * np.cos(angle), pole * pole], sound)
    return sound + rng.uniform(-0.8, 0.8) * peak


def clip(rng: np.random.Generator, recording: np.ndarray | None, babble: list[np.ndarray], snr_db: tuple[float, float]) -> np.ndarray:
    """One second of sound.

    Args:
        rng: decides on everything else.
        recording: the word, or None for a clip without one (class Silence).
        babble: recordings for the background.
        snr_db: range of the ratio of word to background in dB.

    Returns:
        float64, shape (16000,), between -1 and 1.
    """
    background = noise(rng, babble)
    if recording is None:
        sound = background * 10 ** (rng.uniform(-50, -8) / 20) + 1e-4 * rng.standard_normal(RATE)
        return np.clip(sound, -1, 1)
    word = _colour(rng, _room(rng, recording))
    sound = np.zeros(RATE)
    slack = RATE - len(word)
    start = int(rng.integers(min(0, slack // 2), max(1, slack * 3 // 4)))
    part = word[max(0, -start) : RATE - start] if start < 0 else word[: RATE - start]
    sound[max(0, start) : max(0, start) + len(part)] = part
    level = np.sqrt(np.mean(word**2))
    sound = sound + background * level * 10 ** (-rng.uniform(*snr_db) / 20) + 1e-4 * rng.standard_normal(RATE)
    return sound / np.abs(sound).max()
