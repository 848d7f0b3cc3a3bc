# SPDX-License-Identifier: Apache-2.0
"""What a variation of the building steps says, what a benchmark's dependency passes on, and what the compiler is then asked for."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from cm4tiny.benchmarks import chosen_benchmarks
from cm4tiny.boards.boards import default_board
from cm4tiny.cm import Step
from cm4tiny.events import SILENT
from cm4tiny.firmware.build_spec import BuildSpec
from cm4tiny.firmware.microtvm_image import parse_ram_budget
from cm4tiny.paths import cm_repo
from cm4tiny.workflows import compile_mlperf_tiny_firmware
from cm4tiny.workflows.measure_mlperf_tiny_kernels import MeasureKernelsOptions, tune_request

BENCHMARKS = ("ad", "ic", "kws", "vww", "ic02")
STEPS = {path.parent.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in cm_repo().glob("script/*/_cm.yaml")}
GROUPS = {
    "assets": "CM_TINY_ASSETS",
    "board": "CM_TINY_BOARD_KIND",
    "channels": "CM_TINY_DEAD",
    "engine": "CM_TINY_ENGINE",
    "image": "CM_TINY_IMAGE",
    "list": "CM_TINY_LIST",
    "memory": "CM_TINY_MEMORY",
    "mode": "CM_TINY_MODE",
    "zeros": "CM_TINY_ZEROS",
}
"""Group of variations -> the key that each of them sets to its own name."""
STEPS_THAT_BUILD = ("build-mlperf-tiny-firmware", "profile-mlperf-tiny", "reproduce-mlperf-tiny", "tune-mlperf-tiny")
MORE = {
    ("build-mlperf-tiny-firmware", "low_ram"): {"CM_TINY_RAM_BUDGET": "128K"},
    ("reproduce-mlperf-tiny", "energy"): {"CM_TINY_IMAGE": "energy"},
}
"""What a variation sets next to that."""
PASSED_ON = ["CM_TINY_ENGINE", "CM_TINY_ASSETS", "CM_TINY_IMAGE", "CM_TINY_ZEROS", "CM_TINY_DEAD", "CM_TINY_MEMORY"]


@pytest.mark.parametrize("step", ["reproduce-mlperf-tiny", "build-mlperf-tiny-firmware", "profile-mlperf-tiny", "tune-mlperf-tiny"])
def test_a_variation_sets_its_groups_key_to_its_name(step: str) -> None:
    seen = 0
    for name, variation in STEPS[step]["variations"].items():
        group = variation.get("group", "")
        if group in GROUPS:
            assert variation["env"] == {GROUPS[group]: name} | MORE.get((step, name), {}), name
            seen += 1
        elif group == "benchmark":
            assert list(variation["env"].values()) == [name]
    assert seen >= 5


@pytest.mark.parametrize("step", ["reproduce-mlperf-tiny", "profile-mlperf-tiny"])
def test_all_benchmarks_are_built_with_the_same_options(step: str) -> None:
    kinds: dict[str, dict[str, Any]] = defaultdict(dict)
    for dependency in STEPS[step]["deps"]:
        tags = dependency["tags"].split(",")
        name = tags[-1].removeprefix("_")
        if name in BENCHMARKS:
            rest = {key: value for key, value in dependency.items() if key not in ("tags", "names", "enable_if_env", "skip_if_env")}
            own = dependency.get("skip_if_env")  # a model of the user's without a benchmark is built instead of all of them
            assert own in (None, {"CM_TINY_BENCHMARK": ["all"], "CM_TINY_MODEL_FILE": ["yes"]})
            assert (own is None) == (step != "profile-mlperf-tiny" or name not in chosen_benchmarks("all"))
            kinds[",".join(tags[:-1])][name] = rest
            words = [name, *(word for word in ("all", "v1.4") if name in chosen_benchmarks(word))]
            assert dependency["enable_if_env"] == {"CM_TINY_BENCHMARK": words}
            assert dependency["names"][1] == f"{dependency['names'][0]}-{name}"
    assert "build,mlperf,tiny,firmware,cm4tiny" in kinds
    for kind, rows in kinds.items():
        assert tuple(rows) == BENCHMARKS, kind
        assert all(row == rows["ad"] for row in rows.values()), kind
    assert kinds["build,mlperf,tiny,firmware,cm4tiny"]["ad"]["update_tags_from_env_with_prefix"] == {"_": PASSED_ON}


ENVS: list[tuple[dict[str, str], bool, bool]] = [
    ({}, True, False),
    ({"CM_TINY_ZEROS": "skip_zeros", "CM_TINY_DEAD": "keep_dead"}, True, False),
    ({"CM_TINY_ZEROS": "keep_zeros"}, False, False),
    ({"CM_TINY_DEAD": "prune_channels"}, True, True),
    ({"CM_TINY_ZEROS": "keep_zeros", "CM_TINY_DEAD": "drop_dead"}, False, True),
]


@pytest.mark.parametrize(("env", "skip_zero", "prune_channels"), ENVS)
def test_the_compiling_step_asks_for_what_the_variations_say(
    env: dict[str, str], skip_zero: bool, prune_channels: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = asked_of_the_compiling_step(env, tmp_path, monkeypatch)
    assert (spec.skip_zero, spec.prune_channels, spec.verify, spec.ram_budget) == (skip_zero, prune_channels, True, parse_ram_budget(""))
    asked = Step({"CM_TINY_MODEL": "kws", **env}, SILENT, tmp_path)
    request = tune_request(asked.options(MeasureKernelsOptions))
    assert (request.options.skip_zero, request.options.prune_channels) == (skip_zero, prune_channels)


def test_variations_have_the_names_of_before_as_aliases() -> None:
    found = {name: step["variations"]["drop_dead"] for name, step in STEPS.items() if "drop_dead" in step.get("variations", {})}
    assert found == {step: {"alias": "prune_channels"} for step in STEPS_THAT_BUILD}
    assert STEPS["tune-mlperf-tiny"]["variations"]["keep_dead"] == {"alias": "keep_channels"}


def test_a_budget_and_no_verification_reach_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = asked_of_the_compiling_step({"CM_TINY_RAM_BUDGET": "128K", "CM_TINY_NO_VERIFY": "yes"}, tmp_path, monkeypatch)
    assert (spec.ram_budget, spec.verify) == (128 * 1024, False)


def test_the_board_that_is_named_reaches_the_compiler_and_the_key_of_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [asked_of_the_compiling_step(env, tmp_path, monkeypatch).board for env in ({}, {"CM_TINY_BOARD": "nucleo-l4r5zi-p"})]
    assert asked == [default_board().env_name, "NUCLEO_L4R5ZI_P"]
    with pytest.raises(AssertionError, match="kept result"):
        asked_of_the_compiling_step({"CM_TINY_BOARD": "elsewhere/board.yaml"}, tmp_path, monkeypatch)
    meta = STEPS["compile-mlperf-tiny-firmware"]
    assert meta["default_env"]["CM_TINY_BOARD"] == STEPS["get-tiny-board"]["default_env"]["CM_TINY_BOARD"] == default_board().env_name
    assert {"env": "CM_TINY_BOARD", "prefix": "board-"} in meta["extra_cache_tags_from_env"]


def asked_of_the_compiling_step(env: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> BuildSpec:
    """What ``customize.py`` of the compiling step asks the builder for."""
    path = cm_repo() / "script" / "compile-mlperf-tiny-firmware" / "customize.py"
    spec = importlib.util.spec_from_file_location("compile_customize", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    asked: list[BuildSpec] = []

    def build(spec: BuildSpec, *_: object) -> SimpleNamespace:
        asked.append(spec)
        return SimpleNamespace(elf=folder / "x.elf")

    monkeypatch.setattr(compile_mlperf_tiny_firmware, "build", build)
    whole = {
        "CM_TINY_ENGINE": "microtvm",
        "CM_TINY_MODEL": "kws",
        "CM_TINY_IMAGE": "performance",
        "CM_TINY_TUNING": "tuned",
        "CM_TINY_TOOLCHAIN_KIND": "auto",
        "CM_TINY_MODEL_FILE": "",
        "CM_TINY_MODEL_SHA256": "",
        **env,
    }
    monkeypatch.chdir(folder)
    answer = module.preprocess({"env": whole})
    assert answer["return"] == 0, answer.get("error")
    return asked[0]
