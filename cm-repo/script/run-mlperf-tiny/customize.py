# SPDX-License-Identifier: Apache-2.0
"""Runs benchmarks on a board and writes the sessions."""

from cm4tiny import cm
from cm4tiny.workflows.run_mlperf_tiny import RunOptions, check_run, run_step

check_inputs = cm.step(RunOptions, check_run)
preprocess = cm.step(RunOptions, run_step)
