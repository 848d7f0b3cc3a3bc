# SPDX-License-Identifier: Apache-2.0
"""Gets published firmware images from the repositories of their rounds."""

from cm4tiny import cm
from cm4tiny.workflows.get_mlperf_tiny_published_images import PublishedImagesOptions, get_published_images

preprocess = cm.step(PublishedImagesOptions, get_published_images)
