# SPDX-License-Identifier: Apache-2.0
"""Tuning on the virtual board: what is measured is what runs, and an interrupted run continues."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.benchmarks.assets import model_file
from cm4tiny.errors import Cm4TinyError
from cm4tiny.firmware.kernels import KERNELS_VERSION
from cm4tiny.firmware.microtvm import CompileOptions, Costs, shipped_costs
from cm4tiny.firmware.microtvm.compiler import survey
from cm4tiny.firmware.microtvm.costs import content, read_costs
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.tuning import TuneRequest, tune
from cm4tiny.tuning.measure import measure_layers, trace_layers
from cm4tiny.tuning.tuner import worth_measuring

KWS = Path(model_file("kws"))


@pytest.fixture(autouse=True)
def _needs_a_toolchain():
    try:
        find_toolchain("auto", install=False)
    except Cm4TinyError as error:
        pytest.skip(f"no tool chain: {error}")


def almost_all() -> tuple[Costs, str, str]:
    """A table that holds all costs of the embedded keyword model but one, and which one is missing."""
    layers = {}
    for action in survey(KWS.read_bytes()):
        layers[content(action)] = dict.fromkeys((c.id for c in action.candidates), 7)
    action = max(survey(KWS.read_bytes()), key=lambda a: len(a.candidates))
    key, choice = content(action), worth_measuring(action)[1]
    del layers[key][choice]
    return Costs(KERNELS_VERSION, layers), key, choice


def test_a_missing_cost_is_measured_and_the_rest_is_kept(tmp_path):
    base, key, choice = almost_all()
    costs = tune(TuneRequest("kws", KWS, jobs=1), tmp_path / "costs.json", base=base)
    assert costs.layers[key][choice] > 10_000
    changed = {k: v for k, v in costs.layers.items() if v != base.layers[k]}
    assert list(changed) == [key]
    assert read_costs(tmp_path / "costs.json") == costs


def test_a_finished_table_needs_no_work(tmp_path, monkeypatch):
    base, key, choice = almost_all()
    full = replace(base, layers={**base.layers, key: {**base.layers[key], choice: 9}})
    (tmp_path / "costs.json").write_text(full.text())
    monkeypatch.setattr("cm4tiny.tuning.tuner._measure", lambda *_: pytest.fail("nothing was left to measure"))
    assert tune(TuneRequest("kws", KWS, jobs=1), tmp_path / "costs.json") == full


def test_the_forced_candidates_are_the_ones_that_run_and_their_cycles_add_up(tmp_path):
    actions = survey(KWS.read_bytes())
    choice = {i: a.candidates[-1].id for i, a in enumerate(actions) if len(a.candidates) > 1}
    layers = measure_layers("kws", KWS, CompileOptions(), choice, tmp_path)
    assert {i: layer.choice for i, (layer, _) in enumerate(layers) if i in choice} == choice
    again = trace_layers(tmp_path / "firmware.elf", get_benchmark("kws"))
    assert sum(again) == pytest.approx(sum(cycles for _, cycles in layers), rel=0.02)


def test_measured_costs_of_the_package_are_those_of_the_present_kernels(tmp_path):
    """The planner's sum over the shipped table equals what the board says, within the caches' warming."""
    actions = [shipped_costs().apply(action) for action in survey(KWS.read_bytes())]
    best = {i: min(a.candidates, key=lambda c: c.cycles) for i, a in enumerate(actions)}
    layers = measure_layers("kws", KWS, CompileOptions(), {i: c.id for i, c in best.items()}, tmp_path)
    for i, (layer, cycles) in enumerate(layers):
        if len(actions[i].candidates) > 1 and cycles > 20_000:
            assert cycles == pytest.approx(best[i].cycles, rel=0.02), layer.name
