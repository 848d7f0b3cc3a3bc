# SPDX-License-Identifier: Apache-2.0
"""Makes a firmware image from a model and an engine."""

from cm4tiny import cm
from cm4tiny.workflows.compile_mlperf_tiny_firmware import CompileFirmwareOptions, compile_firmware

preprocess = cm.step(CompileFirmwareOptions, compile_firmware)
