# SPDX-License-Identifier: Apache-2.0
"""Profiles images on the virtual board, layer by layer."""

from cm4tiny import cm
from cm4tiny.workflows.profile_mlperf_tiny import ProfileOptions, check_profile, profile_step

check_inputs = cm.step(ProfileOptions, check_profile)
preprocess = cm.step(ProfileOptions, profile_step)
