# SPDX-License-Identifier: Apache-2.0
"""Tracing the callees of one function on a bare core: the same as ``trace.c``, where it is explained. No exceptions, no reset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from support.plain_core import FLASH, FLASH_BYTES, SRAM, SRAM_BYTES, PlainCore
from unicorn import arm_const as arm
from unicorn import unicorn_const as uc_const

from cm4tiny.boards.virtual.trace import MAX_SEGMENTS, Ranges, TraceCost, Traced, TraceKind, TraceSegment


@dataclass
class _Segment:
    call: int
    kind: TraceKind
    address: int
    cost: TraceCost = field(default_factory=TraceCost)
    complete: bool = False
    cells: dict[int, TraceCost] = field(default_factory=dict)
    code: set[int] = field(default_factory=set)
    data: set[int] = field(default_factory=set)
    ram: set[int] = field(default_factory=set)
    ended: bool = False

    def value(self) -> TraceSegment:
        used = (len(self.code), len(self.data), len(self.ram)) if self.ended else (0, 0, 0)
        cells = {function: self.cells[function] for function in sorted(self.cells) if self.cells[function] != TraceCost()}
        return TraceSegment(self.call, self.kind, self.address, self.complete, self.cost, *used, functions=cells)


def _canonical(address: int) -> int:
    return address + FLASH if address < FLASH_BYTES else address


class TraceWitness:
    """Sees every block and access of a core while it runs."""

    def __init__(self, core: PlainCore, root: tuple[int, int], functions: Ranges) -> None:
        self._root, self._root_size = root
        self._core, self._engine = core, core.engine
        core.before_block.append(self._before_block)
        core.after_block.append(self._after_block)
        core.on_flash_read.append(lambda offset, size: self._use("data", offset, size))
        self._function_of = {at: i for i, (start, size) in enumerate(functions, 1) for at in range(start, start + size, 2)}
        self._segments: list[_Segment] = []
        self._overflow = False
        self._calls = self._return_address = self._entry_sp = self._callee_sp = self._function = 0
        self._begin = self._mark = TraceCost()
        self._state: TraceKind | None = None  # OWN, CALLEE, or None outside of the root
        self._whole = self._own = self._callee = self._charged = _Segment(0, TraceKind.WHOLE, 0)
        access = uc_const.UC_HOOK_MEM_READ | uc_const.UC_HOOK_MEM_WRITE
        core.engine.hook_add(access, self._on_ram_access, begin=SRAM, end=SRAM + SRAM_BYTES - 1)

    def stop(self) -> Traced:
        self._callee.ended = True  # the core stops at the return address, before a block there
        self._end_call()
        return Traced(tuple(segment.value() for segment in self._segments), self._overflow)

    # --- what is used ---------------------------------------------------------------------------------------------------------------

    def _on_ram_access(self, _engine: Any, _access: int, address: int, size: int, _value: int, _: Any) -> None:
        self._core.clear_it_bits()
        self._use("ram", address - SRAM, size)

    def _after_block(self, address: int, size: int) -> None:
        offset = _canonical(address) - FLASH
        if 0 <= offset < FLASH_BYTES:
            self._use("code", offset, size)
        else:
            self._use("ram", address - SRAM, size)

    def _use(self, what: str, offset: int, size: int) -> None:
        if self._state is not None:
            for segment in (self._whole, self._charged):
                getattr(segment, what).update(range(offset, offset + size))

    # --- costs ------------------------------------------------------------------------------------------------------------------------

    def _charge(self) -> None:
        now = self._core.cost
        spent = now - self._mark
        self._charged.cost += spent
        self._charged.cells[self._function] = self._charged.cells.get(self._function, TraceCost()) + spent
        self._mark = now

    def _new(self, kind: TraceKind, address: int) -> _Segment:
        self._segments.append(_Segment(self._calls, kind, address))
        return self._segments[-1]

    def _register(self, register: int) -> int:
        return int(self._engine.reg_read(register)) & 0xFFFF_FFFF

    def _before_block(self, block_address: int) -> None:
        address = _canonical(block_address)
        function = self._function_of.get(address, 0)
        if self._state is None:
            if address != self._root:
                return
            if len(self._segments) + 2 > MAX_SEGMENTS:
                self._overflow = True
                return
            self._begin_call()
            self._function = function
        else:
            self._step(address)
        if self._state is not None:
            owner = self._own if self._state is TraceKind.OWN else self._callee
            if owner is not self._charged or function != self._function:
                self._charge()
                self._charged, self._function = owner, function

    def _begin_call(self) -> None:
        self._calls += 1
        self._whole = self._new(TraceKind.WHOLE, self._root)
        self._own = self._charged = self._new(TraceKind.OWN, self._root)
        self._return_address = _canonical(self._register(arm.UC_ARM_REG_LR) & ~1)
        self._entry_sp = self._register(arm.UC_ARM_REG_SP)
        self._begin = self._mark = self._core.cost
        self._state = TraceKind.OWN

    def _step(self, address: int) -> None:
        inside = self._root <= address < self._root + self._root_size
        returned = address == self._return_address and self._register(arm.UC_ARM_REG_SP) == self._entry_sp
        if self._state is TraceKind.CALLEE and (returned or (inside and self._register(arm.UC_ARM_REG_SP) == self._callee_sp)):
            self._callee.ended = True
            self._state = TraceKind.OWN
        if self._state is TraceKind.OWN and not inside:
            if returned:
                self._end_call()
            elif len(self._segments) >= MAX_SEGMENTS:
                self._overflow = True
            else:
                self._callee = self._new(TraceKind.CALLEE, address)
                self._callee_sp = self._register(arm.UC_ARM_REG_SP)
                self._state = TraceKind.CALLEE

    def _end_call(self) -> None:
        self._charge()
        self._whole.cost = self._mark - self._begin
        self._whole.complete = self._whole.ended = self._own.ended = True
        self._state = None
