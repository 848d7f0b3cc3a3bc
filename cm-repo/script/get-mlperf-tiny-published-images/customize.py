# SPDX-License-Identifier: Apache-2.0
"""Gets published firmware images from the repositories of their rounds."""

from cm4tiny import cm
from cm4tiny.fetch import Mirror
from cm4tiny.images.fetch import get_images


@cm.step
def preprocess(step):
    wanted = step.need("CM_TINY_IMAGE_SET", "choose a set: add _bosch-v1.1, _bosch-v1.2, _st-v1.2 or _st-v1.3 to the tags")
    step.env.update(get_images(wanted, Mirror.named(step.path("CM_TINY_MIRROR")), step.events))
