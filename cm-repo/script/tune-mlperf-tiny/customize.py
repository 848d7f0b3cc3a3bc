"""Measures the kernels of a model on the virtual board."""

from cm4tiny import cm
from cm4tiny.firmware.microtvm import shipped_costs
from cm4tiny.tuning import TuneWish, tune


@cm.step
def preprocess(step):
    table = step.folder / "costs.json"
    tune(TuneWish.from_env(step.env, step.path("CM_TINY_MODEL_FILE")), table, base=shipped_costs(), events=step.events)
    step.env["CM_TINY_COSTS_FILE"] = str(table)
