# SPDX-License-Identifier: Apache-2.0
"""Random models of all operators, each executed in a linked image, against the reference kernels: none wrong, none refused.

The default run does 200 seeds, half of them with operators that TVM does not import; ``pytest -m long`` does 10,000 and resumes where it
stopped, if CM4TINY_CAMPAIGN names a file to remember.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from model_campaign import campaign, run
from random_models import WIDE, random_model
from tiny_images import tool_chain

from cm4tiny.firmware.operators.registry import by_kind

PER_TEST = 20


@pytest.mark.parametrize("first", [*range(0, 100, PER_TEST), *range(WIDE, WIDE + 100, PER_TEST)])
def test_random_models_equal_the_reference_on_the_linked_image(first: int) -> None:
    tool_chain()
    verdicts = list(campaign(range(first, first + PER_TEST)))
    bad = [f"seed {v.seed}: {v.verdict}: {v.text} {v.operators} {v.options}" for v in verdicts if v.verdict != "correct"]
    assert not bad, "\n".join(bad)
    assert [v.seed for v in sorted(verdicts, key=lambda v: v.seed)] == list(range(first, first + PER_TEST))


def test_the_models_hold_every_operator_many_times() -> None:
    kinds = [kind for seed in range(200) for kind in random_model(seed)[1]]
    for kind in ("ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "RESHAPE", "SOFTMAX"):
        assert kinds.count(kind) >= 20, kind
    assert random_model(3) == random_model(3)


def test_the_models_hold_every_operator_that_the_engine_has() -> None:
    kinds = {kind for seed in (*range(100), *range(WIDE, WIDE + 400)) for kind in random_model(seed)[1]}
    assert set(by_kind()) - kinds == {"RELU_0_TO_1", "UNIDIRECTIONAL_SEQUENCE_LSTM"}, "add a method to random_operators.py"


@pytest.mark.long
@pytest.mark.timeout(6 * 3600)
def test_ten_thousand_random_models_equal_the_reference(tmp_path: Path) -> None:
    tool_chain()
    counts = run(0, 10_000, Path(os.environ.get("CM4TINY_CAMPAIGN", tmp_path / "campaign.jsonl")))
    assert counts["wrong"] == counts["refused"] == 0, counts
    assert counts["correct"] + counts["invalid"] + counts["disputed"] == 10_000
    assert counts["disputed"] < 20  # one in 2,750
    assert counts["invalid"] < 100
