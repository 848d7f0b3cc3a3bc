# SPDX-License-Identifier: Apache-2.0
"""Compiles the part of an engine that is the same for all models into a static library."""

from cm4tiny import cm
from cm4tiny.workflows.build_tiny_engine_library import EngineLibraryOptions, build_engine_library

preprocess = cm.step(EngineLibraryOptions, build_engine_library)
