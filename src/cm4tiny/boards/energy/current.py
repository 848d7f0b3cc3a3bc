# SPDX-License-Identifier: Apache-2.0
"""Current and energy from settings, what the core does, and the share of cycles that wait for flash."""

from __future__ import annotations

from enum import Enum

from cm4tiny.boards.energy.settings import PowerSettings
from cm4tiny.boards.energy.table import CurrentTable, current_table
from cm4tiny.errors import PowerError

TYPICAL_STALL = 0.022
"""Share of a cycle's time that waits for flash, where it was not measured: mean of ic, kws and vww of v1.2 and v1.3 by the board."""
_HINT = (
    "set the clocks as the chip allows: boost (PWR_CR5.R1MODE = 0) above 80 MHz, and FLASH_ACR.LATENCY by the table of RM0432 section 3.3.3"
)


class Activity(Enum):
    """What the core does."""

    RUN = "run"
    POLL = "polls a UART"
    SLEEP = "sleeps"
    DEEP_SLEEP = "deep sleep"
    LOOP = "endless loop"


def current_ma(
    settings: PowerSettings, activity: Activity, supply_v: float, stall: float = TYPICAL_STALL, table: CurrentTable | None = None
) -> float:
    """The supply current in mA.

    Args:
        supply_v: of the chip; counts with an external SMPS only.
        stall: share of the cycles of work that wait for flash.
        table: other constants, to judge how well they are known.

    Raises:
        PowerError: no current is known for these settings: the chip would not run so, or nothing published says what it takes.
    """
    if settings.refusal:
        raise PowerError("no energy can be given for these clock settings", why=settings.refusal, hint=_HINT)
    if activity is Activity.DEEP_SLEEP:
        raise PowerError(
            "no energy can be given for Stop, Standby or Shutdown",
            why="the board takes deep sleep as sleep, and no published measurement says what the chip takes in it",
            hint="leave SCR.SLEEPDEEP clear during an energy run, or measure on a real board",
        )
    table = table or current_table()
    of_ldo = _at_ldo_ma(settings, activity, stall, table)
    return of_ldo * table["smps_v"] / supply_v if settings.range == "smps" else of_ldo


def _at_ldo_ma(settings: PowerSettings, activity: Activity, stall: float, table: CurrentTable) -> float:
    f = settings.hclk_mhz
    fixed = table["pll_ma"] if settings.pll else 0.0
    if activity is Activity.SLEEP:
        return fixed + table["sleep_ua_per_mhz"] * f / 1e3
    if settings.range in ("range_1", "range_2"):
        fixed, per_mhz = 0.0, table[f"{settings.range}_ua_per_mhz"]  # the whole current, as it was measured
    else:
        per_mhz = table["run_ua_per_mhz"] + (0.0 if settings.pll else 1e3 * table["pll_ma"] / 120.0)
    less = {
        Activity.RUN: table["stalled_less_ua_per_mhz"] * stall,
        Activity.POLL: table.polling_less[settings.apb1_divider],
        Activity.LOOP: table["loop_less_ua_per_mhz"],
    }[activity]
    blocks = table["kernel_ua_per_mhz"] * settings.kernel_blocks + table["bus_ua_per_mhz"] * settings.bus_blocks
    return fixed + (per_mhz - less + blocks) * f / 1e3


def energy_uj(settings: PowerSettings, cycles: float, supply_v: float, stall: float = TYPICAL_STALL) -> float:
    """Energy in uJ of so many core cycles of work, predicted and not measured.

    Raises:
        PowerError: as :func:`current_ma`.
    """
    return supply_v * current_ma(settings, Activity.RUN, supply_v, stall) * cycles / settings.hclk_mhz * 1e-3
