# SPDX-License-Identifier: Apache-2.0
"""``docs/energy.md``: every published energy of the board next to the model's prediction, and the constants with their sources."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.boards import energy
from cm4tiny.boards.energy import Activity, current_ma
from cm4tiny.boards.power import SUPPLY_V
from pages.energies import (
    FITTED,
    Energy,
    damaged_energies,
    energies,
    error_of,
    fitted,
    left_out_errors,
    own_settings,
    ports,
    streaming_energies,
)

_HEAD = """# Energy

How much energy an inference takes, and how the virtual board predicts it: supply voltage times current times time. The current follows
from what the firmware clocks and powers (RCC, PWR, FLASH_ACR, read from the chip's registers with their history) and from what the
core does: work, polling a UART, sleep, an endless loop, and waiting for flash. Predicted energies below use the throughput of the
energy run itself, so that the error is that of the current alone.

**Nothing on this page was measured by this project**: the published figures are the submitters', the others are predicted. The page
is written by `python benchmarks/energy.py`.
"""
_TAIL = """## What is not known

- DS12023, the chip's data sheet, could not be opened: its tables of run, sleep and peripheral currents would replace most constants.
- The form (one price for each clocked block) was chosen after looking at the results, so leaving a submitter out is an optimistic test. The
  constants that come from pairs of traces (stalls, SMPS, polling) rest on results that are then left out.
- What Zephyr's images clock more than others is known from their sources only. Their excess fits UARTs, RNG and PLL outputs at one price;
  which of them takes how much cannot be told apart.
- Stop, Standby and Shutdown: no figure is given. Range 1 without boost was never measured.
- An endless loop on the last halfword of a flash line took 30 instead of 19 mA in v1.2 ic; not modelled.
- Temperature and the spread between boards (below 2 % between two of them) are in no constant.
"""


def page() -> str:
    """The page as Markdown."""
    rows = energies()
    left_out = left_out_errors(rows)
    known = [row for row in rows if row.port.evidence == "registers"]
    streams = streaming_energies()
    lines = [
        _HEAD,
        "## How far off",
        "",
        f"- All {len(rows)} valid published energies: {error_of(row.error() for row in rows).words}.",
        f"- Each submitter by constants that were fitted without it: {error_of(left_out.values()).words}. This is the error of every "
        "simulated energy.",
        f"- The {len(known)} images whose registers were read: {error_of(row.error() for row in known).words}.",
        f"- The {len(streams)} streaming results: {error_of(row.error() for row in streams).words}.",
        "",
        "## Published and predicted",
        "",
        "| round | submitter | port | benchmark | V | inf/s | published, uJ | predicted, uJ | error, % | left out, % |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_row(row, left_out[row.source]) for row in rows),
        "",
        "Streaming wakeword, mW; the core sleeps for the time that the published duty cycle leaves:",
        "",
        "| port | V | sleeps | published, mW | predicted, mW | error, % |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row.port.id} | {row.supply_v:g} | {100 * (row.sleep_share or 0.0):.1f} % | {row.published:.2f} | {row.predicted():.2f} "
            f"| {_per_cent(row.error())} |"
            for row in streams
        ),
        "",
        *_damaged(),
        *_ports(),
        *_constants(),
        *_own(),
        _TAIL,
    ]
    return "\n".join(lines)


def _per_cent(error: float) -> str:
    return f"{round(100 * error, 1) + 0.0:+.1f}"


def _row(row: Energy, left_out: float) -> str:
    result = row.result
    cells = (
        result.round,
        result.submitter,
        row.port.id,
        result.benchmark,
        f"{row.supply_v:g}",
        f"{row.inf_per_s:.3f}",
        f"{row.published:,.1f}",
        f"{row.predicted():,.1f}",
        _per_cent(row.error()),
        _per_cent(left_out),
    )
    return f"| {' | '.join(cells)} |"


def _damaged() -> Iterable[str]:
    yield from ("## Not counted", "")
    for one in damaged_energies():
        row, true = one.energy.result, one.energy
        yield (
            f"- {row.round} {row.submitter} {row.benchmark}, {one.published:,.0f} uJ at {one.inf_per_s:.3f} inf/s: {one.reason}. "
            f"Predicted: {true.predicted():,.0f} uJ ({_per_cent(true.error())} %)."
        )
    yield ""


def _ports() -> Iterable[str]:
    yield from ("## What the images clock", "", "| port | known from | settings | mA | why |", "|---|---|---|---|---|")
    for port in ports().values():
        ma = current_ma(port.settings, Activity.RUN, 3.0 if port.settings.range == "smps" else SUPPLY_V)
        yield f"| {port.id} | {port.evidence} | {port.settings.hclk_mhz:g} MHz, {port.settings.words} | {ma:.2f} | {port.reason} |"
    yield ""


def _constants() -> Iterable[str]:
    folder = Path(energy.__file__).parent
    table: dict[str, Any] = load_table(folder / "current.yaml", folder / "current.schema.json")
    yield from ("## Constants", "", "| constant | value | from | source |", "|---|---|---|---|")
    for name, row in table["constants"].items():
        yield f"| {name} | {row['value']:g} | {row['kind']} | {row['source']} |"
    polling = ", ".join(f"/{divider}: {value:g}" for divider, value in table["polling"]["less_ua_per_mhz"].items())
    yield f"| polling a UART takes less, uA/MHz | {polling} | trace | {table['polling']['source']} |"
    solved = fitted(energies())
    yield ""
    yield f"Least squares over all rows, unrounded: {', '.join(f'{name} {solved[name]:.2f}' for name in FITTED)}."
    yield ""


def _own() -> Iterable[str]:
    settings = own_settings()
    currents = [
        f"{activity.value} {current_ma(settings, activity, SUPPLY_V):.1f} mA"
        for activity in Activity
        if activity is not Activity.DEEP_SLEEP
    ]
    yield from (
        "## This project's firmware",
        "",
        f"At {settings.hclk_mhz:g} MHz, {settings.words}: {', '.join(currents)}, predicted.",
        "",
    )
