# SPDX-License-Identifier: Apache-2.0
"""Numbers out of untrusted text: plain decimal notation only, finite, bounded; anything else is None.

Python's own ``float`` and ``int`` also take ``nan``, ``1_000``, other scripts' digits and integers of any length.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

MAX_VALUES = 1024
_VECTOR = re.compile(rb"[0-9eE+\-., \t]*\Z")
_FLOAT = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?\Z", re.ASCII)
_LONGEST = 20
UINT64 = 2**64


def vector(inside: bytes) -> tuple[float, ...] | None:
    """The numbers between the brackets of a result list; a trailing comma is accepted, as some firmware prints one."""
    if not _VECTOR.match(inside):
        return None
    parts = inside.split(b",")
    if len(parts) > 1 and not parts[-1].strip():
        parts.pop()
    if len(parts) > MAX_VALUES:
        return None
    try:
        values = tuple(map(float, parts))
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None


def real(text: str) -> float | None:
    """A finite number, or None."""
    if not _FLOAT.match(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def whole(digits: bytes | str) -> int | None:
    """A non-negative integer of at most 64 bits, or None."""
    if not 0 < len(digits) <= _LONGEST or not digits.isdigit():
        return None
    try:
        value = int(digits)
    except ValueError:
        return None
    return value if value < UINT64 else None


def number_in_json(value: object) -> float | None:
    """A JSON number as a finite float, or None; a bool is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def numbers_in_json(value: object) -> tuple[float, ...] | None:
    """A JSON list of finite numbers, or None. Fast: lists of samples hold a million."""
    if not isinstance(value, list) or not set(map(type, value)) <= {int, float}:
        return None
    try:
        found = tuple(map(float, value))
    except OverflowError:
        return None
    return found if all(map(math.isfinite, found)) else None


def median(values: Iterable[float]) -> float:
    """The middle value; of an even count the mean of the two middle ones; NaN of nothing."""
    ordered: Sequence[float] = sorted(values)
    middle = len(ordered) // 2
    if not ordered:
        return float("nan")
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
