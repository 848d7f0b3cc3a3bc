"""Compiles a model to a firmware image for the NUCLEO-L4R5ZI."""

from cm4tiny import cm
from cm4tiny.firmware.recipe import Recipe, build


@cm.step
def preprocess(step):
    recipe = Recipe(
        benchmark=step.env["CM_TINY_MODEL"],
        engine=step.env["CM_TINY_ENGINE"],
        mode=step.env["CM_TINY_IMAGE"],
        model=step.path("CM_TINY_MODEL_FILE") or step.need("CM_ML_MODEL_FILE_WITH_PATH", "run get,mlperf,tiny,model first"),
        toolchain=step.need("CM_TINY_TOOLCHAIN_KIND", "run the step get,tiny,toolchain first"),
    )
    image = build(recipe, step.folder / "firmware", step.events)
    step.env[f"CM_TINY_FIRMWARE_{recipe.benchmark.upper()}_{recipe.mode.upper()}"] = str(image.elf)
