# SPDX-License-Identifier: Apache-2.0
"""Which candidates are measured together."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from cm4tiny.cm import Step
from cm4tiny.errors import FirmwareError, UsageError
from cm4tiny.events import SILENT
from cm4tiny.firmware.graph import Add, Tensor
from cm4tiny.firmware.kernels import KERNELS_VERSION
from cm4tiny.firmware.kernels.base import Candidate
from cm4tiny.firmware.kernels.int16.storage import nhwc
from cm4tiny.firmware.microtvm.costs import Costs, content
from cm4tiny.firmware.microtvm.layout import Action, Value
from cm4tiny.tuning.tuner import TuneRequest, halves, plan_rounds, tune, worth_measuring
from cm4tiny.workflows.measure_mlperf_tiny_kernels import MeasureKernelsOptions, tune_request


def action(height: int, *cycles: int, ram: int = 0) -> Action:
    tensor = Tensor(1, (1, height, 4, 8), 0.1, 0)
    value = Value(tensor, nhwc(height, 4, 8))
    choices = tuple(Candidate(f"k{i}", c, ram * i, 0, lambda: None) for i, c in enumerate(cycles))
    return Action(Add(inputs=(tensor, tensor), output=tensor), choices, (value, value), value)


def test_every_candidate_of_every_layer_is_measured_once():
    actions = [action(4, 100, 101, 102), action(5, 50, 51)]
    rounds = plan_rounds(actions, Costs(KERNELS_VERSION))
    assert len(rounds) == 3
    for number, mine in enumerate(actions):
        assert sorted(r[number] for r in rounds if number in r) == [c.id for c in mine.candidates]


def test_layers_of_equal_content_share_the_work():
    rounds = plan_rounds([action(4, 100, 101, 102, 103), action(4, 100, 101, 102, 103)], Costs(KERNELS_VERSION))
    assert len(rounds) == 2
    assert sorted(choice for r in rounds for choice in r.values()) == ["k0", "k1", "k2", "k3"]


def test_a_single_candidate_needs_no_measurement():
    assert plan_rounds([action(4, 100)], Costs(KERNELS_VERSION)) == []


def test_what_the_table_holds_is_not_measured_again():
    mine = action(4, 100, 101, 102)
    rounds = plan_rounds([mine], Costs(KERNELS_VERSION, {content(mine): {"k0": 5, "k2": 5}}))
    assert rounds == [{0: "k1"}]


def test_a_hopeless_candidate_is_not_measured_unless_it_saves_ram():
    assert worth_measuring(action(4, 100, 900, ram=64)) == ["k0"]
    assert worth_measuring(action(4, 900, 100, ram=64)) == ["k1", "k0"]


def test_a_round_that_does_not_fit_is_cut_in_two_and_a_single_candidate_is_given_up():
    assert halves({0: "a", 1: "b", 2: "c"}) == [{0: "a"}, {1: "b", 2: "c"}]
    assert halves({3: "a"}) == []


class DyingPool:
    """Every process is killed."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def submit(self, *_):
        future = Future()
        future.set_exception(BrokenProcessPool("terminated abruptly"))
        return future

    def shutdown(self, **_):
        return None


def test_a_process_that_dies_is_an_error_with_a_hint(tmp_path, monkeypatch):
    monkeypatch.setattr("cm4tiny.tuning.tuner.ProcessPoolExecutor", DyingPool)
    monkeypatch.setattr("cm4tiny.tuning.tuner.survey", lambda *_: (action(4, 100, 101),))
    (tmp_path / "m.tflite").write_bytes(b"")
    with pytest.raises(FirmwareError) as caught:
        tune(TuneRequest("kws", tmp_path / "m.tflite"), tmp_path / "costs.json")
    assert "same command again" in caught.value.hint


def request(env):
    return tune_request(Step(env, SILENT, Path("/folder")).options(MeasureKernelsOptions))


def test_a_number_of_jobs_that_is_none_is_refused():
    with pytest.raises(UsageError, match="is not a number"):
        request({"CM_TINY_MODEL": "kws", "CM_TINY_JOBS": "many"})


def test_a_wish_comes_from_the_env_and_the_users_model_goes_first():
    env = {
        "CM_TINY_MODEL": "kws",
        "CM_ML_MODEL_FILE_WITH_PATH": "embedded.tflite",
        "CM_TINY_ZEROS": "keep_zeros",
        "CM_TINY_DEAD": "drop_dead",
    }
    wanted = request(env | {"CM_TINY_MODEL_FILE": "mine.tflite"})
    assert (wanted.model, wanted.skip_zero, wanted.prune_channels, wanted.jobs) == (Path("/folder/mine.tflite"), False, True, 0)
    assert request(env).model == Path("embedded.tflite")
