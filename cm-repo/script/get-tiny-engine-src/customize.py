# SPDX-License-Identifier: Apache-2.0
"""Gets the third-party sources that an engine is built from, at their pinned commits."""

from cm4tiny import cm
from cm4tiny.fetch import Mirror
from cm4tiny.firmware.engines.sources import engine_sources


@cm.step
def preprocess(step):
    engine = step.need("CM_TINY_ENGINE", "choose the engine: add _tflm, _tflm_cmsis_nn, _octoml_native or _octoml_cmsis_nn to the tags")
    step.env.update(engine_sources(engine, Mirror.named(step.path("CM_TINY_MIRROR")), step.events))
