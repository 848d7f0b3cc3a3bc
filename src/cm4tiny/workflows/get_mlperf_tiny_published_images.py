# SPDX-License-Identifier: Apache-2.0
"""The step ``get,mlperf,tiny,published-images``: firmware images from the repositories of their rounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.fetch import Mirror
from cm4tiny.images.fetch import get_images


@dataclass(frozen=True, kw_only=True)
class PublishedImagesOptions:
    """What ``get,mlperf,tiny,published-images`` is asked for."""

    mirror: Path | None = flag("CM_TINY_MIRROR")
    image_set: str = value("CM_TINY_IMAGE_SET", needs="choose a set: add _bosch-v1.1, _bosch-v1.2, _st-v1.2 or _st-v1.3 to the tags")


def get_published_images(options: PublishedImagesOptions, step: Step) -> Outputs:
    """Fetches a set of images.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.images.fetch.get_images`.
    """
    return get_images(options.image_set, Mirror.named(options.mirror), step.events)
