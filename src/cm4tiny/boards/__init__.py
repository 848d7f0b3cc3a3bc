"""What a benchmark runs on: serial links, power monitors, and the virtual NUCLEO-L4R5ZI (:mod:`cm4tiny.boards.virtual`)."""

from cm4tiny.boards.energy import PowerSettings, SimulatedPowerMonitor, energy_uj
from cm4tiny.boards.links import Link, SerialLink
from cm4tiny.boards.power import PowerMonitor, PowerTrace
from cm4tiny.boards.virtual import BoardStatistics, VirtualBoard

__all__ = [
    "BoardStatistics",
    "Link",
    "PowerMonitor",
    "PowerSettings",
    "PowerTrace",
    "SerialLink",
    "SimulatedPowerMonitor",
    "VirtualBoard",
    "energy_uj",
]
