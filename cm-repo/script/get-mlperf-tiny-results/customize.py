# SPDX-License-Identifier: Apache-2.0
"""Gets the public results of a round at the pinned commit."""

from cm4tiny import cm
from cm4tiny.workflows.get_mlperf_tiny_results import ResultsOptions, get_round_results

preprocess = cm.step(ResultsOptions, get_round_results)
