# SPDX-License-Identifier: Apache-2.0
"""Histories of settings and idle times: in seconds, from a time on, and refused where the board's lists were full."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cm4tiny.boards.energy import Activity
from cm4tiny.boards.virtual.energy_history import idle_history, power_history, stalled_and_worked
from cm4tiny.boards.virtual.machine import MAX_CLOCK_CHANGES, MAX_SETTING_CHANGES, MAX_SPANS, ClockChange, Counters, SettingChange, SpanKind
from cm4tiny.errors import PowerError

MS = 10**9
ENABLES = 0x4002_104C


def machine(settings: Any = (), clocks: Any = (), spans: Any = ()) -> Any:
    """At 4 ms: 4 MHz for 1 ms, then 100 MHz."""
    known = clocks or (ClockChange(0, 0, 4_000_000), ClockChange(MS, 4_000_000, 100_000_000))
    return SimpleNamespace(
        setting_changes=lambda: settings,
        clock_changes=lambda: known,
        spans=lambda: np.array(spans, dtype="<u8").reshape(-1, 3),
        hclk_hz=100_000_000,
        ticks=304_000_000,
        time_ps=4 * MS,
    )


def test_phases_begin_where_registers_or_the_clock_change_and_the_first_holds_at_the_start() -> None:
    changes = (SettingChange(0, 0, ENABLES, 1), SettingChange(2 * MS, 0, ENABLES, 7), SettingChange(3 * MS, 0, ENABLES, 0))
    found = [(at, settings.hclk_mhz, settings.bus_blocks) for at, settings in power_history(machine(changes), 0.0)]
    assert found == [(0.0, 4.0, 1), (1e-3, 100.0, 1), (2e-3, 100.0, 3), (3e-3, 100.0, 0)]
    later = [(at, settings.bus_blocks) for at, settings in power_history(machine(changes), 2.5e-3)]
    assert later == [(2.5e-3, 3), (3e-3, 0)]


def test_changes_of_one_moment_are_one_phase() -> None:
    changes = (SettingChange(2 * MS, 0, ENABLES, 1), SettingChange(2 * MS, 0, ENABLES, 3))
    assert [settings.bus_blocks for _, settings in power_history(machine(changes), 1.5e-3)] == [0, 2]


def test_spans_come_in_seconds_across_a_change_of_the_clock() -> None:
    spans = [(0, 2_000_000, SpanKind.POLL), (3_000_000, 104_000_000, SpanKind.SLEEP), (204_000_000, 304_000_000, SpanKind.LOOP)]
    found = idle_history(machine(spans=spans), 0.6e-3)
    assert [activity for _, _, activity in found] == [Activity.SLEEP, Activity.LOOP]
    assert [(begin, end) for begin, end, _ in found] == [pytest.approx((0.75e-3, 2e-3)), pytest.approx((3e-3, 4e-3))]
    assert idle_history(machine(), 0.0) == []


@pytest.mark.parametrize(
    "lists, says",
    [
        ({"settings": [SettingChange(0, 0, ENABLES, 1)] * MAX_SETTING_CHANGES}, "changes of clocks and power"),
        ({"clocks": [ClockChange(0, 0, 1)] * MAX_CLOCK_CHANGES}, "changes of the clock"),
        ({"spans": [(0, 1, 1)] * MAX_SPANS}, "times of waiting and sleep"),
    ],
)
def test_a_list_that_was_full_gives_no_energy(lists: dict[str, Any], says: str) -> None:
    with pytest.raises(PowerError, match=says) as error:
        (idle_history if "spans" in lists else power_history)(machine(**lists), 0.0)
    assert error.value.hint


def test_work_is_what_no_idle_time_covers() -> None:
    counters = Counters(cycles=1000, polling_cycles=100, sleeping_cycles=50, looping_cycles=30, deep_sleep_cycles=20, icache_stall_cycles=7)
    assert stalled_and_worked(counters) == (7.0, 800.0)
