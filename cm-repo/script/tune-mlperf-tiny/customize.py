# SPDX-License-Identifier: Apache-2.0
"""The kernels are measured by the step measure,mlperf,tiny,kernels (deps in _cm.yaml); inputs are checked before the first of them."""

from cm4tiny import cm
from cm4tiny.workflows.tune_mlperf_tiny import TuneOptions, check_tune

check_inputs = cm.step(TuneOptions, check_tune)
