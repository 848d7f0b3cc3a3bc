# SPDX-License-Identifier: Apache-2.0
"""Which tests take long: they begin first, and a run names them at its end."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
SLOWEST_FIRST = (
    "emulated/test_documented_commands.py",
    "browser/test_dashboard_in_browser.py",
    "emulated/test_main_job.py",
    "emulated/test_compilers_agree.py",
    "emulated/test_int16_winograd.py",
    "emulated/test_microtvm_steps.py",
    "conformance/test_random_models.py",
    "emulated/test_draft_submission.py",
    "emulated/test_firmware_build.py",
    "emulated/test_profile_step.py",
    "emulated/test_hostile_firmware.py",
    "conformance/test_bit_exact_sparse.py",
    "emulated/test_int16_conv.py",
    "unit/resolver/test_resolver_actions.py",
    "emulated/test_instructions.py",
    "emulated/test_int16_depthwise.py",
)
"""Files that need half a minute of processor time and more: workers take whole files, and none should begin one of these at the end."""
LONG_S = 10.0
"""A test that takes longer should be split, made faster, or, if it guards nothing by itself, marked ``long``."""


def slowest_first(items: list[pytest.Item]) -> None:
    """Sorts tests in place; the others stay as they are."""
    place = {TESTS / name: number for number, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def unmarked(reports: Iterable[pytest.TestReport], limit_s: float = LONG_S) -> list[str]:
    """A line for each test that took longer without the mark ``long``, the slowest first."""
    slow = [r for r in reports if r.when == "call" and r.duration > limit_s and "long" not in r.keywords]
    return [f"{r.duration:7.1f} s {r.nodeid}" for r in sorted(slow, key=lambda r: -r.duration)]
