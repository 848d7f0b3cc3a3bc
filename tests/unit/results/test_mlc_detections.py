# SPDX-License-Identifier: Apache-2.0
"""The line of a streaming log that lists detections, in ms."""

from __future__ import annotations

from pathlib import Path

import pytest

from cm4tiny.results.rounds import mlc_log, scores
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


def test_a_log_of_more_files_than_are_kept_is_called_truncated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = []
    for number in range(3):
        lines += [
            f"1130.120000 ulp-mlperf: Loading file {number}.bin segment 000",
            "1130.120000 ulp-mlperf: Performance results for window 1:",
        ]
        lines += ["1130.120000 ulp-mlperf: m-results : [0.5, 0.5]"]
    path = tmp_path / "log.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for most, truncated in ((3, False), (2, True)):
        monkeypatch.setattr(scores, "MAX_FILES", most)
        log = read_mlc_log(path, "accuracy")
        assert (len(log.scores.files) if log.scores else 0, log.truncated) == (most, truncated)
