# SPDX-License-Identifier: Apache-2.0
"""Several boards as one bench: a map in a file, and a pool that lends them out one run at a time."""

from cm4tiny.boards.bench.hardware_map import BenchBoard, HardwareMap, read_map
from cm4tiny.boards.bench.pool import BoardPool
from cm4tiny.boards.bench.selection import boards_for, states_of

__all__ = ["BenchBoard", "BoardPool", "HardwareMap", "boards_for", "read_map", "states_of"]
