# SPDX-License-Identifier: Apache-2.0
"""The main job is its chain of steps (deps in _cm.yaml); here its inputs are checked before the first of them runs."""

from cm4tiny import cm
from cm4tiny.firmware.build_inputs import check_build_inputs


@cm.step
def check_inputs(step):
    check_build_inputs(step.env, step.path)


def preprocess(i):
    return {"return": 0}
