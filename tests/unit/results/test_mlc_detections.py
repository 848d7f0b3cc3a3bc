# SPDX-License-Identifier: Apache-2.0
"""The line of a streaming log that lists detections, in ms."""

from __future__ import annotations

from pathlib import Path

import pytest

from cm4tiny.results.rounds import mlc_log
from cm4tiny.results.rounds.mlc_log import read_mlc_log
from cm4tiny.results.rounds.model import Mode


def read(folder: Path, line: str, mode: Mode = "accuracy") -> tuple[tuple[int, ...], list[str]]:
    """Detections, and the names of what was tolerated."""
    path = folder / "log.txt"
    path.write_text(f"{line}\n", encoding="utf-8")
    log = read_mlc_log(path, mode)
    return log.detections_ms, [tolerated.kind for tolerated in log.tolerated]


def test_detections_are_whole_milliseconds(tmp_path: Path) -> None:
    assert read(tmp_path, "[104, 2300, 999999999]") == ((104, 2300, 999_999_999), [])
    assert read(tmp_path, "[0]") == ((0,), [])


@pytest.mark.parametrize("line", ["[104, 1000000000]", "[1000000000]", "[104,, 5]", "[104, ]", "[1 2]"])
def test_a_list_with_a_number_that_is_none_is_recorded_and_not_taken(tmp_path: Path, line: str) -> None:
    assert read(tmp_path, line) == ((), ["bad-detections"])


def test_a_list_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlc_log, "MAX_DETECTIONS", 3)
    assert read(tmp_path, "[1, 2, 3]") == ((1, 2, 3), [])
    assert read(tmp_path, "[1, 2, 3, 4]") == ((), ["bad-detections"])
