# SPDX-License-Identifier: Apache-2.0
"""Checks a submission: every claim recomputed, every rule applied."""

from cm4tiny import cm
from cm4tiny.workflows.check_mlperf_tiny_submission import CheckOptions, check_place, check_step

check_inputs = cm.step(CheckOptions, check_place)
preprocess = cm.step(CheckOptions, check_step)
