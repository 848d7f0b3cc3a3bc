"""Gets the int8 model of a benchmark."""

from cm4tiny import cm
from cm4tiny.benchmarks.assets import model_file


@cm.step
def preprocess(step):
    path = model_file(step.env["CM_TINY_MODEL"], step.env["CM_TINY_ASSETS"])
    step.env["CM_ML_MODEL_FILE_WITH_PATH"] = str(path)
