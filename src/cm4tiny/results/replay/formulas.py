"""The runners' own formulas, by which a session's figures become the claims that are printed.

Sources: for EEMBC, the published sessions themselves (1128 claims of six rounds agree to the last digit); for the MLCommons runner,
``mlcommons/tiny`` ``benchmark/runner/{main,streaming_ww_utils}.py``. Accuracy is in :mod:`cm4tiny.benchmarks.metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from cm4tiny.results.rounds.model import EnergyWindow, Window
from cm4tiny.results.rounds.numbers import median

SUPPRESSION_S = 1.0
DEBOUNCE_MS = 1000


def throughput(windows: Sequence[Window]) -> float:
    """Median of the windows' inferences per second; NaN if a window has no length."""
    values = [window.throughput for window in windows]
    return math.nan if any(value is None for value in values) else median(value for value in values if value is not None)


def energy(windows: Sequence[EnergyWindow]) -> float:
    """Median energy of an inference in uJ; NaN if a window's inferences are not known."""
    values = [window.uj_per_inference for window in windows]
    return math.nan if any(map(math.isnan, values)) else median(values)


def energy_run_throughput(windows: Sequence[EnergyWindow]) -> float:
    """Median throughput of an energy run, by the trace's time stamps; NaN as above."""
    values = [w.iterations / w.runtime_s if w.runtime_s > 0 and w.iterations else math.nan for w in windows]
    return math.nan if any(map(math.isnan, values)) else median(values)


def detections(times_ms: Sequence[int], windows: Sequence[tuple[float, float]]) -> tuple[int, int, int]:
    """True positives, false negatives and false positives of a streaming session.

    The first time marks the start. A detection counts for a spoken word from the word's beginning until two seconds after its end (the
    runner adds its suppression delay of one second twice); false ones within a second of one another count once.

    Args:
        times_ms: at least the start marker.
        windows: beginning and end of each spoken word in seconds.
    """
    start = times_ms[0]
    left = [time - start for time in times_ms[1:]]
    found = 0
    for begin, end in windows:
        last = end + SUPPRESSION_S + SUPPRESSION_S
        inside = [time for time in left if begin <= time / 1000 <= last]
        found += bool(inside)
        if inside:
            left = [time for time in left if not begin <= time / 1000 <= last]
    false = 0
    while left:
        first, *rest = left
        left = [time for time in rest if not first < time <= first + DEBOUNCE_MS]
        false += 1
    return found, len(windows) - found, false


def streaming_throughput(on_s: Sequence[float], off_s: Sequence[float]) -> float:
    """Inferences per second from the mean time that the processor was busy for one; NaN without whole pairs."""
    pairs = list(zip(on_s, off_s, strict=False))
    busy = math.fsum(off - on for on, off in pairs) / len(pairs) if pairs else 0.0
    return 1.0 / busy if busy > 0 else math.nan
