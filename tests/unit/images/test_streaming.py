# SPDX-License-Identifier: Apache-2.0
"""Recordings, and how detections are judged."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cm4tiny.deadline import Deadline
from cm4tiny.errors import AssetError, ProtocolError, ResultsError
from cm4tiny.images import streaming
from cm4tiny.images.logs import published_streaming
from cm4tiny.images.streaming import Recording, StreamingResult, _judge, _summary, read_recording, run_streaming

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


def test_only_whole_frames_count_and_the_first_one_sets_things_up() -> None:
    """A pulse that ends before the first one begins belongs to no frame; the last frame may not end."""
    work = [(0.5, 0), (1.0, 1), (1.9, 0), (2.0, 1), (2.25, 0), (3.0, 1), (3.5, 0), (4.5, 1)]
    result = _summary(SILENCE, work, [10.0, 11.0, 14.0, 14.5], "image")
    assert (result.busy_s, result.period_s) == (pytest.approx(0.375), pytest.approx(3.5 / 3))
    assert (result.duty_cycle, result.throughput) == (pytest.approx(0.375 / (3.5 / 3)), pytest.approx(1 / 0.375))
    assert (result.found, result.false_positives) == (1, 1), "counted from the first pulse, which is none itself"
    for count, changes in ((2, work[:5]), (2, work[:6]), (0, [(0.5, 0)]), (0, [])):
        with pytest.raises(ProtocolError, match=f"worked on {count} frames"):
            _summary(SILENCE, changes, [], "image")


class FakeBoard:
    """Answers ``start`` and ``stop``; reading takes all the virtual time that there is."""

    silent = b""

    def __init__(self, file: Path, **options: object) -> None:
        self.options, self.link, self.time_s = options, self, 50.0
        self.said: list[tuple[float, bytes]] = []
        self.waiting: list[bytes] = []

    def __enter__(self) -> FakeBoard:
        return self

    def __exit__(self, *error: object) -> None:
        self.ended = True

    def clock(self) -> float:
        return self.time_s

    def write(self, data: bytes) -> None:
        self.said.append((self.time_s, data))
        self.waiting = [] if data == self.silent else [b"m-re", b"ady"]

    def read(self, deadline: Deadline) -> bytes:
        if self.waiting:
            return self.waiting.pop(0)
        self.time_s += deadline.remaining
        return b""

    def play(self, frames: np.ndarray, rate_hz: int) -> None:
        self.played = (frames.shape, rate_hz)
        self.began = self.time_s

    def pin_changes(self, port: str, pin: int) -> list[tuple[float, int]]:
        if (port, pin) == ("E", 9):
            return [(49.0, 1), (49.5, 0), *((50.0 + k + part, 1 - round(2 * part)) for k in range(5) for part in (0.0, 0.5))]
        assert (port, pin) == ("B", 8)
        return [(49.0, 0), (49.1, 1), (50.0, 0), (50.1, 1), (51.25, 0), (51.3, 1)]


@pytest.fixture
def fake_board(monkeypatch: pytest.MonkeyPatch) -> list[FakeBoard]:
    boards: list[FakeBoard] = []

    def board(file: Path, **options: object) -> FakeBoard:
        boards.append(FakeBoard(file, **options))
        return boards[-1]

    monkeypatch.setattr(streaming, "VirtualBoard", board)
    monkeypatch.setattr(streaming, "Dut", lambda link, events: SimpleNamespace(expect_model=lambda model: link.write(model.encode())))
    return boards


def test_a_recording_is_played_between_start_and_stop_and_what_came_before_does_not_count(fake_board: list[FakeBoard]) -> None:
    recording = Recording(np.zeros((32_000, 2), dtype=np.int16), 16_000, WINDOWS)
    result = run_streaming(Path("image.elf"), recording, baud=9600)
    (board,) = fake_board
    assert (board.options["baud"], board.options["strict"], board.played, board.ended) == (9600, False, ((32_000, 2), 16_000), True)
    assert board.said == [(50.0, b"sww01"), (50.0, b"start%"), (52.25, b"stop%")], "a quarter of a second for what is under way"
    assert result == StreamingResult(windows=2, found=1, false_positives=0, period_s=1.0, busy_s=0.5)


@pytest.mark.parametrize("silent", [b"start%", b"stop%"])
def test_an_image_that_does_not_answer_in_five_seconds_is_refused(
    fake_board: list[FakeBoard], monkeypatch: pytest.MonkeyPatch, silent: bytes
) -> None:
    monkeypatch.setattr(FakeBoard, "silent", silent)
    with pytest.raises(ProtocolError, match=r"image\.elf does not answer start or stop") as caught:
        run_streaming(Path("image.elf"), SILENCE)
    (board,) = fake_board
    assert board.time_s - board.said[-1][0] == pytest.approx(5.0) and "b''" in caught.value.why
