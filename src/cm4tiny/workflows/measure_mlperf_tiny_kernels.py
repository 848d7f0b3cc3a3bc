# SPDX-License-Identifier: Apache-2.0
"""The step ``measure,mlperf,tiny,kernels``: what the kernels of a model cost on the virtual board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Outputs, Step, value
from cm4tiny.fetch.hashes import check_input
from cm4tiny.firmware.build_spec import prunes_channels, skips_zeros
from cm4tiny.firmware.microtvm import shipped_costs
from cm4tiny.settings import JOBS
from cm4tiny.tuning import TuneRequest, tune


@dataclass(frozen=True, kw_only=True)
class MeasureKernelsOptions:
    """What the step is asked for; ``tune,mlperf,tiny`` in front of it has the flags."""

    benchmark: str = value("CM_TINY_MODEL")
    model: Path | None = value("CM_TINY_MODEL_FILE")
    model_sha256: str = value("CM_TINY_MODEL_SHA256")
    fetched_model: str = value("CM_ML_MODEL_FILE_WITH_PATH")
    toolchain: str = value("CM_TINY_TOOLCHAIN_KIND", default="auto")
    zeros: str = value("CM_TINY_ZEROS")
    channels: str = value("CM_TINY_DEAD")
    jobs: int | None = value("CM_TINY_JOBS", limits=JOBS)


def tune_request(options: MeasureKernelsOptions) -> TuneRequest:
    """The request: the user's model, else the benchmark's."""
    return TuneRequest(
        benchmark=options.benchmark,
        model=options.model or Path(options.fetched_model),
        toolchain=options.toolchain,
        skip_zero=skips_zeros(options.zeros),
        prune_channels=prunes_channels(options.channels),
        jobs=options.jobs or 0,
    )


def measure_kernels(options: MeasureKernelsOptions, step: Step) -> Outputs:
    """Measures them and writes ``costs.json``.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.tuning.tune`.
    """
    check_input(options.model, options.model_sha256, "tune,mlperf,tiny")
    table = step.folder / "costs.json"
    tune(tune_request(options), table, base=shipped_costs(), events=step.events)
    return {"CM_TINY_COSTS_FILE": table}
