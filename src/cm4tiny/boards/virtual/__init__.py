"""The virtual NUCLEO-L4R5ZI: an STM32L4R5 on unicorn with peripherals, caches and a cycle model; deterministic on every host."""

from cm4tiny.boards.virtual.board import BoardStatistics, VirtualBoard
from cm4tiny.boards.virtual.cycle_model import CycleModel
from cm4tiny.boards.virtual.link import VirtualLink

__all__ = ["BoardStatistics", "CycleModel", "VirtualBoard", "VirtualLink"]
