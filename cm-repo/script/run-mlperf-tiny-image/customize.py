# SPDX-License-Identifier: Apache-2.0
"""Runs published firmware images, or a file, on the virtual board."""

from cm4tiny import cm
from cm4tiny.images import ImageRun, run_images
from cm4tiny.images.run import check_wanted


@cm.step
def check_inputs(step):
    check_wanted(step.env, step.path)


@cm.step
def preprocess(step):
    step.env["CM_TINY_IMAGES_OUTCOME"] = str(run_images(ImageRun.from_env(step.env, step.path), step.events))
