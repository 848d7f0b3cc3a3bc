# SPDX-License-Identifier: Apache-2.0
"""How detections of the wakeword are counted: the MLCommons runner's ``calc_detection_stats`` (``streaming_ww_utils.py``)."""

from __future__ import annotations

from collections.abc import Sequence

SUPPRESSION_S = 1.0
DEBOUNCE_MS = 1000


def detected(times_ms: Sequence[int], windows: Sequence[tuple[float, float]]) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """Number of words found, beginnings of the words missed, and times of false detections, in seconds.

    The first time marks the start. A detection counts for a spoken word from the word's beginning until two seconds after its end (the
    runner adds its suppression delay of one second twice); false ones within a second of one another count once.

    Args:
        times_ms: at least the start marker.
        windows: beginning and end of each spoken word in seconds.
    """
    start = times_ms[0]
    left = [time - start for time in times_ms[1:]]
    missed = []
    for begin, end in windows:
        last = end + SUPPRESSION_S + SUPPRESSION_S
        outside = [time for time in left if not begin <= time / 1000 <= last]
        if len(outside) == len(left):
            missed.append(begin)
        left = outside
    false = []
    while left:
        first, *rest = left
        left = [time for time in rest if not first < time <= first + DEBOUNCE_MS]
        false.append(first / 1000)
    return len(windows) - len(missed), tuple(missed), tuple(false)
