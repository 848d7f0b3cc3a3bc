# SPDX-License-Identifier: Apache-2.0
"""What a traced function and its callees cost: the values that the machine hands over.

How a trace works is written down in ``trace.c``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

MAX_SEGMENTS = 4096
"""A root that calls more often is not the function that runs the layers."""


class TraceKind(IntEnum):
    """Of what a segment is."""

    WHOLE = 0
    """A whole call of the root: the sum of the others."""
    OWN = 1
    """What ran in the root's own range."""
    CALLEE = 2
    """One callee, with everything that it calls."""
    INTERRUPT = 3
    """All exception handlers that broke into the call."""


@dataclass(frozen=True)
class TraceCost:
    """Ticks are 1/1000 cycle; the stalls are part of ``ticks``."""

    ticks: int = 0
    instructions: int = 0
    icache_misses: int = 0
    dcache_misses: int = 0
    icache_stall_ticks: int = 0
    dcache_stall_ticks: int = 0

    def __add__(self, other: TraceCost) -> TraceCost:
        return TraceCost(
            self.ticks + other.ticks,
            self.instructions + other.instructions,
            self.icache_misses + other.icache_misses,
            self.dcache_misses + other.dcache_misses,
            self.icache_stall_ticks + other.icache_stall_ticks,
            self.dcache_stall_ticks + other.dcache_stall_ticks,
        )

    def __sub__(self, other: TraceCost) -> TraceCost:
        return TraceCost(
            self.ticks - other.ticks,
            self.instructions - other.instructions,
            self.icache_misses - other.icache_misses,
            self.dcache_misses - other.dcache_misses,
            self.icache_stall_ticks - other.icache_stall_ticks,
            self.dcache_stall_ticks - other.dcache_stall_ticks,
        )


@dataclass(frozen=True)
class TraceSegment:
    """A part of a call of the root, or all of it.

    Attributes:
        call: the root's calls are counted from 1.
        address: of the callee (or of the root).
        complete: the root returned; says so in the segment of kind ``WHOLE`` only.
        code_bytes, data_bytes, ram_bytes: distinct bytes: of flash run as code, of flash read as data, of RAM used.
        functions: number of a function in the list that the trace was given, from 1, 0 for code without a symbol -> its own cost.
    """

    call: int
    kind: TraceKind
    address: int
    complete: bool
    cost: TraceCost
    code_bytes: int = 0
    data_bytes: int = 0
    ram_bytes: int = 0
    functions: Mapping[int, TraceCost] = field(default_factory=dict)


@dataclass(frozen=True)
class Traced:
    """All segments in order; ``overflow``: there were more than are kept."""

    segments: tuple[TraceSegment, ...]
    overflow: bool


Ranges = Sequence[tuple[int, int]]
"""(start, size) of functions."""
