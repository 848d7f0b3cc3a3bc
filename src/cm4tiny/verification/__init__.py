# SPDX-License-Identifier: Apache-2.0
"""Every image is executed once before it may be used: what it answers is compared with an independent reference.

A compiler, a linker script, an arena or a plan can be wrong without a message; a wrong image measures a wrong program. So after each build
the linked image runs on the virtual board on a few seeded inputs, and the build fails if it does not answer what TensorFlow Lite's
reference kernels answer. docs/verification.md says what is compared, how exactly, and what it costs.
"""

from cm4tiny.verification.building import build, wanted
from cm4tiny.verification.comparison import Verification, verify_image
from cm4tiny.verification.image_run import ImageAnswers, run_image

__all__ = ["ImageAnswers", "Verification", "build", "run_image", "verify_image", "wanted"]
