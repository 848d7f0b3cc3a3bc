# SPDX-License-Identifier: Apache-2.0
"""Makes a submission from sessions."""

from cm4tiny import cm
from cm4tiny.workflows.generate_mlperf_tiny_submission import GenerateOptions, generate_step

preprocess = cm.step(GenerateOptions, generate_step)
