# SPDX-License-Identifier: Apache-2.0
"""From a run on the virtual board to a draft of a submission, its check and its report, by CM's command line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.cm_command import run_cm

pytestmark = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc")

DRAFT_RULES = {"documents.draft", "documents.checklist", "evidence.simulated", "data.embedded"}
GENERATE = ("run", "tinyscript", "--tags=generate,mlperf,tiny,submission", "--submitter=Example", "--board=NUCLEO_L4R5ZI")


@pytest.fixture(scope="module")
def outcome(kws_report: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((kws_report / "out" / "outcome.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def tree(kws_report: Path, cm_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The draft."""
    folder = tmp_path_factory.mktemp("draft")
    made = run_cm(cm_home, folder, *GENERATE, f"--results={kws_report / 'out' / 'outcome.json'}", "--submission_dir=tree", "--draft")
    assert made.returncode == 0, made.stdout + made.stderr
    return folder / "tree"


def test_a_simulated_run_is_no_submission(kws_report: Path, cm: Any, tmp_path: Path) -> None:
    refused = cm(*GENERATE, f"--results={kws_report / 'out' / 'outcome.json'}", "--submission_dir=tree")
    assert refused.returncode == 1
    assert "simulated: virtual NUCLEO-L4R5ZI" in refused.stdout + refused.stderr
    assert not (tmp_path / "tree").exists()


def test_the_draft_says_what_it_is_and_holds_the_firmware_that_ran(tree: Path, outcome: dict[str, Any]) -> None:
    folder = tree / "closed" / "Example"
    assert (folder / "DRAFT.md").is_file()
    record = json.loads(next(folder.glob("code/kws/*/performance/firmware.json")).read_text(encoding="utf-8"))
    assert record["elf"]["sha256"] == outcome["results"][0]["firmware_sha256"]


def test_the_check_of_a_draft_finds_that_it_is_one_and_no_other_error(tree: Path, cm: Any, tmp_path: Path) -> None:
    checked = cm("run", "tinyscript", "--tags=check,mlperf,tiny,submission", f"--path={tree}", "--outdirname=check")
    assert checked.returncode == 1
    document = json.loads((tmp_path / "check" / "audit.json").read_text(encoding="utf-8"))
    assert {finding["rule"] for finding in document["findings"] if finding["severity"] == "error"} == DRAFT_RULES


def test_the_report_of_a_draft_has_the_runs_throughput(tree: Path, outcome: dict[str, Any], cm: Any, tmp_path: Path) -> None:
    reported = cm("run", "tinyscript", "--tags=generate,mlperf,tiny,report", f"--path={tree}", "--outdirname=report", "--formats=csv,md")
    assert reported.returncode == 0, reported.stdout + reported.stderr
    with (tmp_path / "report" / "summary-v1.4.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    throughput = next(entry["throughput_inf_per_s"] for entry in outcome["results"] if entry["mode"] == "performance")
    assert float(row["Result"]) == pytest.approx(throughput, abs=0.0006)
    assert row["HardwareNotes"].startswith("DRAFT")
