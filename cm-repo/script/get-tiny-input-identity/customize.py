# SPDX-License-Identifier: Apache-2.0
"""Names what the user gave, files by their content, so that results are cached by it under every engine."""

from cm4tiny import cm
from cm4tiny.workflows.get_tiny_input_identity import InputIdentityOptions, name_inputs

preprocess = cm.step(InputIdentityOptions, name_inputs)
