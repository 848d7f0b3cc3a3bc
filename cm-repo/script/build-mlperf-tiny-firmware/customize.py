# SPDX-License-Identifier: Apache-2.0
"""The image is made by the step compile,mlperf,tiny,firmware-image (deps in _cm.yaml); inputs are checked before the first of them."""

from cm4tiny import cm
from cm4tiny.workflows.build_mlperf_tiny_firmware import BuildOptions, check_build

check_inputs = cm.step(BuildOptions, check_build)
