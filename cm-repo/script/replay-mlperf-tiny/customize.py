# SPDX-License-Identifier: Apache-2.0
"""Recomputes the claims of rounds and says which ones hold."""

from cm4tiny import cm
from cm4tiny.workflows.replay_mlperf_tiny import ReplayOptions, check_replay, replay_step

check_inputs = cm.step(ReplayOptions, check_replay)
preprocess = cm.step(ReplayOptions, replay_step)
