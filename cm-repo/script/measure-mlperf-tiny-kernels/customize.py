# SPDX-License-Identifier: Apache-2.0
"""Measures the kernels of a model on the virtual board."""

from cm4tiny import cm
from cm4tiny.workflows.measure_mlperf_tiny_kernels import MeasureKernelsOptions, measure_kernels

preprocess = cm.step(MeasureKernelsOptions, measure_kernels)
