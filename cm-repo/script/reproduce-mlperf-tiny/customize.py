# SPDX-License-Identifier: Apache-2.0
"""The main job is its chain of steps (deps in _cm.yaml); here its inputs are checked before the first of them runs."""

from cm4tiny import cm
from cm4tiny.workflows.reproduce_mlperf_tiny import ReproduceOptions, check_reproduce

check_inputs = cm.step(ReproduceOptions, check_reproduce)
