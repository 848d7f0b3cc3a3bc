# SPDX-License-Identifier: Apache-2.0
"""Measures the kernels of a model on the virtual board."""

from cm4tiny import cm
from cm4tiny.fetch.hashes import check_input
from cm4tiny.firmware.microtvm import shipped_costs
from cm4tiny.tuning import TuneRequest, tune


@cm.step
def preprocess(step):
    check_input(step.path("CM_TINY_MODEL_FILE"), step.env["CM_TINY_MODEL_SHA256"], "tune,mlperf,tiny")
    table = step.folder / "costs.json"
    tune(TuneRequest.from_env(step.env, step.path("CM_TINY_MODEL_FILE")), table, base=shipped_costs(), events=step.events)
    step.env["CM_TINY_COSTS_FILE"] = str(table)
