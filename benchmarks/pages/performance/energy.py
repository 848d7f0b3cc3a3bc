# SPDX-License-Identifier: Apache-2.0
"""What the performance page says of energy: predictions for our own firmware, how far the model is off, and a damaged publication."""

from __future__ import annotations

from cm4tiny.boards.energy import Activity, current_ma, energy_uj
from cm4tiny.boards.energy.current import TYPICAL_STALL
from cm4tiny.boards.power import SUPPLY_V
from pages.energies import damaged_energies, energies, error_of, left_out_errors, own_settings

CLOCK_HZ = 120e6


def own_energy_uj(cycles: float, stalled: float | None) -> float:
    """Predicted uJ of an inference of this project's firmware at :data:`SUPPLY_V`.

    Args:
        stalled: cycles of it that wait for flash; None where that was not measured.
    """
    return energy_uj(own_settings(), cycles, SUPPLY_V, TYPICAL_STALL if stalled is None else stalled / cycles)


def energy_lines() -> list[str]:
    """Items of a list in Markdown."""
    settings = own_settings()
    ma, rows = current_ma(settings, Activity.RUN, SUPPLY_V), energies()
    fit, left_out = error_of(row.error() for row in rows), error_of(left_out_errors(rows).values())
    lines = [
        f"- Energy is supply voltage times current times time. Our firmware is predicted to take {ma:.1f} mA at {SUPPLY_V:g} V "
        f"({settings.words}), less where it waits for flash. The same model predicts the {fit.results} valid published energies of this "
        f"board and of its -P variant within {fit.words}; each submitter by the others' results: {left_out.words}. [All rows](energy.md)."
    ]
    for damaged in damaged_energies():
        row, true = damaged.energy.result, damaged.energy
        lines.append(
            f"- Not counted: {row.benchmark} of {row.submitter} {row.round}, published as {damaged.published:,.0f} uJ. Its trace lost a "
            f"time stamp, so that pauses were measured instead of inferences; its own samples give {true.published:,.0f} uJ "
            f"(predicted: {true.predicted():,.0f} uJ)."
        )
    return lines
