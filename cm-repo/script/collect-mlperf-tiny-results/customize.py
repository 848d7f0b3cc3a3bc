# SPDX-License-Identifier: Apache-2.0
"""Turns the outcome of a run into report.json, report.md and a table."""

from cm4tiny import cm
from cm4tiny.workflows.collect_mlperf_tiny_results import CollectOptions, collect_step

preprocess = cm.step(CollectOptions, collect_step)
