# SPDX-License-Identifier: Apache-2.0
"""Gets the evaluation samples of a benchmark."""

from cm4tiny import cm
from cm4tiny.workflows.get_mlperf_tiny_dataset import DatasetOptions, get_dataset

preprocess = cm.step(DatasetOptions, get_dataset)
