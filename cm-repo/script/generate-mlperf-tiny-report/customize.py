# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of a round or a submission."""

from cm4tiny import cm
from cm4tiny.workflows.generate_mlperf_tiny_report import ReportOptions, report_step

preprocess = cm.step(ReportOptions, report_step)
