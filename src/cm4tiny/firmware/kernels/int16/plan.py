# SPDX-License-Identifier: Apache-2.0
"""Chooses blocks, unrolling and cover of a convolution, and says what they cost."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.block import FPU_REGISTERS, Epilogue, MacBlock, MicroKernel, write_block
from cm4tiny.firmware.kernels.int16.cover import SHAPES, Shape, TileRegion, cover
from cm4tiny.firmware.kernels.int16.geometry import Geometry, Unroll
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.schedule import LINE_BYTES
from cm4tiny.firmware.kernels.int16.staging import Stage, copy, expand, padded

CALL_CYCLES = 14
"""Of the driver, per call."""
DRIVER_BYTES = 96
"""Of the driver's loop over blocks, if it is not in the function."""
REGION_CYCLES = 60
STAGE_CYCLES = 34
"""Of a call that fills the scratch, without its loop."""
STAGE_WORDS = 1024
"""The scratch takes as many blocks of channels as fit into this, at least one."""
MISS_CYCLES, DCACHE_BYTES, LINE_WORDS, FETCH_BYTES = 5, 256, 4, 16
ICACHE_LINES = ICACHE_BYTES // LINE_BYTES
UNROLLS_TRIED = 6
_STATES = 7  # FPU registers that a block's loops need
MAX_PIXELS = {1: 4, 2: 4, 4: 2}
"""Pixels per tile for each number of channels per block."""


class ChannelGroup(NamedTuple):
    """Channels ``start`` to ``stop`` in blocks of ``channels``."""

    start: int
    stop: int
    channels: int

    @property
    def blocks(self) -> int:
        return (self.stop - self.start) // self.channels


def groups(outputs: int, channels: int) -> list[ChannelGroup]:
    """Whole blocks, then what is left over in smaller ones."""
    found, start = [], 0
    while start < outputs:
        stop = start + (outputs - start) // channels * channels
        if stop > start:
            found.append(ChannelGroup(start, stop, channels))
        start, channels = stop, channels // 2
    return found


def unrolls(pairs: int, runs: int, pixels: int, channels: int, *, down: bool) -> list[Unroll]:
    """What may fit into the instruction cache, the least overhead first; ``down``: also down the rows."""
    found = _ranked(pairs, runs, pixels, channels, False)
    if down and found and found[0][2].unrolled:
        found += _ranked(runs, pairs, pixels, channels, True)
    return [unroll for _, _, unroll in sorted(found)[:UNROLLS_TRIED]]


