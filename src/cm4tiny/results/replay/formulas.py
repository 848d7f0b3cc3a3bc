# SPDX-License-Identifier: Apache-2.0
"""The runners' own formulas, by which a session's figures become the claims that are printed.

Sources: for EEMBC, the published sessions themselves (1128 claims of six rounds agree to the last digit); for the MLCommons runner,
``mlcommons/tiny`` ``benchmark/runner/{main,streaming_ww_utils}.py``. Accuracy is in :mod:`cm4tiny.benchmarks.metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from cm4tiny.results.rounds.detections import detected
from cm4tiny.results.rounds.model import LoggedEnergyWindow, LoggedWindow
from cm4tiny.results.rounds.numbers import median


def throughput(windows: Sequence[LoggedWindow]) -> float:
    """Median of the windows' inferences per second; NaN if a window has no length."""
    values = [window.throughput for window in windows]
    return math.nan if any(value is None for value in values) else median(value for value in values if value is not None)


def energy(windows: Sequence[LoggedEnergyWindow]) -> float:
    """Median energy of an inference in uJ; NaN if a window's inferences are not known."""
    values = [window.uj_per_inference for window in windows]
    return math.nan if any(map(math.isnan, values)) else median(values)


def energy_run_throughput(windows: Sequence[LoggedEnergyWindow]) -> float:
    """Median throughput of an energy run, by the trace's time stamps; NaN as above."""
    values = [w.iterations / w.runtime_s if w.runtime_s > 0 and w.iterations else math.nan for w in windows]
    return math.nan if any(map(math.isnan, values)) else median(values)


def detections(times_ms: Sequence[int], windows: Sequence[tuple[float, float]]) -> tuple[int, int, int]:
    """True positives, false negatives and false positives of a streaming session.

    Args:
        times_ms: at least the start marker.
        windows: beginning and end of each spoken word in seconds.
    """
    found, missed, false = detected(times_ms, windows)
    return found, len(missed), len(false)


def streaming_throughput(on_s: Sequence[float], off_s: Sequence[float]) -> float:
    """Inferences per second from the mean time that the processor was busy for one; NaN without whole pairs."""
    pairs = list(zip(on_s, off_s, strict=False))
    busy = math.fsum(off - on for on, off in pairs) / len(pairs) if pairs else 0.0
    return 1.0 / busy if busy > 0 else math.nan
