# SPDX-License-Identifier: Apache-2.0
"""How firmware is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import flag, value
from cm4tiny.firmware.build_inputs import check_build_inputs


@dataclass(frozen=True, kw_only=True)
class BuildFlags:
    """How firmware is built. ``zeros``, ``channels`` and ``image`` come from variations."""

    toolchain: str = flag("CM_TINY_TOOLCHAIN", default="auto")
    mirror: Path | None = flag("CM_TINY_MIRROR")
    ram_budget: str = flag("CM_TINY_RAM_BUDGET")
    no_verify: str = flag("CM_TINY_NO_VERIFY")
    tune: str = flag("CM_TINY_TUNE")
    costs: Path | None = flag("CM_TINY_COSTS_FILE")
    engine: str = value("CM_TINY_ENGINE")
    image_mode: str = value("CM_TINY_IMAGE", default="performance")
    zeros: str = value("CM_TINY_ZEROS")
    channels: str = value("CM_TINY_DEAD")


def check_build_flags(flags: BuildFlags, benchmark: str, model: Path | None, memory: str = "") -> None:
    """Checks what firmware is asked for, before the first dependency runs.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.firmware.build_inputs.check_build_inputs`.
    """
    check_build_inputs(
        benchmark,
        engine=flags.engine,
        image=flags.image_mode,
        model=model,
        costs=flags.costs,
        ram_budget=flags.ram_budget,
        zeros=flags.zeros,
        channels=flags.channels,
        memory=memory,
    )
