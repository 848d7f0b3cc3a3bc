# SPDX-License-Identifier: Apache-2.0
"""The step ``get,tiny,input-identity``: names what the user gave, files by their content, so that results are cached by it under every
engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks.own import OWN, model_name
from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.fetch.hashes import input_digest
from cm4tiny.firmware.build_inputs import chosen_benchmark
from cm4tiny.firmware.build_spec import check_given_model
from cm4tiny.settings import is_on


@dataclass(frozen=True, kw_only=True)
class InputIdentityOptions:
    """What the user gave. Any word but a no asks for tuning, as the condition of the step ``tune`` has it."""

    model: Path | None = flag("CM_TINY_MODEL_FILE")
    costs: Path | None = flag("CM_TINY_COSTS_FILE")
    tune: str = flag("CM_TINY_TUNE")
    engine: str = value("CM_TINY_ENGINE")
    benchmark: str = value("CM_TINY_MODEL")


def name_inputs(options: InputIdentityOptions, step: Step) -> Outputs:
    """Digests of the files, and ``tuned`` or ``untuned``; where no benchmark was named, the model's own name.

    Raises:
        Cm4TinyError: a file cannot be read, or the model is not one that the engine and the benchmark take.
    """
    benchmark = chosen_benchmark(options.benchmark, options.model, "")
    check_given_model(options.engine, benchmark, str(options.model or ""))
    own = {"CM_TINY_MODEL": OWN, "CM_TINY_MODEL_NAME": model_name(options.model)} if options.model and benchmark == OWN else {}
    files = {"CM_TINY_MODEL_SHA256": options.model, "CM_TINY_COSTS_SHA256": options.costs}
    digests = {key: input_digest(path) for key, path in files.items() if path}
    return {**digests, **own, "CM_TINY_TUNING": "tuned" if is_on(options.tune, other=True) else "untuned"}
