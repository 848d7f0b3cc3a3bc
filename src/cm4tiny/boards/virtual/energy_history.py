# SPDX-License-Identifier: Apache-2.0
"""What the simulated power monitor asks of the machine: its settings and its idle times, as histories in seconds of virtual time."""

from __future__ import annotations

import numpy as np

from cm4tiny.boards.boards import BoardDescription
from cm4tiny.boards.energy import Activity, settings_of
from cm4tiny.boards.energy.monitor import Phase, Span
from cm4tiny.boards.virtual.machine import MAX_CLOCK_CHANGES, MAX_SETTING_CHANGES, MAX_SPANS, PS_PER_S, Counters, Machine, SpanKind
from cm4tiny.errors import PowerError

_ACTIVITY = {
    SpanKind.POLL: Activity.POLL,
    SpanKind.SLEEP: Activity.SLEEP,
    SpanKind.DEEP_SLEEP: Activity.DEEP_SLEEP,
    SpanKind.LOOP: Activity.LOOP,
}


def _not_full(count: int, most: int, what: str) -> None:
    if count >= most:
        raise PowerError(
            f"no energy can be given: the firmware made more than {most} {what}",
            why="the board keeps no more of them, and what came after is not known",
            hint="measure fewer inferences with one board, or look for a loop in the firmware that sets its clocks again and again",
        )


def models_current(board: BoardDescription) -> bool:
    """Whether the supply current of the board's chip is known: its driver of PWR is that of the chip that was measured."""
    return any(peripheral.driver == "pwr-l4" for peripheral in board.chip.peripherals)


def power_history(machine: Machine, from_s: float, board: BoardDescription | None = None) -> list[Phase]:
    """Settings from a time on: see :meth:`VirtualBoard.power_phases`."""
    if board is not None and not models_current(board):
        raise PowerError(
            f"there is no model of the current of the {board.chip.name}",
            why="it was made from published energies of the STM32L4R5",
            hint="use the time stamps without an energy: VirtualBoard.timestamp_edges_s()",
        )
    settings, clocks = machine.setting_changes(), machine.clock_changes()
    _not_full(len(settings), MAX_SETTING_CHANGES, "changes of clocks and power")
    _not_full(len(clocks), MAX_CLOCK_CHANGES, "changes of the clock")
    events = sorted([(c.time_ps, c.address, c.value) for c in settings] + [(c.time_ps, 0, c.hclk_hz) for c in clocks], key=lambda e: e[0])
    from_ps, registers, hclk_hz, phases = from_s * PS_PER_S, dict[int, int](), machine.hclk_hz, list[Phase]()
    for number, (time_ps, address, value) in enumerate(events):
        if address:
            registers[address] = value
        else:
            hclk_hz = value
        following = events[number + 1][0] if number + 1 < len(events) else None
        if following != time_ps and (following is None or following > from_ps):
            phases.append((max(time_ps / PS_PER_S, from_s), settings_of(registers, hclk_hz, board)))
    return phases


def idle_history(machine: Machine, from_s: float) -> list[Span]:
    """Idle times from a time on: see :meth:`VirtualBoard.idle_spans`."""
    spans, clocks = machine.spans(), machine.clock_changes()
    _not_full(len(spans), MAX_SPANS, "times of waiting and sleep")
    at_ticks = [change.ticks for change in clocks] + [machine.ticks]
    at_s = [change.time_ps / PS_PER_S for change in clocks] + [machine.time_ps / PS_PER_S]
    begins, ends = (np.interp(spans[:, side].astype(np.float64), at_ticks, at_s) for side in (0, 1))
    return [
        (float(begin), float(end), _ACTIVITY[SpanKind(int(kind))])
        for begin, end, kind in zip(begins, ends, spans[:, 2], strict=True)
        if end > from_s
    ]


def stalled_and_worked(counters: Counters) -> tuple[float, float]:
    """Cycles so far that waited for flash, and cycles of work, those included."""
    idle = counters.polling_cycles + counters.sleeping_cycles + counters.deep_sleep_cycles + counters.looping_cycles
    return float(counters.icache_stall_cycles + counters.dcache_stall_cycles), float(counters.cycles - idle)
