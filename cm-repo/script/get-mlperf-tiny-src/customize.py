# SPDX-License-Identifier: Apache-2.0
"""Gets MLCommons' tiny repository at the pinned commit."""

from cm4tiny import cm
from cm4tiny.workflows.get_mlperf_tiny_src import TinySourcesOptions, get_tiny_sources

preprocess = cm.step(TinySourcesOptions, get_tiny_sources)
