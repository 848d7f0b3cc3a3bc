# SPDX-License-Identifier: Apache-2.0
"""The step ``tune,mlperf,tiny``: a front of ``measure,mlperf,tiny,kernels``.

The work is a chain of steps (``deps`` of the meta). Here what they are asked for is checked before the first of them runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Step, flag, value
from cm4tiny.firmware.build_inputs import check_build_inputs, chosen_benchmark
from cm4tiny.settings import JOBS


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """What ``tune,mlperf,tiny`` is asked for."""

    model: Path | None = flag("CM_TINY_MODEL_FILE")
    toolchain: str = flag("CM_TINY_TOOLCHAIN", default="auto")
    mirror: Path | None = flag("CM_TINY_MIRROR")
    jobs: int | None = flag("CM_TINY_JOBS", limits=JOBS)
    benchmark: str = value("CM_TINY_MODEL")
    zeros: str = value("CM_TINY_ZEROS")
    channels: str = value("CM_TINY_DEAD")


def check_tune(options: TuneOptions, step: Step) -> None:
    """Checks the model that is measured.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.firmware.build_inputs.check_build_inputs`.
    """
    benchmark = chosen_benchmark(options.benchmark, options.model, "kws")
    check_build_inputs(benchmark, model=options.model, zeros=options.zeros, channels=options.channels)
