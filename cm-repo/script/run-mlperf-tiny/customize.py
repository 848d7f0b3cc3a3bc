# SPDX-License-Identifier: Apache-2.0
"""Runs benchmarks on a board and writes the sessions."""

from cm4tiny import cm
from cm4tiny.runner.benchmark_run import BenchmarkRun, run_benchmarks


@cm.step
def check_inputs(step):
    BenchmarkRun.from_env(step.env)


@cm.step
def preprocess(step):
    step.env["CM_TINY_OUTCOME"] = str(run_benchmarks(BenchmarkRun.from_env(step.env), step.events))
