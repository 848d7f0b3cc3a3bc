# SPDX-License-Identifier: Apache-2.0
"""The step ``reproduce,mlperf,tiny``: the main job.

The work is a chain of steps (``deps`` of the meta). Here what they are asked for is checked before the first of them runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Step, flag, value
from cm4tiny.firmware.build_inputs import check_probabilities
from cm4tiny.firmware.engines.catalogue import MICROTVM, takes_model
from cm4tiny.settings import JOBS
from cm4tiny.workflows.board_flags import BoardFlags
from cm4tiny.workflows.build_flags import BuildFlags, check_build_flags
from cm4tiny.workflows.real_board import check_bench, check_monitor


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions(BuildFlags, BoardFlags):
    """What ``reproduce,mlperf,tiny`` is asked for."""

    outdirname: Path = flag("CM_TINY_OUTDIR", default="mlperf-tiny-results")
    jobs: int | None = flag("CM_TINY_JOBS", limits=JOBS)
    profile: bool = flag("CM_TINY_PROFILE")
    no_strict: bool = flag("CM_TINY_NO_STRICT")
    full_windows: bool = flag("CM_TINY_FULL_WINDOWS")
    bench: Path | None = flag("CM_TINY_BENCH")
    monitor: str = flag("CM_TINY_MONITOR")
    supply_mv: int | None = flag("CM_TINY_SUPPLY_MV", limits=(1800, 3300))
    model: Path | None = flag("CM_TINY_MODEL_FILE")
    benchmark: str = value("CM_TINY_BENCHMARK", default="all")
    mode: str = value("CM_TINY_MODE", default="standard")
    memory: str = value("CM_TINY_MEMORY")


def check_reproduce(options: ReproduceOptions, step: Step) -> None:
    """Checks what firmware is asked for.

    Raises:
        Cm4TinyError: as :func:`check_build_flags`, :func:`check_bench` and :func:`check_monitor`.
        ModelError: a model's results are not what the benchmark takes.
    """
    check_bench(options.bench, options)
    check_monitor(options.monitor, options.supply_mv, options.bench, (options.mode,), options)
    check_build_flags(options, options.benchmark, options.model, options.memory)
    if options.model is not None and takes_model(options.engine or MICROTVM):
        check_probabilities(options.model, options.benchmark, options.engine)
