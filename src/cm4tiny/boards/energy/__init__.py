# SPDX-License-Identifier: Apache-2.0
"""Energy of a board: supply voltage times current times time; the current follows from what the firmware clocks and does.

``current.yaml`` holds every constant with its source, ``settings`` reads the chip's registers, ``current`` computes, ``monitor`` is the
power monitor of the virtual board. How far predictions are off published energies is in ``docs/energy.md``.
"""

from cm4tiny.boards.energy.current import Activity, current_ma, energy_uj
from cm4tiny.boards.energy.monitor import SimulatedPowerMonitor
from cm4tiny.boards.energy.settings import PowerSettings, settings_of

__all__ = ["Activity", "PowerSettings", "SimulatedPowerMonitor", "current_ma", "energy_uj", "settings_of"]
