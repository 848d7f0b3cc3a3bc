# SPDX-License-Identifier: Apache-2.0
"""Builds the dashboard of published results and own runs."""

from cm4tiny import cm
from cm4tiny.workflows.view_mlperf_tiny import ViewOptions, view_step

preprocess = cm.step(ViewOptions, view_step)
