# SPDX-License-Identifier: Apache-2.0
"""How many inferences make a window long enough: measured, not guessed, and put right when a window falls short."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from cm4tiny.errors import RuleError
from cm4tiny.runner.rules import Rules

MARGIN = 1.02
"""A window is aimed at 2 % above the shortest one that counts: inference times vary by less on a microcontroller."""
PROBE_S = 0.2
"""The probe that the count is computed from is at least this long, so that a clock of 1 ms gives it to 0.5 %."""
MAX_PROBE = 1_000_000
MAX_ITERATIONS = 100_000_000
WINDOW_ATTEMPTS = 4

W = TypeVar("W")


def iterations_for(seconds_each: float, rules: Rules) -> int:
    """The number of inferences for one window.

    Raises:
        RuleError: so many that the device's clock cannot be right.
    """
    wanted = math.ceil(rules.min_window_s * MARGIN / seconds_each) if seconds_each > 0 else MAX_ITERATIONS + 1
    if wanted > MAX_ITERATIONS:
        raise RuleError(
            f"a window of {rules.min_window_s:g} s would take more than {MAX_ITERATIONS} inferences",
            why=f"one inference took {seconds_each:.3g} s by the device's clock",
            hint="check that the firmware's time stamps are in microseconds and that its clock runs",
        )
    return max(rules.min_iterations, wanted)


def calibrate(measure: Callable[[int], float], rules: Rules) -> int:
    """The number of inferences for a window, from probes of growing length.

    Args:
        measure: runs n inferences and returns the seconds that they took.
        rules: how long a window must be.
    """
    probe = 1
    while True:
        seconds = measure(probe)
        if seconds >= min(PROBE_S, rules.min_window_s) or probe >= MAX_PROBE:
            return iterations_for(seconds / probe, rules)
        probe = min(MAX_PROBE, max(probe * 4, math.ceil(probe * PROBE_S / seconds) if seconds > 0 else 0))


def long_enough(run: Callable[[int], W], seconds_of: Callable[[W], float], iterations: int, rules: Rules) -> tuple[W, int]:
    """Runs a window, again with more inferences while it is too short; returns it and the number of inferences that it took.

    Raises:
        RuleError: still too short after :data:`WINDOW_ATTEMPTS` attempts.
    """
    for _ in range(WINDOW_ATTEMPTS):
        window = run(iterations)
        seconds = seconds_of(window)
        if seconds >= rules.min_window_s:
            return window, iterations
        iterations = max(iterations + 1, iterations_for(seconds / iterations, rules))
    raise RuleError(
        f"{WINDOW_ATTEMPTS} attempts at a window of {rules.min_window_s:g} s were too short",
        why=f"the last one took {seconds:.3f} s; the time of an inference keeps changing",
        hint="check that nothing else runs on the board and that its clock is stable",
    )
