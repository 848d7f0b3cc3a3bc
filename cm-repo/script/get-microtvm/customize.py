# SPDX-License-Identifier: Apache-2.0
"""Makes sure that the pinned TVM is installed."""

from cm4tiny import cm
from cm4tiny.workflows.get_microtvm import MicrotvmOptions, get_microtvm

preprocess = cm.step(MicrotvmOptions, get_microtvm)
