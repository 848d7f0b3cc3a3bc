# SPDX-License-Identifier: Apache-2.0
"""From a run on the virtual board to a draft of a submission, its check and its report, by CM's command line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc")

DRAFT_RULES = {"documents.draft", "documents.checklist", "evidence.simulated", "data.embedded"}


def test_a_run_becomes_a_draft_that_says_what_it_is(cm: Any, tmp_path: Path) -> None:
    ran = cm("run", "tinyscript", "--tags=reproduce,mlperf,tiny,_kws", "--outdirname=run", "--quiet")
    assert ran.returncode == 0, ran.stdout + ran.stderr

    options = ["--results=run/outcome.json", "--submitter=Example", "--board=NUCLEO_L4R5ZI", "--submission_dir=tree"]
    refused = cm("run", "tinyscript", "--tags=generate,mlperf,tiny,submission", *options)
    assert refused.returncode == 1
    assert "simulated: virtual NUCLEO-L4R5ZI" in refused.stdout + refused.stderr
    assert not (tmp_path / "tree").exists()

    made = cm("run", "tinyscript", "--tags=generate,mlperf,tiny,submission", "--draft", *options)
    assert made.returncode == 0, made.stdout + made.stderr
    folder = tmp_path / "tree" / "closed" / "Example"
    assert (folder / "DRAFT.md").is_file()
    record = json.loads(next(folder.glob("code/kws/*/performance/firmware.json")).read_text(encoding="utf-8"))
    outcome = json.loads((tmp_path / "run" / "outcome.json").read_text(encoding="utf-8"))
    assert record["elf"]["sha256"] == outcome["results"][0]["firmware_sha256"]

    checked = cm("run", "tinyscript", "--tags=check,mlperf,tiny,submission", "--path=tree", "--outdirname=check")
    assert checked.returncode == 1
    document = json.loads((tmp_path / "check" / "audit.json").read_text(encoding="utf-8"))
    assert {finding["rule"] for finding in document["findings"] if finding["severity"] == "error"} == DRAFT_RULES

    reported = cm("run", "tinyscript", "--tags=generate,mlperf,tiny,report", "--path=tree", "--outdirname=report", "--formats=csv,md")
    assert reported.returncode == 0, reported.stdout + reported.stderr
    with (tmp_path / "report" / "summary-v1.4.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    throughput = next(entry["throughput_inf_per_s"] for entry in outcome["results"] if entry["mode"] == "performance")
    assert float(row["Result"]) == pytest.approx(throughput, abs=0.0006)
    assert row["HardwareNotes"].startswith("DRAFT")
