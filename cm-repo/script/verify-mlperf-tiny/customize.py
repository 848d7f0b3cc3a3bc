# SPDX-License-Identifier: Apache-2.0
"""Computes every digest and every figure of a report again from what lies next to it."""

from cm4tiny import cm
from cm4tiny.workflows.verify_mlperf_tiny import VerifyOptions, verify_step

preprocess = cm.step(VerifyOptions, verify_step)
