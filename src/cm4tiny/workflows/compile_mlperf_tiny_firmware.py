# SPDX-License-Identifier: Apache-2.0
"""The step ``compile,mlperf,tiny,firmware-image``: a firmware image from a model and an engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks.own import OWN
from cm4tiny.boards.boards import described
from cm4tiny.cm import Outputs, Step, value
from cm4tiny.fetch.hashes import check_input
from cm4tiny.firmware.build_spec import BuildSpec, prunes_channels, skips_zeros
from cm4tiny.firmware.engines.sources import read_sources
from cm4tiny.firmware.microtvm_image import parse_ram_budget
from cm4tiny.verification import build, wanted

_FRONT = "build,firmware,mlperf,tiny"


@dataclass(frozen=True, kw_only=True)
class CompileFirmwareOptions:
    """What the step is asked for; the step in front of it has the flags."""

    benchmark: str = value("CM_TINY_MODEL")
    engine: str = value("CM_TINY_ENGINE")
    mode: str = value("CM_TINY_IMAGE")
    model: Path | None = value("CM_TINY_MODEL_FILE")
    model_sha256: str = value("CM_TINY_MODEL_SHA256")
    model_name: str = value("CM_TINY_MODEL_NAME")
    fetched_model: str = value("CM_ML_MODEL_FILE_WITH_PATH")
    tuning: str = value("CM_TINY_TUNING")
    costs: Path | None = value("CM_TINY_COSTS_FILE")
    costs_sha256: str = value("CM_TINY_COSTS_SHA256")
    toolchain: str = value("CM_TINY_TOOLCHAIN_KIND", needs="run the step get,tiny,toolchain first")
    library: str = value("CM_TINY_ENGINE_LIBRARY")
    sources: dict[str, str] = value("CM_TINY_ENGINE_SRC_*")
    ram_budget: str = value("CM_TINY_RAM_BUDGET")
    zeros: str = value("CM_TINY_ZEROS")
    channels: str = value("CM_TINY_DEAD")
    no_verify: str = value("CM_TINY_NO_VERIFY")
    board: str = value("CM_TINY_BOARD")


def compile_firmware(options: CompileFirmwareOptions, step: Step) -> Outputs:
    """Builds and verifies the image.

    Raises:
        UsageError: a file is not the one that the result is cached under, or the board does not come with the package.
        Cm4TinyError: as :func:`cm4tiny.verification.build`.
    """
    sources, _ = read_sources(options.engine, options.sources)
    check_input(options.model, options.model_sha256, _FRONT)
    if options.tuning == "untuned":
        check_input(options.costs, options.costs_sha256, _FRONT)
    board = described(options.board)
    spec = BuildSpec(
        benchmark=options.benchmark,
        engine=options.engine,
        mode=options.mode,
        model=str(options.model or options.fetched_model),
        toolchain=options.toolchain,
        sources={name: str(path) for name, path in sources.items()},
        library=options.library,
        ram_budget=parse_ram_budget(options.ram_budget, board),
        skip_zero=skips_zeros(options.zeros),
        prune_channels=prunes_channels(options.channels),
        costs=str(options.costs or ""),
        board=board.env_name,
        verify=wanted(options.no_verify),
        name=options.model_name if options.benchmark == OWN else "",
    )
    image = build(spec, step.folder / "firmware", step.events)
    return {f"CM_TINY_FIRMWARE_{spec.benchmark.upper()}_{spec.mode.upper()}": image.elf}
