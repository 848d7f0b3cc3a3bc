# SPDX-License-Identifier: Apache-2.0
"""Writes rounds and own runs into CM experiments."""

from cm4tiny import cm
from cm4tiny.workflows.import_mlperf_tiny_to_experiment import ImportOptions, import_step

preprocess = cm.step(ImportOptions, import_step)
