# SPDX-License-Identifier: Apache-2.0
"""Firmware images that others published, run unmodified, and how close the virtual board comes to their results.

The images stay in the public repositories of the rounds (mlcommons/tiny_results_<round>); ``images.yaml`` knows them by path and hash.
"""

from cm4tiny.images.fidelity import Row, measure
from cm4tiny.images.run import ImageRun, run_images
from cm4tiny.images.table import PublishedImage, all_images, image_sets, images_of, published_images

__all__ = ["ImageRun", "PublishedImage", "Row", "all_images", "image_sets", "images_of", "measure", "published_images", "run_images"]
