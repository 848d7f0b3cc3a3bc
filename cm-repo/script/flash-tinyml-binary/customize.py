# SPDX-License-Identifier: Apache-2.0
"""Puts a firmware image on a board and makes sure that it answers."""

from cm4tiny import cm
from cm4tiny.workflows.flash_tinyml_binary import FlashOptions, check_image, flash_image

check_inputs = cm.step(FlashOptions, check_image)
preprocess = cm.step(FlashOptions, flash_image)
