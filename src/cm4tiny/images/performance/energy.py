"""How far the one energy constant of the virtual board is from what was published.

The constant is the mean of round v1.0's results of OctoML (:mod:`cm4tiny.boards.power`). Other submitters published less energy per cycle
at the same voltage and clock, so both errors are stated: of the results that it comes from, and of all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from cm4tiny.boards.power import SUPPLY_V, energy_uj
from cm4tiny.results.conditions import HOME_BOARD, same_board
from cm4tiny.results.published import PublishedResult, PublishedSystem

CLOCK_HZ = 120e6
_SOURCE = ("v1.0", "OctoML")


@dataclass(frozen=True)
class EnergyError:
    """Predicted over published energy minus one: root mean square, the lowest and the highest, over so many results."""

    rms: float
    lowest: float
    highest: float
    results: int


def energy_error(results: Iterable[PublishedResult], systems: dict[str, PublishedSystem], *, source_only: bool) -> EnergyError | None:
    """Over the published results of the board at the constant's voltage and 120 MHz (no external SMPS); None if there are none.

    Cycles are the clock times the published time of an inference.

    Args:
        source_only: only over those from which the constant was taken.
    """
    errors = [
        energy_uj(CLOCK_HZ / row.throughput_inf_per_s) / row.energy_uj_per_inf - 1.0
        for row in results
        if row.energy_uj_per_inf and _comparable(row, systems) and (not source_only or (row.round, row.submitter) == _SOURCE)
    ]
    if not errors:
        return None
    return EnergyError(math.sqrt(sum(e * e for e in errors) / len(errors)), min(errors), max(errors), len(errors))


def _comparable(row: PublishedResult, systems: dict[str, PublishedSystem]) -> bool:
    system = systems.get(row.source)
    at_voltage = system is not None and system.supply_mv == SUPPLY_V * 1000
    return same_board(HOME_BOARD, row.board) and at_voltage and row.frequency.replace(" ", "").lower() == "120mhz"
