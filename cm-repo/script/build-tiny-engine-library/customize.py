# SPDX-License-Identifier: Apache-2.0
"""Compiles the part of an engine that is the same for all models into a static library."""

from cm4tiny import cm
from cm4tiny.firmware.engines.catalogue import build_library
from cm4tiny.firmware.engines.sources import read_sources
from cm4tiny.firmware.toolchain import find_toolchain


@cm.step
def preprocess(step):
    engine = step.env["CM_TINY_ENGINE"]
    roots, commits = read_sources(engine, step.env)
    toolchain = find_toolchain(step.need("CM_TINY_TOOLCHAIN_KIND", "run the step get,tiny,toolchain first"), install=False)
    built = build_library(engine, roots, step.folder / "library", toolchain=toolchain, commits=commits, events=step.events)
    step.env["CM_TINY_ENGINE_LIBRARY"] = str(built.archive)
    step.env["CM_TINY_ENGINE_LIBRARY_KEY"] = built.key
    step.env["CM_TINY_ENGINE_LIBRARY_FINGERPRINT"] = built.key
