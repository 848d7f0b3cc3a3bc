# SPDX-License-Identifier: Apache-2.0
"""Gets the third-party sources that an engine is built from, at their pinned commits."""

from cm4tiny import cm
from cm4tiny.workflows.get_tiny_engine_src import EngineSourcesOptions, get_engine_sources

preprocess = cm.step(EngineSourcesOptions, get_engine_sources)
