# SPDX-License-Identifier: Apache-2.0
"""Replay: recomputes every claim of a round from the evidence next to it and says which ones hold."""

from cm4tiny.results.replay.checks import check_session
from cm4tiny.results.replay.expected import differences, known_mismatches
from cm4tiny.results.replay.output import COLUMNS
from cm4tiny.results.replay.replay import Replay, Replayed, replay, replay_result

__all__ = ["COLUMNS", "Replay", "Replayed", "check_session", "differences", "known_mismatches", "replay", "replay_result"]
