# SPDX-License-Identifier: Apache-2.0
"""A benchmark that ran a model of the user's: every label says so, and its accuracy is not judged."""

from __future__ import annotations

from typing import Any

import pytest

from cm4tiny.results.conditions import NOT_MLPERF, run_conditions
from cm4tiny.results.report import EMBEDDED_NOTICE, OWN_NOTICE, make_report

ENTRY: dict[str, Any] = {
    "benchmark": "kws",
    "mode": "accuracy",
    "simulated": True,
    "metric": "top-1",
    "value": 95.0,
    "samples": 200,
    "quality_target": 90.0,
    "quality_target_met": True,
}
OWN = {"model": "own", "division": "open", "division_reason": "the model is another one"}


@pytest.mark.parametrize(("assets", "inputs"), [("embedded", "embedded"), ("mlcommons", "official")])
def test_the_labels_say_own_model_open_division_and_whose_data(assets: str, inputs: str) -> None:
    report = make_report(board="virtual", engine="microtvm", assets=assets, results=[{**ENTRY, **OWN}], files=[], tools={})
    (entry,) = report["results"]
    labels = entry["labels"]
    assert (labels["model"], labels["inputs"], labels["division"]) == ("own", inputs, "open")
    assert NOT_MLPERF in labels["text"] and "own model" in labels["text"] and "open division" in labels["text"]
    assert entry["judged"] is False
    assert OWN_NOTICE in report["notice"] and EMBEDDED_NOTICE not in report["notice"]
    conditions = run_conditions(report, entry)
    assert "own model" in conditions.marks and "open division" in conditions.marks


def test_without_it_the_labels_are_those_of_the_assets() -> None:
    report = make_report(board="virtual", engine="microtvm", assets="mlcommons", results=[ENTRY], files=[], tools={})
    assert report["results"][0]["labels"]["model"] == "official" and "judged" not in report["results"][0]
    assert NOT_MLPERF not in report["results"][0]["labels"]["text"] and OWN_NOTICE not in report["notice"]
    embedded = make_report(board="virtual", engine="microtvm", assets="embedded", results=[ENTRY], files=[], tools={})
    assert EMBEDDED_NOTICE in embedded["notice"]
