# SPDX-License-Identifier: Apache-2.0
"""Makes a submission from sessions."""

from cm4tiny import cm
from cm4tiny.workflows.generate_mlperf_tiny_submission import GenerateOptions, check_answers, generate_step

check_inputs = cm.step(GenerateOptions, check_answers)
preprocess = cm.step(GenerateOptions, generate_step)
