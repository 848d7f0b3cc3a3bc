# SPDX-License-Identifier: Apache-2.0
"""The streaming wake-word benchmark on an image that receives audio: what the interface board of MLCommons' runner does, in virtual time.

Source: mlcommons/tiny, benchmark/runner/README.md and streaming_ww_utils.py: ``start``; audio over I2S; the device raises one pin while it
works on a frame (its duty cycle is the benchmark's measure of speed: one inference takes duty cycle x period) and pulses another low when
it hears the word; ``stop``. The first pulse marks the beginning. Detections from the word's beginning to two seconds after its end count
as one, others within a second of each other as one false positive.
"""

from __future__ import annotations

import json
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cm4tiny.boards import VirtualBoard
from cm4tiny.deadline import Deadline
from cm4tiny.errors import AssetError, ProtocolError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.runner.dut import Dut

PROCESSING_PIN, DETECTED_PIN = ("E", 9), ("B", 8)
"""Pins D6 and D15 of the board, as ST's images set them."""
TAIL_S = 0.25
GRACE_S, DEBOUNCE_S = 2.0, 1.0


@dataclass(frozen=True)
class Recording:
    """Stereo audio, shape (frames, 2), and the windows (start, end in seconds) in which the word is said."""

    frames: NDArray[np.int16]
    rate_hz: int
    windows: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class StreamingResult:
    """What an image did with a recording.

    Attributes:
        found: of so many ``windows``, those with a detection.
        false_positives: detections outside of all windows.
        period_s, busy_s: means over the frames: from one start of work to the next, and how long the work took.
    """

    windows: int
    found: int
    false_positives: int
    period_s: float
    busy_s: float

    @property
    def duty_cycle(self) -> float:
        """Share of the time at work."""
        return self.busy_s / self.period_s

    @property
    def throughput(self) -> float:
        """Inferences per second if it worked all the time, as the runner estimates it."""
        return 1.0 / self.busy_s


def read_recording(wav: Path, truth: Path) -> Recording:
    """A wav file and the list that names its windows.

    Raises:
        AssetError: a file is missing or damaged, or the list does not name the wav.
    """
    try:
        with wave.open(str(wav)) as stream:
            channels, width, rate_hz = stream.getnchannels(), stream.getsampwidth(), stream.getframerate()
            data = stream.readframes(stream.getnframes())
        rows = json.loads(truth.read_text(encoding="utf-8"))
        row = next(row for row in rows if row["wav_file"] == wav.name)
        windows = tuple((float(start), float(end)) for start, end in row["detection_windows"])
    except (OSError, wave.Error, EOFError, ValueError, KeyError, TypeError) as error:
        raise AssetError(f"the recording {wav} cannot be used", why=str(error), hint="get the benchmark's files again") from error
    except StopIteration:
        raise AssetError(f"{truth} does not say what is in {wav.name}", hint="give the list that belongs to the recording") from None
    if width != 2 or channels not in (1, 2):
        raise AssetError(
            f"{wav} is not a 16-bit mono or stereo recording", why=f"{channels} channels of {8 * width} bits", hint="convert it"
        )
    frames = np.frombuffer(data, dtype="<i2").reshape(-1, channels)
    return Recording(np.repeat(frames, 2, axis=1) if channels == 1 else frames, rate_hz, windows)


def run_streaming(file: Path, recording: Recording, *, baud: int | None = None, events: EventStream = SILENT) -> StreamingResult:
    """Plays a recording to an image.

    Raises:
        ProtocolError: it works on no frame. Else as :func:`cm4tiny.images.run.boot`.
    """
    with events.step(f"stream to {file.name}") as outcome, VirtualBoard(file, baud=baud, events=events, strict=False) as board:
        dut = Dut(board.link, events=events)
        dut.expect_model("sww01")
        board.link.write(b"start%")
        _read_ready(board, file.name)
        began = board.time_s
        board.play(recording.frames, recording.rate_hz)
        deadline = Deadline(len(recording.frames) / recording.rate_hz + TAIL_S, board.link.clock)
        while not deadline.expired:
            board.link.read(deadline)
        board.link.write(b"stop%")
        _read_ready(board, file.name)
        work = [(time - began, level) for time, level in board.pin_changes(*PROCESSING_PIN) if time >= began]
        detected = [time - began for time, level in board.pin_changes(*DETECTED_PIN) if time >= began and not level]
        result = _summary(recording, work, detected, file.name)
        outcome.note = f"{result.found} of {result.windows} words, duty cycle {result.duty_cycle:.3f}"
        return result


def _read_ready(board: VirtualBoard, name: str) -> None:
    deadline, said = Deadline(5.0, board.link.clock), b""
    while b"m-ready" not in said:
        part = board.link.read(deadline)
        if not part:
            raise ProtocolError(f"{name} does not answer start or stop", why=f"it said {said[-80:]!r}", hint="is it a streaming image?")
        said += part


def _summary(recording: Recording, work: list[tuple[float, int]], detected: list[float], name: str) -> StreamingResult:
    starts = np.array([time for time, level in work if level])
    ends = np.array([time for time, level in work if not level])
    ends = ends[ends > starts[0]] if len(starts) else ends
    count = min(len(starts), len(ends))
    if count < 3:
        raise ProtocolError(f"{name} worked on {count} frames of audio", why="its work pin hardly moved", hint="is it a streaming image?")
    hits, false = _judge([time - detected[0] for time in detected[1:]], recording.windows)
    return StreamingResult(
        windows=len(recording.windows),
        found=hits,
        false_positives=len(false),
        period_s=float(np.mean(np.diff(starts))),
        busy_s=float(np.mean(ends[1:count] - starts[1:count])),  # the first frame sets things up
    )


def _judge(detections: list[float], windows: tuple[tuple[float, float], ...]) -> tuple[int, list[float]]:
    """Windows that were hit, and what remains as false positives."""
    hits, rest = 0, detections
    for start, end in windows:
        inside = [time for time in rest if start <= time <= end + GRACE_S]
        hits += bool(inside)
        rest = [time for time in rest if time not in inside]
    false: list[float] = []
    for time in rest:
        if not false or time - false[-1] > DEBOUNCE_S:
            false.append(time)
    return hits, false
