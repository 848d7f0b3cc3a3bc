# SPDX-License-Identifier: Apache-2.0
"""Gets the model of a benchmark."""

from cm4tiny import cm
from cm4tiny.workflows.get_mlperf_tiny_model import ModelOptions, get_model

preprocess = cm.step(ModelOptions, get_model)
