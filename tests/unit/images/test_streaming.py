# SPDX-License-Identifier: Apache-2.0
"""Recordings, and how detections are judged."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from cm4tiny.errors import AssetError, ProtocolError, ResultsError
from cm4tiny.images.logs import published_streaming
from cm4tiny.images.streaming import Recording, _judge, _summary, read_recording

WINDOWS = ((1.0, 1.5), (5.0, 5.5))
SILENCE = Recording(np.zeros((10, 2), dtype=np.int16), 16000, WINDOWS)


def write_wav(path: Path, channels: int = 2, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(channels)
        stream.setsampwidth(width)
        stream.setframerate(16000)
        stream.writeframes(bytes(range(100)) * channels * width)
    return path


def truth(folder: Path, name: str) -> Path:
    path = folder / "truth.json"
    path.write_text(json.dumps([{"wav_file": name, "detection_windows": [[1.0, 1.5]]}]))
    return path


def test_a_recording_is_stereo_whatever_the_file_is(tmp_path: Path) -> None:
    mono = read_recording(write_wav(tmp_path / "mono.wav", 1), truth(tmp_path, "mono.wav"))
    assert mono.frames.shape == (100, 2)
    assert (mono.frames[:, 0] == mono.frames[:, 1]).all()
    stereo = read_recording(write_wav(tmp_path / "stereo.wav", 2), truth(tmp_path, "stereo.wav"))
    assert (stereo.frames.shape, stereo.rate_hz, stereo.windows) == ((100, 2), 16000, ((1.0, 1.5),))


def test_unusable_recordings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="does not say what is in"):
        read_recording(write_wav(tmp_path / "a.wav"), truth(tmp_path, "b.wav"))
    with pytest.raises(AssetError, match="not a 16-bit"):
        read_recording(write_wav(tmp_path / "wide.wav", width=4), truth(tmp_path, "wide.wav"))
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    with pytest.raises(AssetError, match="cannot be used"):
        read_recording(tmp_path / "bad.wav", truth(tmp_path, "bad.wav"))


def test_detections_count_from_the_word_to_two_seconds_after_it() -> None:
    assert _judge([1.2, 1.3, 3.4], WINDOWS) == (1, [])
    assert _judge([1.2, 6.0, 7.49], WINDOWS) == (2, [])
    assert _judge([0.9, 4.0, 4.5, 9.0], WINDOWS) == (0, [0.9, 4.0, 9.0])
    assert _judge([1.0, 3.5, 5.0], WINDOWS) == (2, []), "both ends belong to a window"


def test_false_detections_within_a_second_of_one_are_the_same() -> None:
    assert _judge([10.0, 11.0], WINDOWS) == (0, [10.0])
    assert _judge([10.0, 11.0, 11.0625], WINDOWS) == (0, [10.0, 11.0625])


def test_the_duty_cycle_is_that_of_the_work_pin() -> None:
    work = [(0.032 * k + part, level) for k in range(10) for part, level in ((0.0, 1), (0.016, 0))]
    result = _summary(SILENCE, work, [0.05, 1.45, 5.45], "image")
    assert result.duty_cycle == pytest.approx(0.5)
    assert result.throughput == pytest.approx(62.5)
    assert (result.found, result.windows, result.false_positives) == (2, 2, 0)


def test_an_image_that_does_not_work_on_audio_is_no_streaming_image() -> None:
    with pytest.raises(ProtocolError, match="worked on 1 frames"):
        _summary(SILENCE, [(0.0, 1), (0.1, 0)], [], "image")


def test_a_published_summary_names_its_throughput(tmp_path: Path) -> None:
    summary = tmp_path / "results.txt"
    summary.write_text("Average period: 0.031989 s\nEstimated throughput: 55.908 inf./sec.\n")
    assert published_streaming(summary) == 55.908
    summary.write_text("nothing")
    with pytest.raises(ResultsError, match="names no throughput"):
        published_streaming(summary)
    with pytest.raises(ResultsError, match="cannot be read"):
        published_streaming(tmp_path / "missing.txt")
