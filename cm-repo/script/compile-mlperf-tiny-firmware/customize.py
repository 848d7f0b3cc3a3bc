# SPDX-License-Identifier: Apache-2.0
"""Makes a firmware image from a model and an engine."""

from cm4tiny import cm
from cm4tiny.fetch.hashes import check_input
from cm4tiny.firmware.engines.sources import read_sources
from cm4tiny.firmware.own_engine import parse_ram_budget
from cm4tiny.firmware.recipe import Recipe
from cm4tiny.verification import build, wanted


@cm.step
def preprocess(step):
    engine = step.env["CM_TINY_ENGINE"]
    sources, _ = read_sources(engine, step.env)
    check_input(step.path("CM_TINY_MODEL_FILE"), step.env["CM_TINY_MODEL_SHA256"], "build,firmware,mlperf,tiny")
    if step.env["CM_TINY_TUNING"] == "untuned":
        check_input(step.path("CM_TINY_COSTS_FILE"), step.env["CM_TINY_COSTS_SHA256"], "build,firmware,mlperf,tiny")
    recipe = Recipe(
        benchmark=step.env["CM_TINY_MODEL"],
        engine=engine,
        mode=step.env["CM_TINY_IMAGE"],
        model=step.path("CM_TINY_MODEL_FILE") or step.env.get("CM_ML_MODEL_FILE_WITH_PATH", ""),
        toolchain=step.need("CM_TINY_TOOLCHAIN_KIND", "run the step get,tiny,toolchain first"),
        sources={name: str(path) for name, path in sources.items()},
        library=step.env.get("CM_TINY_ENGINE_LIBRARY", ""),
        ram_budget=parse_ram_budget(step.env.get("CM_TINY_RAM_BUDGET", "")),
        skip_zero=step.env.get("CM_TINY_ZEROS") != "keep_zeros",
        drop_dead=step.env.get("CM_TINY_DEAD") == "drop_dead",
        costs=step.path("CM_TINY_COSTS_FILE"),
        verify=wanted(step.env.get("CM_TINY_NO_VERIFY", "")),
    )
    image = build(recipe, step.folder / "firmware", step.events)
    step.env[f"CM_TINY_FIRMWARE_{recipe.benchmark.upper()}_{recipe.mode.upper()}"] = str(image.elf)
