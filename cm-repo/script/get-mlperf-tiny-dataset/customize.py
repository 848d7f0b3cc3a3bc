"""Gets the evaluation samples of a benchmark."""

from cm4tiny import cm
from cm4tiny.benchmarks.assets import data_set


@cm.step
def preprocess(step):
    benchmark = step.env["CM_TINY_MODEL"]
    samples = data_set(benchmark, step.env["CM_TINY_ASSETS"])
    step.env[f"CM_MLPERF_TINY_DATASETS_{benchmark.upper()}"] = str(samples.root)
