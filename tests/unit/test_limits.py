# SPDX-License-Identifier: Apache-2.0
"""Limits and tolerances that results are judged by: stated once more, so that none changes unseen.

Their reasons stand where they are defined.
"""

from __future__ import annotations

import importlib

import pytest

LIMITS = {
    "boards.virtual.cycle_model": {
        "TICKS_PER_CYCLE": 1000,
    },
    "firmware.microtvm.prune": {
        "_INT32": (-2147483648, 2147483647),
    },
    "images.streaming": {
        "PROCESSING_PIN": ("E", 9),
        "DETECTED_PIN": ("B", 8),
        "TAIL_S": 0.25,
        "GRACE_S": 2.0,
        "DEBOUNCE_S": 1.0,
    },
    "results.audit.rules.claims": {
        "SWW_LIMIT": 8,
        "SWW_TOTAL": 50,
    },
    "results.audit.rules.data": {
        "AD_SEGMENTS": 196,
    },
    "results.audit.rules.evidence": {
        "_SMALLEST_LOG": 200,
        "_VOLTAGES_AGREE": 0.02,
        "_LARGEST_RECORD": 16777216,
    },
    "results.audit.rules.record": {
        "_SHOWN": 3,
    },
    "results.audit.rules.structure": {
        "MAX_FILE_BYTES": 524288000,
    },
    "results.audit.rules.values": {
        "MAX_INFERENCES_PER_S": 1000000.0,
        "MAX_UJ": 1000000000.0,
        "MIN_UJ": 0.001,
        "MAX_POWER_W": 100.0,
        "MIN_POWER_W": 1e-07,
        "_LOOSE_SUM": 0.05,
    },
    "results.audit.rules.windows": {
        "_PRINTED_DIGITS": 0.0015,
    },
    "results.audit.rules.witnesses": {
        "SPEEDS_AGREE": 0.05,
        "CLOCKS_AGREE": 0.02,
        "CLOCK_SLACK_S": 0.1,
        "COARSE_SLACK_S": 2.0,
    },
    "results.derived.expression": {
        "MAX_LENGTH": 500,
        "MAX_NODES": 200,
        "MAX_DEPTH": 30,
    },
    "results.replay.checks": {
        "SHORTEST_S": 10.0,
        "ROUNDING": 1e-12,
    },
    "results.replay.replay": {
        "MAX_JOBS": 8,
    },
    "runner.energy": {
        "AFTER_ERROR_S": 2.0,
        "WITNESS_TOLERANCE": 0.003,
        "JITTER_S": 0.02,
        "WINDOW_SPREAD": 0.005,
        "MAX_LINE_S": 0.05,
        "MAX_TEXTS_S": 1.0,
        "SAME_CLOCK_TOLERANCE": 0.002,
        "SAME_CLOCK_S": 0.005,
    },
    "runner.witness": {
        "CLOCK_TOLERANCE": 0.02,
        "JITTER_S": 0.03,
        "BUSY_S": 0.25,
        "BUSY_BELOW_S": 1.0,
        "EXACT_S": 0.0002,
        "QUEUED_S": 0.01,
        "WRAP_US": 4294967296,
        "STEADY": 0.005,
    },
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits_change_only_on_purpose(name: str) -> None:
    module = importlib.import_module(f"cm4tiny.{name}")
    assert {limit: getattr(module, limit) for limit in LIMITS[name]} == LIMITS[name]
