# SPDX-License-Identifier: Apache-2.0
"""ad01 from the ToyCar recordings of DCASE 2020 task 2 (ToyADMOS): each clip of the test folder becomes 200 log-mel frames.

``normal_id_01_00000003_hist_librosa.bin`` is made from ``ToyCar/test/normal_id_01_00000003.wav`` (mlcommons/tiny,
benchmark/training/anomaly_detection/convert_dataset.py); the training folder has files of the same names, which are others.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from cm4tiny.benchmarks.labels import Sample
from cm4tiny.benchmarks.official.logmel import SAMPLE_RATE_HZ, log_mel_frames
from cm4tiny.benchmarks.official.pieces import pieces
from cm4tiny.errors import AssetError
from cm4tiny.events import SILENT, EventStream

SUFFIX = "_hist_librosa.bin"
TEST_FOLDER = "test"
MAX_CLIP_BYTES = 16 << 20
_HINT = "get dev_data_ToyCar.zip from its source again"


def make(source: Path, samples: Sequence[Sample], list_name: str, target: Path, events: EventStream = SILENT) -> None:
    """Writes the samples of ad01 into ``target``.

    Args:
        source: the archive, or an unpacked folder with ``test/*.wav`` in it.

    Raises:
        AssetError: clips are missing, or not 16-bit mono at 16 kHz, or too short.
    """
    missing = {sample.file.removesuffix(SUFFIX) + ".wav": sample for sample in samples}
    step = "make ad01"
    with events.step(step, len(samples), "files"):
        for member in pieces(source):
            if member.path.parent.name != TEST_FOLDER or member.path.name not in missing:
                continue
            sample = missing.pop(member.path.name)
            if member.size > MAX_CLIP_BYTES:
                raise _not_a_clip(str(member.path), f"it has {member.size} bytes")
            clip = read_wave(io.BytesIO(member.read()), str(member.path))
            (target / sample.file).write_bytes(_frames(clip, str(member.path)))
            events.progress(step, len(samples) - len(missing), len(samples))
            if not missing:
                return
    some = ", ".join(list(missing)[:3]) + (", ..." if len(missing) > 3 else "")
    raise AssetError(f"{source} lacks {len(missing)} of {len(samples)} recordings of the list", why=f"missing in test/: {some}", hint=_HINT)


def _frames(clip: npt.NDArray[np.int16], name: str) -> bytes:
    try:
        return log_mel_frames(clip).astype("<f4").tobytes()
    except ValueError as error:
        raise _not_a_clip(name, str(error)) from error


def read_wave(stream: IO[bytes], name: str) -> npt.NDArray[np.int16]:
    """The samples of a 16-bit mono wave file at 16 kHz. Raises AssetError for any other."""
    try:
        with wave.open(stream) as file:
            form = (file.getnchannels(), 8 * file.getsampwidth(), file.getframerate())
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError, ValueError) as error:
        raise _not_a_clip(name, str(error) or "it ends too early") from error
    if form != (1, 16, SAMPLE_RATE_HZ):
        raise _not_a_clip(name, f"it has {form[0]} channel(s), {form[1]} bits, {form[2]} Hz; 1, 16 and {SAMPLE_RATE_HZ} are expected")
    return np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2").astype(np.int16)


def _not_a_clip(name: str, why: str) -> AssetError:
    return AssetError(f"{name} is not a clip of ToyCar", why=why, hint=_HINT)
