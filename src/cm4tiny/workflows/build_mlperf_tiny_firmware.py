# SPDX-License-Identifier: Apache-2.0
"""The step ``build,mlperf,tiny,firmware``: a front of ``compile,mlperf,tiny,firmware-image``.

The work is a chain of steps (``deps`` of the meta). Here what they are asked for is checked before the first of them runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Step, flag, value
from cm4tiny.firmware.build_inputs import chosen_benchmark
from cm4tiny.workflows.build_flags import BuildFlags, check_build_flags


@dataclass(frozen=True, kw_only=True)
class BuildOptions(BuildFlags):
    """What ``build,mlperf,tiny,firmware`` is asked for."""

    model: Path | None = flag("CM_TINY_MODEL_FILE")
    benchmark: str = value("CM_TINY_MODEL")


def check_build(options: BuildOptions, step: Step) -> None:
    """Checks what firmware is asked for.

    Raises:
        Cm4TinyError: as :func:`check_build_flags`.
    """
    check_build_flags(options, chosen_benchmark(options.benchmark, options.model, "kws"), options.model)
