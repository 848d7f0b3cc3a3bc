# SPDX-License-Identifier: Apache-2.0
"""Memory planning: every tensor and workspace gets an offset in one static arena, and those that live at the same time never overlap.

Greedy by size, as TFLM's ``GreedyMemoryPlanner`` (tensorflow/lite/micro/memory_planner) and TVM's USMP do it: the largest block first,
each at the lowest offset that is free over its whole life.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 8


@dataclass(frozen=True)
class ArenaBlock:
    """A piece of memory that is needed from step ``first`` to step ``last``, both included."""

    name: str
    size: int
    first: int
    last: int

    def meets(self, other: ArenaBlock) -> bool:
        """Whether both are alive at some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class ArenaPlan:
    """Offsets in bytes by block name, and the arena's size."""

    offsets: dict[str, int]
    size: int


def plan_arena(blocks: Sequence[ArenaBlock]) -> ArenaPlan:
    """Places all blocks; the result depends on the blocks and their order only."""
    placed: list[tuple[int, ArenaBlock]] = []
    for block in sorted(blocks, key=lambda b: -b.size):  # a stable sort: equal sizes keep their order
        offset = 0
        for start, other in sorted((p for p in placed if p[1].meets(block)), key=lambda p: p[0]):
            if offset + block.size <= start:
                break
            offset = max(offset, _aligned(start + other.size))
        placed.append((offset, block))
    size = max((_aligned(start + block.size) for start, block in placed), default=0)
    return ArenaPlan({block.name: start for start, block in placed}, size)


def _aligned(value: int) -> int:
    return -(-value // ALIGNMENT) * ALIGNMENT
