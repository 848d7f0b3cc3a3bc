# SPDX-License-Identifier: Apache-2.0
"""The end of a run answers the question that was asked, only from what its report holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.cli.endings import ending, verdicts
from cm4tiny.cli.runs import FinishedRun
from cm4tiny.results.conditions import model_errors


def report(engine: str = "microtvm", **more: Any) -> dict[str, Any]:
    labels = {"text": "simulated, embedded model, NUCLEO-L4R5ZI", "model_error": "throughput -5.6 to +8.2 %"}
    entry = {
        "benchmark": "kws", "mode": "performance", "simulated": True, "throughput_inf_per_s": 10.1, "verified": True, "broken_rules": [],
        "labels": labels,
    }  # fmt: skip
    energy = {"benchmark": "kws", "mode": "energy", "simulated": True, "energy_uj_per_inf": 1101.2, "derived": True, "labels": labels}
    return {
        "board": "virtual", "engine": engine, "assets": "embedded", "notice": "", "results": [{**entry, **more}, energy],
        "published": [], "simulated": True,
    }  # fmt: skip


def published(speed: float = 10.0, **more: Any) -> dict[str, Any]:
    return {
        "benchmark": "kws", "round": "v1.0", "submitter": "OctoML", "throughput_inf_per_s": speed, "accuracy": None, "metric": "top-1",
        "energy_uj_per_inf": None, "differs": [], "labels": {"text": "measured", "supply_v": 3.0}, **more,
    }  # fmt: skip


def test_code_that_someone_published_is_reproduced_within_the_error_of_the_model() -> None:
    told = {**report("octoml_native"), "published": [published(same_code=True)]}
    (line,) = verdicts(told)
    stated = model_errors()["throughput"]
    assert line == (
        f"OctoML v1.0 reproduced: kws 10.1 inf/s predicted, 10 published, +1.0 % (within the model's error of "
        f"{stated['lowest_pct']:+g} to {stated['highest_pct']:+g} %), outputs equal those of the reference"
    )


def test_code_that_is_faster_than_the_error_of_the_model_allows_is_not() -> None:
    off = 1 + (model_errors()["throughput"]["highest_pct"] + 0.5) / 100
    told = {**report(), "published": [published(10.1 / off, same_code=True)]}
    assert verdicts(told)[0].startswith("OctoML v1.0 NOT reproduced: kws") and "outside the model's error" in verdicts(told)[0]


def test_another_board_cannot_be_judged() -> None:
    told = {**report(), "published": [published(same_code=True, differs=["another board: X"])]}
    assert verdicts(told)[0].startswith("OctoML v1.0 cannot be judged") and "another board: X" in verdicts(told)[0]


def test_outputs_that_were_not_compared_are_not_called_equal() -> None:
    assert verdicts(report(verified=False)) == ["kws: outputs were not compared with a reference"]
    told = {**report(verified=False), "published": [published(same_code=True)]}
    assert "outputs not compared" in verdicts(told)[0] and "equal" not in verdicts(told)[0]


def test_a_run_without_published_code_says_what_was_compared() -> None:
    assert verdicts({**report(), "published": [published()]}) == ["kws: outputs equal those of the reference on the test inputs"]


def test_a_broken_rule_is_said_where_it_counts() -> None:
    broken = {"broken_rules": ["the window is too short"]}
    assert "breaks a rule: the window is too short" in verdicts(report(**broken))[-1]
    assert not any("breaks a rule" in line for line in verdicts(report(**broken, judged=False)))


@pytest.mark.parametrize("width", [80, 120])
def test_the_end_has_figures_labels_verdicts_and_what_to_do_next_within_the_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "out" / "report.json"
    file.parent.mkdir()
    file.write_text(json.dumps({**report(), "published": [published()]}), encoding="utf-8")
    run = FinishedRun(
        {"tags": "reproduce,mlperf,tiny,_kws"}, {"CM_TINY_REPORT_JSON": str(file)}, [], "run.json", "1:02; 1 step from the cache"
    )
    text = ending(run, width)
    paths = [line for line in text.splitlines() if len(line) > width]
    assert all(str(tmp_path) in line for line in paths), "only a path may be wider"
    for part in (
        "10.100", "1101", "energy derived from its cycles", "fastest published: OctoML v1.0", "simulated, embedded model",
        "cm4tiny run kws --assets mlcommons", "cm4tiny view out", "lock file: run.json", "Done in 1:02; 1 step from the cache.",
    ):  # fmt: skip
        assert part in " ".join(text.split()), part


def test_what_to_do_next_keeps_what_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(json.dumps(report()), encoding="utf-8")
    text = ending(FinishedRun({"tags": "reproduce,mlperf,tiny,_kws,_performance,_tflm"}, {"CM_TINY_REPORT_JSON": str(file)}), 100)
    assert "cm4tiny run kws --mode accuracy --engine tflm" in text.replace("\n    ", " ") or "--engine tflm" in text
    assert "cm4tiny run kws --mode performance --engine tflm --assets mlcommons" in " ".join(text.split())


def test_a_verb_without_a_report_shows_what_its_step_showed() -> None:
    assert ending(FinishedRun({"tags": "view"}, {}, ["\nwritten: x"], "", "0:01; nothing came from the cache")) == (
        "written: x\n\nDone in 0:01; nothing came from the cache."
    )
