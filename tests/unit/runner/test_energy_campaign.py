# SPDX-License-Identifier: Apache-2.0
"""Random faults of a power monitor: each run is right in figure and record, or it is refused."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support.trace_campaign import FAULTS, campaign


def test_a_seeded_sample_of_faults_leaves_no_wrong_figure_and_no_wrong_record(tmp_path: Path) -> None:
    counts = campaign(20261129, 8 * len(FAULTS), tmp_path)
    assert counts.wrong == []
    assert counts.refused and counts.correct and counts.tries == counts.refused + counts.correct


@pytest.mark.long
def test_many_faults_leave_no_wrong_figure_and_no_wrong_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = random.randrange(1_000_000)
    with capsys.disabled():
        print(f"\nenergy faults, seed {seed}:")
        counts = campaign(seed, 1000 * len(FAULTS), tmp_path, lambda done: print(f"  {done}", end="\r") if done % 100 == 0 else None)
        print(f"  {counts.tries} tries, {counts.refused} refused, {counts.correct} correct, {len(counts.wrong)} wrong")
    assert counts.wrong == []
