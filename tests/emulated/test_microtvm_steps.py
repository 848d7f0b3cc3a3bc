# SPDX-License-Identifier: Apache-2.0
"""The build step with the own engine's options, as a user calls it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.benchmarks import embedded_model

BUILD = "--tags=build,firmware,mlperf,tiny,_kws"


def record_of(output: str, home: Path) -> dict[str, Any]:
    """The newest firmware.json below CM's home."""
    found = sorted(home.rglob("firmware/firmware.json"), key=lambda path: path.stat().st_mtime)
    assert found, output
    return json.loads(found[-1].read_text())


def test_a_low_ram_image_keeps_to_its_budget_and_says_what_computes_each_layer(cm, cm_home):
    done = cm("run", "script", BUILD + ",_low_ram")
    assert done.returncode == 0, done.stdout + done.stderr
    record = record_of(done.stdout, cm_home)
    assert record["options"]["ram_budget"] == 131072
    assert record["ram_bytes"] + 8192 <= 131072
    assert record["division"] == "closed"
    assert all(layer["choice"] and not layer["fallback"] for layer in record["layers"] if layer["kind"] != "clear")


def test_a_small_budget_moves_weights_to_flash(cm, cm_home):
    done = cm("run", "script", BUILD, "--ram_budget=64K")
    assert done.returncode == 0, done.stdout + done.stderr
    record = record_of(done.stdout, cm_home)
    assert record["ram_bytes"] + 8192 <= 65536
    assert any("flash" in layer["choice"] or "staged" in layer["choice"] for layer in record["layers"])


def test_a_budget_that_is_too_small_names_one_that_is_enough(cm):
    done = cm("run", "script", BUILD, "--ram_budget=16K")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    enough = re.search(r"--ram_budget=(\d+)", said)
    assert enough, said
    again = cm("run", "script", BUILD, f"--ram_budget={enough[1]}")
    assert again.returncode == 0, again.stdout + again.stderr
    less = cm("run", "script", BUILD, f"--ram_budget={int(enough[1]) - 1}")
    assert less.returncode != 0


def test_the_step_verifies_the_image_unless_it_is_told_not_to(cm, cm_home):
    done = cm("run", "script", BUILD, "--ram_budget=600K")  # no other test asks for it, so it is built here
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verify kws performance" in done.stdout + done.stderr
    assert record_of(done.stdout, cm_home)["verification"]["verified"] is True
    done = cm("run", "script", BUILD, "--no_verify", "--new")
    assert done.returncode == 0, done.stdout + done.stderr
    assert record_of(done.stdout, cm_home)["verification"]["verified"] is False


@pytest.mark.parametrize(("engine", "model", "complaint"), [
    ("microtvm", "ic", "does not fit the benchmark"),
    ("tflm_cmsis_nn", "ic", "does not fit the benchmark"),
])  # fmt: skip
def test_a_model_that_cannot_be_used_is_refused_before_anything_is_fetched_or_compiled(cm, engine, model, complaint):
    done = cm("run", "script", f"{BUILD},_{engine}", f"--model={embedded_model(model)}")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert complaint in said
    assert "compile" not in said.partition(complaint)[0].replace("compile-mlperf", "")
    assert "checkout" not in said


@pytest.mark.parametrize(
    ("options", "complaint"),
    [(["--ram_budget=lots"], "is not a size of memory"), (["--costs=nowhere.json"], "nowhere.json does not exist")],
)
def test_wrong_options_are_refused(cm, options, complaint):
    done = cm("run", "script", BUILD, *options)
    assert done.returncode != 0
    assert complaint in done.stdout + done.stderr


def test_tuning_a_known_model_measures_nothing_again(cm, cm_home):
    done = cm("run", "script", BUILD.replace("_kws", "_ad"), "--tune")
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert "[done]  tune ad" in said and "%] tune ad" not in said, said
    assert record_of(done.stdout, cm_home)["options"]["tuned"] is True
