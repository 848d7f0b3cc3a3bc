# SPDX-License-Identifier: Apache-2.0
"""A bare Cortex-M4 with flash, SRAM and the cycle model, in plain Python: an independent witness of the virtual board's counts.

It has no peripherals but FLASH_ACR, takes no exceptions and simulates both caches on every access, without the short cuts of ``caches.c``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from support.flash_timing import FlashTiming, LineCache

from cm4tiny.boards.virtual.cycle_model import TICKS_PER_CYCLE, BlockCoster, BlockFacts, CycleModel
from cm4tiny.boards.virtual.trace import TraceCost
from cm4tiny.boards.virtual.unicorn_core import open_core

FLASH, SRAM = 0x0800_0000, 0x2000_0000
FLASH_BYTES, SRAM_BYTES = 2 << 20, 640 << 10
FLASH_INTERFACE = 0x4002_2000
STALE_IT_BITS = 0x0600_FC00
_ENDLESS_LOOP = b"\xfe\xe7"
Watcher = Callable[[int, int], None]


class PlainCore:
    """Counts while :attr:`engine` runs.

    Args:
        segments: what lies in memory: (address, bytes).
        wait_states: of the flash until FLASH_ACR is written.
        page_bytes: unicorn's page size; it decides where blocks are cut.
    """

    def __init__(
        self, segments: Iterable[tuple[int, bytes]], *, wait_states: int, model: CycleModel | None = None, page_bytes: int | None = None
    ) -> None:
        self.uc: Any = pytest.importorskip("unicorn")
        self.arm: Any = importlib.import_module("unicorn.arm_const")
        u = self.uc
        self.model = model or CycleModel()
        self.ticks = self.instructions = 0
        self.before_block: list[Callable[[int], None]] = []
        self.after_block: list[Watcher] = []
        self.on_flash_read: list[Watcher] = []
        self._expected_pc, self._parked = -1, False
        self._exit_ticks = self.model.taken_transfer * TICKS_PER_CYCLE  # of the block before; of the reset, to begin with
        self.engine = open_core(page_bytes=page_bytes)
        self.engine.mem_map(FLASH, FLASH_BYTES, u.UC_PROT_READ | u.UC_PROT_EXEC)
        self.engine.mem_map(SRAM, SRAM_BYTES)
        self.engine.mmio_map(FLASH_INTERFACE, 0x1000, None, None, self._on_flash_register, None)
        for address, data in segments:
            self.engine.mem_write(address, data)
        self.timing = FlashTiming(LineCache(self.model.icache_lines), LineCache(self.model.dcache_lines), wait_states * TICKS_PER_CYCLE)
        self.timing.pair_per_mille = self.model.pair_per_mille
        self._coster, self._facts = BlockCoster(self.model), dict[tuple[int, int], BlockFacts]()
        self.engine.hook_add(u.UC_HOOK_BLOCK, self._on_block)
        self.engine.hook_add(u.UC_HOOK_MEM_READ, self._on_flash_read, begin=FLASH, end=FLASH + FLASH_BYTES - 1)

    @property
    def cost(self) -> TraceCost:
        """Totals so far."""
        t = self.timing
        misses = (t.instruction.misses, t.data.misses)
        return TraceCost(self.ticks, self.instructions, *misses, t.instruction_stall_ticks, t.data_stall_ticks)

    def clear_counts(self) -> None:
        """Counts from zero; the caches keep their lines."""
        t = self.timing
        self.ticks = self.instructions = t.instruction.misses = t.data.misses = 0

    def run_parked(self, start: int) -> None:
        """Runs to an endless loop of one instruction, which counts as on the board."""
        self.engine.emu_start(start | 1, 0xFFFF_FFFE)
        assert self._parked

    def call(self, address: int, *arguments: int) -> None:
        """Calls a function by the procedure call standard (AAPCS32), with at most four arguments, on a stack at the end of SRAM."""
        stop = FLASH + FLASH_BYTES - 4
        for i, value in enumerate(arguments):
            self.engine.reg_write(getattr(self.arm, f"UC_ARM_REG_R{i}"), value)
        self.engine.reg_write(self.arm.UC_ARM_REG_SP, SRAM + SRAM_BYTES - 64)
        self.engine.reg_write(self.arm.UC_ARM_REG_LR, stop | 1)
        self.engine.emu_start(address | 1, stop)

    def clear_it_bits(self) -> None:
        """Memory hooks leave stale IT bits behind; see the virtual board's timing.c."""
        xpsr = self.engine.reg_read(self.arm.UC_ARM_REG_XPSR)
        if xpsr & STALE_IT_BITS:
            self.engine.reg_write(self.arm.UC_ARM_REG_XPSR, xpsr & ~STALE_IT_BITS)

    def read(self, address: int, size: int) -> bytes:
        """Bytes of memory."""
        return bytes(self.engine.mem_read(address, size))

    def _on_block(self, engine: Any, address: int, size: int, _: Any) -> None:
        if self._parked:
            engine.emu_stop()
            return
        for begins in self.before_block:
            begins(address)
        facts = self._facts.get((address, size))
        if facts is None:
            facts = self._facts[address, size] = self._coster.facts(self.read(address, size), address)
        self.ticks += facts.cost_ticks
        if address < SRAM:
            self.ticks += self.timing.fetch(address - FLASH, size)
        self.instructions += facts.instructions
        if address != self._expected_pc:
            self.ticks += self._exit_ticks + facts.entry_ticks
        self._exit_ticks = facts.exit_ticks
        self._expected_pc = address + size
        self._parked = size == 2 and self.read(address, 2) == _ENDLESS_LOOP
        for ran in self.after_block:
            ran(address, size)

    def _on_flash_read(self, _engine: Any, _access: int, address: int, size: int, _value: int, _: Any) -> None:
        self.clear_it_bits()
        self.ticks += self.timing.read(address - FLASH, size)
        for read in self.on_flash_read:
            read(address - FLASH, size)

    def _on_flash_register(self, _engine: Any, offset: int, _size: int, value: int, _: Any) -> None:
        """FLASH_ACR: LATENCY, ICEN, DCEN (RM0432 section 3.7.1)."""
        if offset == 0:
            self.timing.miss_ticks = (value & 15) * TICKS_PER_CYCLE
            self.timing.instruction.enabled, self.timing.data.enabled = bool(value & 0x200), bool(value & 0x400)
