# SPDX-License-Identifier: Apache-2.0
"""The steps view,mlperf,tiny and import,mlperf,tiny,to-experiment as a user calls them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_the_dashboard_is_built_by_one_command(cm: Callable[..., Any], tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="needs the Python package vl-convert-python (extra dashboard)")
    (tmp_path / "own.csv").write_text("board,price [EUR] less\nNUCLEO-L4R5ZI,19.5\nnowhere,1\n", encoding="utf-8")
    metric = "worth [inf/s/EUR] more = throughput_inf_per_s / price"
    done = cm("run", "script", "--tags=view,mlperf,tiny", "--outdirname=site", "--columns=own.csv", f"--metrics={metric}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "365 results, 0 of them your own" in done.stdout
    assert "for no result: 3" in done.stdout
    text = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert '"id":"worth"' in text


def test_a_wrong_metric_ends_with_its_hint(cm: Callable[..., Any]) -> None:
    done = cm("run", "script", "--tags=import,mlperf,tiny,to-experiment", "--metrics=x = __import__('os')")
    assert done.returncode != 0
    assert "is not allowed in it" in done.stdout + done.stderr
    assert "hint:" in done.stdout + done.stderr


def test_cm_finds_the_experiments_that_were_imported(cm: Callable[..., Any]) -> None:
    for _ in range(2):
        done = cm("run", "script", "--tags=import,mlperf,tiny,to-experiment")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "365 results in 41 CM experiments" in done.stdout
    found = cm("find", "experiment,a0a2d123ef064bcb", "--common", "--tags=mlperf-tiny,v1.3,kws")
    (folder,) = found.stdout.split()
    (file,) = Path(folder).glob("*/cm-result.json")
    results = json.loads(file.read_text(encoding="utf-8"))
    assert len(results) == 9
    assert all(result["Benchmark"] == "kws" and result["version"] == "v1.3" for result in results)
