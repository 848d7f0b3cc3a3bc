# SPDX-License-Identifier: Apache-2.0
"""Whether a firmware image can be asked for at all, before a tool chain is fetched or a library is built.

What is checked here is checked again where it is used; this is only earlier. Nothing is compiled, TVM is not imported, and a request
without options costs nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cm4tiny.errors import ModelError, UsageError

if TYPE_CHECKING:
    from cm4tiny.benchmarks import Benchmark

_OPTIONS = ("CM_TINY_MODEL_FILE", "CM_TINY_COSTS_FILE", "CM_TINY_RAM_BUDGET", "CM_TINY_ZEROS", "CM_TINY_DEAD")


def check_build_inputs(env: Mapping[str, str], path: Callable[[str], str]) -> None:
    """Checks the inputs of the steps that build firmware, from their env before the first dependency runs.

    Args:
        env: ``CM_TINY_MODEL`` or ``CM_TINY_BENCHMARK``, ``CM_TINY_ENGINE``, ``CM_TINY_IMAGE`` and the options of the build.
        path: makes the user's paths absolute.

    Raises:
        UsageError: an unknown name, a size that is not possible, options that the engine does not have.
        ModelError: the model cannot be read, is not int8, has an operator that the engine lacks, or does not fit the benchmark.
        FirmwareError: the table of costs is damaged.
    """
    if not any(env.get(name) for name in _OPTIONS):
        return
    from cm4tiny.benchmarks import BENCHMARKS
    from cm4tiny.firmware.engines.catalogue import OWN, takes_model
    from cm4tiny.firmware.own_engine import parse_ram_budget
    from cm4tiny.firmware.recipe import Recipe

    engine = env.get("CM_TINY_ENGINE") or OWN
    wanted = env.get("CM_TINY_MODEL") or env.get("CM_TINY_BENCHMARK") or "all"
    model = "" if env.get("CM_TINY_IMAGE_FILE") else path("CM_TINY_MODEL_FILE")
    costs = path("CM_TINY_COSTS_FILE")
    budget = parse_ram_budget(str(env.get("CM_TINY_RAM_BUDGET", "")))
    if model and wanted == "all":
        raise UsageError("--model is the model of one benchmark, and none was chosen", hint=_choose(model, engine))
    for name in BENCHMARKS if wanted == "all" else (wanted,):
        benchmark = Recipe(
            name, engine, env.get("CM_TINY_IMAGE") or "performance", model, ram_budget=budget, costs=costs,
            skip_zero=env.get("CM_TINY_ZEROS") != "keep_zeros", drop_dead=env.get("CM_TINY_DEAD") == "drop_dead",
        ).check()  # fmt: skip
        if model and takes_model(engine):
            check_model_file(model, benchmark, engine)
    if costs:
        from cm4tiny.firmware.microtvm.costs import read_costs

        read_costs(Path(costs))


def _choose(model: str, engine: str) -> str:
    from cm4tiny.benchmarks import ALL_BENCHMARKS, BENCHMARKS, get_benchmark

    fitting = []
    for name in ALL_BENCHMARKS:
        with contextlib.suppress(ModelError):
            check_model_file(model, get_benchmark(name), engine)
            fitting.append(f"_{name}")
    return f"add the benchmark to the tags: {' or '.join(fitting) or ', '.join(f'_{name}' for name in BENCHMARKS)}"


def check_model_file(model: str, benchmark: Benchmark, engine: str) -> None:
    """Raises ModelError if the engine cannot compile the file for the benchmark; says the same as the build would."""
    from cm4tiny.firmware.recipe import check_model, read_model_file

    check_model(engine, benchmark, read_model_file(model))
