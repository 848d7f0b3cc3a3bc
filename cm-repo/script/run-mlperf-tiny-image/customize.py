# SPDX-License-Identifier: Apache-2.0
"""Runs published firmware images, or a file, on the virtual board."""

from cm4tiny import cm
from cm4tiny.workflows.run_mlperf_tiny_image import RunImageOptions, check_images, run_image_step

check_inputs = cm.step(RunImageOptions, check_images)
preprocess = cm.step(RunImageOptions, run_image_step)
