# SPDX-License-Identifier: Apache-2.0
"""Audio for the virtual board: what shapes are taken, and what reaches the chip."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest

from cm4tiny.boards.virtual import VirtualBoard
from cm4tiny.errors import UsageError


def played(samples: np.ndarray, rate_hz: int = 16_000) -> tuple[list[int], int]:
    """The samples that the chip gets, left and right in turn, and their rate."""
    got: list[tuple[bytes, int]] = []
    board = object.__new__(VirtualBoard)
    board.guard = contextlib.nullcontext(SimpleNamespace(play=lambda data, rate: got.append((data, rate))))  # type: ignore[assignment]
    board.play(samples, rate_hz)
    ((data, rate),) = got
    return np.frombuffer(data, "<i2").tolist(), rate


def test_mono_goes_to_both_channels_and_stereo_as_it_is() -> None:
    assert played(np.array([1, -2, 3])) == ([1, 1, -2, -2, 3, 3], 16_000)
    assert played(np.array([[1, 2], [3, 4]], np.int16), 8_000) == ([1, 2, 3, 4], 8_000)
    assert played(np.array([[1, 9, 2], [3, 9, 4]], np.int16)[:, ::2]) == ([1, 2, 3, 4], 16_000), "in the order of the frames, not of memory"


@pytest.mark.parametrize("shape", [(4, 1), (4, 3), (2, 2, 2), ()])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"audio of shape \(.*\) cannot be played") as caught:
        played(np.zeros(shape, np.int16))
    assert "(frames, 2)" in caught.value.hint
