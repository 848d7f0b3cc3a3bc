# SPDX-License-Identifier: Apache-2.0
"""The image is made by the step compile,mlperf,tiny,firmware-image (deps in _cm.yaml); inputs are checked before the first of them."""

from cm4tiny import cm
from cm4tiny.firmware.build_inputs import check_build_inputs


@cm.step
def check_inputs(step):
    check_build_inputs(step.env, step.path)


def preprocess(i):
    return {"return": 0}