def _ranked(length: int, runs: int, pixels: int, channels: int, down: bool) -> list[tuple[int, int, Unroll]]:
    """Overhead in cycles, size in pairs."""
    sums = pixels * channels
    room = (ICACHE_BYTES - 4 * (5 * sums + 4 * channels + 12)) // (4 * runs * (pixels + channels + sums))
    if length <= room:
        return [(0, runs * length, Unroll(length, 0, down))]
    smallest: dict[tuple[int, bool], tuple[int, int, int]] = {}
    for unrolled in range(1, min(length, room) + 1):
        for first in range(length % unrolled, min(room - unrolled, length - 2 * unrolled) + 1, unrolled):
            key = ((length - first) // unrolled, first > 0)
            smallest[key] = min(smallest.get(key, (length, 0, 0)), (first + unrolled, first, unrolled))
    return [
        (5 * iterations + (0 if peeled else sums - channels), runs * size, Unroll(first, unrolled, down))
        for (iterations, peeled), (size, first, unrolled) in smallest.items()
    ]


@dataclass(frozen=True)
class Placement:
    """Where weights lie, and in which form.

    Attributes:
        name: part of a candidate's id.
        merged: two channels' weights in a word.
        in_ram: they are copied to SRAM at boot.
        stage: how they get into the scratch, if they are brought there.
    """

    name: str
    merged: bool = False
    in_ram: bool = False
    stage: Stage | None = None

    @property
    def reads_flash(self) -> bool:
        """Whether every tile does."""
        return not self.in_ram and self.stage is None


PLACEMENTS = (
    Placement("ram", in_ram=True),
    Placement("merged-ram", merged=True, in_ram=True),
    Placement("expanded", stage=expand()),
    Placement("merged-staged", merged=True, stage=copy()),
    Placement("flash"),
    Placement("merged-flash", merged=True),
)


@dataclass(frozen=True)
class ConvPlan:
    """How one group of channels is computed.

    Attributes:
        group: the channels.
        shape: of the tiles of the main region.
        placement: of the weights.
        merged: two channels' weights in a word.
        step: blocks of channels per call.
        kernels: one per region; all read the same weights.
    """

    group: ChannelGroup
    shape: Shape
    placement: Placement
    merged: bool
    step: int
    kernels: tuple[tuple[TileRegion, MicroKernel], ...]

    @property
    def order(self) -> tuple[int, ...]:
        return self.kernels[0][1].order

    @property
    def words(self) -> int:
        """Words of weights in a block."""
        return len(self.order) * _pair_words(self.group, self.merged)

    @property
    def step_words(self) -> int:
        """Words from call to call."""
        return padded(self.step * self.words) if self.placement.stage else self.step * self.words

    @property
    def calls(self) -> int:
        """Per region."""
        return self.group.blocks // self.step

    @property
    def cached(self) -> bool:
        """Whether no call and no block of channels fetches code again."""
        return not any(self._misses(kernel) for _, kernel in self.kernels)

    @property
    def _resident(self) -> bool:
        """Whether a block's weights stay in the data cache over all tiles; constants start at a line."""
        size = 4 * self.words
        lines = size // LINE_BYTES if size % LINE_BYTES == 0 else size // LINE_BYTES + 2
        return lines * LINE_BYTES <= DCACHE_BYTES

    def _misses(self, kernel: MicroKernel) -> float:
        """Cycles in which code is fetched for the second time and later."""
        stage = self.placement.stage
        size = kernel.function.bytes + (stage.function.bytes + DRIVER_BYTES if stage else 0)
        if kernel.block_lines > ICACHE_LINES:
            return self.group.blocks * kernel.block_lines * LINE_WORDS * MISS_CYCLES
        return (self.calls - 1) * MISS_CYCLES * size / 8 if size > ICACHE_BYTES else 0.0

    @property
    def cycles(self) -> float:
        """Estimate."""
        stage, total = self.placement.stage, 0.0
        for region, kernel in self.kernels:
            total += REGION_CYCLES + MISS_CYCLES * kernel.function.bytes / 8 + self._misses(kernel)
            total += self.calls * (kernel.cycles + CALL_CYCLES)
            if stage:
                total += self.calls * (STAGE_CYCLES + stage.cycles * self.step_words)
            elif self.placement.reads_flash:
                reads = 1 if self._resident else region.tiles[0] * region.tiles[1]
                total += self.group.blocks * reads * MISS_CYCLES * 4 * self.words / FETCH_BYTES
        return total


def _pair_words(group: ChannelGroup, merged: bool) -> int:
    return group.channels // 2 if merged else group.channels


def plans(geometry: Geometry, group: ChannelGroup, shape: Shape, placement: Placement, epilogue: Epilogue) -> Iterator[ConvPlan]:
    """Plans whose loops stay in the instruction cache, down to the first one that is not slowed down by it at all."""
    merged = placement.merged and group.channels > 1
    options = unrolls(geometry.pairs, len(geometry.runs), shape[0] * shape[1], group.channels, down=geometry.down > 0)
    regions = _regions(geometry, _Form(group.channels, merged, epilogue), shape, options[-1]) if options else None
    step = group.blocks
    if placement.stage:
        words = len(geometry.runs) * geometry.pairs * _pair_words(group, merged)
        step = max(n for n in range(1, group.blocks + 1) if group.blocks % n == 0 and (n == 1 or n * words <= STAGE_WORDS))
    for unroll in options if regions is not None else []:
        kernels = [(r, _written(_block(geometry, r, _Form(group.channels, merged, epilogue), unroll, step))) for r in regions or ()]
        found = tuple((region, kernel) for region, kernel in kernels if kernel is not None and kernel.loop_lines <= ICACHE_LINES)
        if len(found) == len(kernels):
            plan = ConvPlan(group, shape, placement, merged, step, found)
            yield plan
            if plan.cached:
                return


@functools.lru_cache(maxsize=4096)
def _written(block: MacBlock) -> MicroKernel | None:
    """None if loads or stores do not reach that far."""
    try:
        return write_block(block)
    except KernelLimitError:
        return None


class _Form(NamedTuple):
    channels: int
    merged: bool
    epilogue: Epilogue


def _block(geometry: Geometry, region: TileRegion, form: _Form, unroll: Unroll, blocks: int = 1) -> MacBlock:
    block = replace(geometry.block(region, form.channels, form.epilogue, unroll), merged=form.merged, blocks=blocks)
    return replace(block, resident=_resident(block))


def _resident(block: MacBlock) -> bool:
    """Whether the block's weights shall stay in FPU registers: where they fit and save a cycle per pair, with four pixels."""
    room = FPU_REGISTERS - _STATES - block.epilogue.parameters * block.channels
    return not block.merged and not block.unrolled and (len(block.pixels), block.channels) == (4, 2) and block.words <= room


def _regions(geometry: Geometry, form: _Form, shape: Shape, unroll: Unroll) -> tuple[TileRegion, ...] | None:
    costs: dict[Shape, float] = {}
    for s in SHAPES:
        if s[0] * s[1] <= MAX_PIXELS[form.channels]:
            tiles = _written(_block(geometry, TileRegion(0, 0, s, (1, 100)), form, unroll))
            if tiles is not None:
                costs[s] = tiles.cycles / 100
    return cover(geometry.height, geometry.width, shape, costs, REGION_CYCLES) if shape in costs else None
