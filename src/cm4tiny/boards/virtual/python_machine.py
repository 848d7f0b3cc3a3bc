"""The Python backend: the same machine as the C files, about a hundred times slower; for hosts without a C compiler.

It simulates the caches on every access, so it counts what the native backend counts with ``exact=True``.
"""

from __future__ import annotations

import ctypes
import importlib
from collections import deque
from typing import Any

from unicorn import arm_const as arm
from unicorn import unicorn_const as uc_const

from cm4tiny.boards.virtual import python_peripherals as peripherals
from cm4tiny.boards.virtual.cycle_model import TICKS_PER_CYCLE, BlockCoster, BlockFacts, CycleModel
from cm4tiny.boards.virtual.machine import (
    FLASH_BASE,
    FLASH_SIZE,
    PS_PER_S,
    SRAM2_ALIAS,
    SRAM2_OFFSET,
    SRAM2_SIZE,
    SRAM_BASE,
    SRAM_SIZE,
    ClockChange,
    Counters,
    Fault,
    FaultKind,
    Note,
    NoteKind,
    PinChange,
    StopReason,
)
from cm4tiny.boards.virtual.native import PAGE_BYTES
from cm4tiny.boards.virtual.python_timing import FlashTiming, LineCache
from cm4tiny.boards.virtual.python_trace import PythonTrace
from cm4tiny.boards.virtual.trace import Ranges, TraceCost, Traced
from cm4tiny.boards.virtual.unicorn_core import open_core
from cm4tiny.errors import BoardError

_UNICORN: Any = importlib.import_module("unicorn")  # its annotations are partial
_RUN_FOR_EVER = 0xFFFF_FFFE
_ENDLESS_LOOP = b"\xfe\xe7"
_STALE_IT_BITS = 0x0600_FC00
_GENERAL = tuple(getattr(arm, f"UC_ARM_REG_R{i}") for i in range(13))
_CLEARED = (arm.UC_ARM_REG_CONTROL, arm.UC_ARM_REG_PRIMASK, arm.UC_ARM_REG_BASEPRI, arm.UC_ARM_REG_FAULTMASK, *_GENERAL)
_EXCEPTIONS = {1: FaultKind.INSTRUCTION, 2: FaultKind.SUPERVISOR_CALL, 7: FaultKind.BREAKPOINT, 8: FaultKind.EXCEPTION_RETURN}
_ACCESSES = {
    uc_const.UC_MEM_READ_UNMAPPED: FaultKind.READ,
    uc_const.UC_MEM_READ_PROT: FaultKind.READ,
    uc_const.UC_MEM_WRITE_UNMAPPED: FaultKind.WRITE,
    uc_const.UC_MEM_WRITE_PROT: FaultKind.FLASH_WRITE,
    uc_const.UC_MEM_FETCH_UNMAPPED: FaultKind.FETCH,
    uc_const.UC_MEM_FETCH_PROT: FaultKind.FETCH,
}


class PythonMachine:
    """One emulated chip in Python. See :class:`~cm4tiny.boards.virtual.machine.Machine`."""

    backend = "python"

    def __init__(self, model: CycleModel, *, baud: int | None) -> None:
        self._model = model
        self.baud = baud or 0
        self._coster = BlockCoster(model)
        self.timing = FlashTiming(LineCache(model.icache_lines), LineCache(model.dcache_lines), pair_per_mille=model.pair_per_mille)
        self._facts: dict[tuple[int, int], BlockFacts] = {}
        self.ticks = self._skipped_ticks = self._expected_pc = self._block_pc = self._limit_ticks = 0
        self._instructions = self._blocks_run = self._taken = self._resets = 0
        self._stops: set[str] = set()
        self._pending_fpu_pc = 0
        self._refused = ""
        self._fault: Fault | None = None
        self._notes: dict[tuple[NoteKind, int], Note] = {}
        self._notes_taken = 0
        self._edges: list[int] = []
        self._clock_changes: list[ClockChange] = []
        self.hclk_hz = 0
        self.received: deque[int] = deque()
        self._sent = bytearray()
        self.host_uart: peripherals.Uart | None = None
        self.receive_ready_at = self._last_poll_at = self._idle_polls = self._until_ps = 0
        self._idle = False
        self._trace: PythonTrace | None = None
        self._flash = (ctypes.c_uint8 * FLASH_SIZE)()
        ctypes.memset(self._flash, 0xFF, FLASH_SIZE)
        self._sram = (ctypes.c_uint8 * SRAM_SIZE)()
        self._add_peripherals()
        self._engine = self._open_engine()

    # --- construction ---------------------------------------------------------------------------------------------------------------

    def _add_peripherals(self) -> None:
        p = peripherals
        self.rcc = p.Rcc(self, 0x4002_1000, 0x400)
        self.scb = p.Scb(self, 0xE000_ED00, 0x200)
        self.dwt = p.Dwt(self, 0xE000_1000, 0x1000)
        self._uarts = [p.Uart(self, base, 0x400) for base in (0x4000_8000, 0x4001_3800, *range(0x4000_4400, 0x4000_5400, 0x400))]
        self._timers = [p.Timer(self, 0x4000_0000 + 0x400 * i, wide=i in (0, 3)) for i in range(6)]
        self._peripherals: list[p.Peripheral] = [
            self.rcc,
            p.Pwr(self, 0x4000_7000, 0x400),
            p.FlashInterface(self, 0x4002_2000, 0x400),
            *self._uarts,
            *self._timers,
            *(p.Gpio(self, 0x4800_0000 + 0x400 * port, 0x400) for port in range(9)),
            p.Peripheral(self, 0x4001_0000, 0x400),
            self.scb,
            p.SysTick(self, 0xE000_E010, 0x10),
            p.Nvic(self, 0xE000_E100, 0xC00),
            p.Peripheral(self, 0xE000_E000, 0x10),
            self.dwt,
            p.Peripheral(self, 0xE000_0000, 0x1000),
            p.DebugId(self, 0xE004_2000, 0x400),
        ]

    def _open_engine(self) -> Any:
        engine = open_core(page_bytes=PAGE_BYTES)
        read_execute = uc_const.UC_PROT_READ | uc_const.UC_PROT_EXEC
        engine.mem_map_ptr(FLASH_BASE, FLASH_SIZE, read_execute, ctypes.addressof(self._flash))
        engine.mem_map_ptr(0, FLASH_SIZE, read_execute, ctypes.addressof(self._flash))
        engine.mem_map_ptr(SRAM_BASE, SRAM_SIZE, uc_const.UC_PROT_ALL, ctypes.addressof(self._sram))
        engine.mem_map_ptr(SRAM2_ALIAS, SRAM2_SIZE, uc_const.UC_PROT_ALL, ctypes.addressof(self._sram) + SRAM2_OFFSET)
        for base, size in ((0x4000_0000, 0x2000_0000), (0xE000_0000, 0x0010_0000)):
            engine.mmio_map(base, size, self._on_bus_read, base, self._on_bus_write, base)
        engine.hook_add(uc_const.UC_HOOK_BLOCK, self._on_block)
        engine.hook_add(uc_const.UC_HOOK_INTR, self._on_interrupt)
        engine.hook_add(uc_const.UC_HOOK_MEM_INVALID, self._on_invalid_access)
        engine.hook_add(uc_const.UC_HOOK_MEM_READ, self._on_flash_read, begin=FLASH_BASE, end=FLASH_BASE + FLASH_SIZE - 1)
        engine.hook_add(uc_const.UC_HOOK_MEM_READ, self._on_flash_read, begin=0, end=FLASH_SIZE - 1)
        return engine

    # --- unicorn's callbacks --------------------------------------------------------------------------------------------------------

    def _on_block(self, engine: Any, address: int, size: int, _: Any) -> None:
        if self._trace is not None:
            self._trace.before_block(address)
        if self._stops or self._pending_fpu_pc or self.ticks >= self._limit_ticks:
            engine.emu_stop()  # before the block is charged: it is entered again after the restart
            return
        facts = self._facts.get((address, size))
        if facts is None:
            facts = self._facts[address, size] = self._coster.facts(self.read_memory(address, size), address)
        if size == 2 and self.read_memory(address, 2) == _ENDLESS_LOOP:
            self._stops.add("parked")
        if facts.fpu_offset is not None and not self.scb.fpu_enabled():
            self._pending_fpu_pc = address + facts.fpu_offset
        if address < FLASH_SIZE or FLASH_BASE <= address < FLASH_BASE + FLASH_SIZE:
            self.ticks += self.timing.fetch(address & (FLASH_SIZE - 1), size)
        if address != self._expected_pc:
            self.ticks += self._model.taken_transfer * TICKS_PER_CYCLE
            self._taken += 1
        self._expected_pc, self._block_pc = address + size, address
        self.ticks += facts.cost_ticks
        self._instructions += facts.instructions
        self._blocks_run += 1
        if self._trace is not None:
            self._trace.after_block(address, size)

    def _on_flash_read(self, engine: Any, _access: int, address: int, size: int, _value: int, _: Any) -> None:
        xpsr = engine.reg_read(arm.UC_ARM_REG_XPSR)
        if xpsr & _STALE_IT_BITS:  # see clear_stale_it_bits in timing.c
            engine.reg_write(arm.UC_ARM_REG_XPSR, xpsr & ~_STALE_IT_BITS)
        self.ticks += self.timing.read(address & (FLASH_SIZE - 1), size)
        if self._trace is not None:
            self._trace.flash_read(address & (FLASH_SIZE - 1), size)

    def _on_invalid_access(self, _engine: Any, access: int, address: int, _size: int, _value: int, _: Any) -> bool:
        self._record_fault(_ACCESSES.get(access, FaultKind.OTHER), address, access)
        return False

    def _on_interrupt(self, engine: Any, number: int, _: Any) -> None:
        self._record_fault(_EXCEPTIONS.get(number, FaultKind.OTHER), 0, number)
        engine.emu_stop()

    def _find(self, address: int) -> peripherals.Peripheral | None:
        return next((p for p in self._peripherals if p.base <= address < p.base + p.size), None)

    def _on_bus_read(self, _engine: Any, offset: int, size: int, base: int) -> int:
        address = base + offset
        found = self._find(address)
        if found is None:
            self.note(NoteKind.READ, address)
            return 0
        return found.read((address - found.base) & ~3) >> (address & 3) * 8 & ((1 << 8 * size) - 1)

    def _on_bus_write(self, _engine: Any, offset: int, size: int, value: int, base: int) -> None:
        address = base + offset
        found = self._find(address)
        if found is None:
            self.note(NoteKind.WRITE, address)
            return
        shift = (address & 3) * 8
        mask = ((1 << 8 * size) - 1) << shift
        found.write((address - found.base) & ~3, value << shift & mask, mask)

    # --- what peripherals ask -------------------------------------------------------------------------------------------------------

    def count_idle_poll(self, line_free_at: int) -> None:
        gap, self._last_poll_at = self.ticks - self._last_poll_at, self.ticks
        if self.received or self.ticks < line_free_at or gap > self._model.idle_gap * TICKS_PER_CYCLE:
            self._idle_polls = 0
            return
        self._idle_polls += 1
        if self._idle_polls >= self._model.idle_polls:
            self._stops.add("idle")

    def next_byte(self, byte_ticks: int) -> int:
        self._idle_polls = 0
        pace = self._model.receive_pace * TICKS_PER_CYCLE
        self.receive_ready_at = self.receive_ready_at + byte_ticks if self.baud else self.ticks + pace
        return self.received.popleft()

    def send_byte(self, value: int) -> None:
        self._idle_polls = 0
        self._sent.append(value)
        if value == 0x0A:
            self._stops.add("line")

    def rebase_timers(self) -> None:
        for timer in self._timers:
            timer.rebase()

    def set_clock(self, hclk_hz: int) -> None:
        if hclk_hz == self.hclk_hz:
            return
        now = self.time_ps if self.hclk_hz else 0
        self._clock_changes.append(ClockChange(now, self.ticks, hclk_hz))
        self.hclk_hz = hclk_hz

    def timestamp_edge(self) -> None:
        self._edges.append(self.time_ps)

    def refuse(self, what: str) -> None:
        """The firmware wants what only the native backend has: the run ends with an error at the next block."""
        self._refused = self._refused or what
        self._stops.add("refused")

    def request_reset(self) -> None:
        self._stops.add("reset")

    def note(self, kind: NoteKind, address: int) -> None:
        self._notes.setdefault((kind, address), Note(kind, address, self._block_pc))

    # --- running --------------------------------------------------------------------------------------------------------------------

    def _register(self, register: int) -> int:
        return int(self._engine.reg_read(register)) & 0xFFFF_FFFF

    def _record_fault(self, kind: FaultKind, address: int, detail: int, pc: int | None = None) -> None:
        if self._fault is None:
            where = self._register(arm.UC_ARM_REG_PC) if pc is None else pc
            lr, sp, xpsr = (self._register(r) for r in (arm.UC_ARM_REG_LR, arm.UC_ARM_REG_SP, arm.UC_ARM_REG_XPSR))
            self._fault = Fault(kind, address, detail, where, lr, sp, xpsr, tuple(self._register(r) for r in _GENERAL))

    def _run_once(self) -> StopReason | None:
        pc = self._register(arm.UC_ARM_REG_PC)
        self._limit_ticks = self._ticks_of(self._until_ps)
        try:
            self._engine.emu_start(pc | 1, _RUN_FOR_EVER)
        except _UNICORN.UcError as error:
            kind = FaultKind.INSTRUCTION if error.errno == uc_const.UC_ERR_INSN_INVALID else FaultKind.OTHER
            self._record_fault(kind, 0, error.errno)
        fpu_pc, self._pending_fpu_pc = self._pending_fpu_pc, 0
        if fpu_pc and not self.scb.fpu_enabled():
            self._record_fault(FaultKind.FPU_DISABLED, fpu_pc, 0, fpu_pc)
        if self._fault is not None:
            return StopReason.FAULT
        asleep = not self._stops and not fpu_pc and self.ticks < self._limit_ticks  # WFI or WFE: until a byte comes
        if asleep and not self.received:
            self._stops.add("idle")
        return self._stop_reason(pc)

    def _stop_reason(self, pc: int) -> StopReason | None:
        if self._refused:
            raise BoardError(
                f"this firmware needs {self._refused}, which the slow Python backend does not have",
                why="it models neither exceptions nor DMA",
                cure="set CC, or install a C compiler, and the board runs natively; on Debian:\napt-get install gcc libc6-dev",
            )
        if "reset" in self._stops:
            self.reset()
            return None
        if "parked" in self._stops:
            self.note(NoteKind.PARKED, pc)
            return StopReason.PARKED
        if "line" in self._stops:
            self._stops.discard("line")
            return StopReason.LINE
        if "idle" in self._stops:
            self._stops.discard("idle")
            self._idle, self._idle_polls = True, 0
            return StopReason.IDLE
        return StopReason.LIMIT if self.ticks >= self._ticks_of(self._until_ps) else None

    def run(self, until_ps: int) -> StopReason:
        self._until_ps = until_ps
        if self._fault is not None:
            return StopReason.FAULT
        if "parked" in self._stops:
            return StopReason.PARKED
        if self._idle and not self.received:
            return StopReason.IDLE
        self._idle = False
        while True:
            reason = self._run_once()
            if reason is not None:
                return reason

    def reset(self) -> None:
        for peripheral in self._peripherals:
            peripheral.reset()
        self.timing.clear()
        if self._trace is not None:
            self._trace.abandon()
        self._expected_pc = 0xFFFF_FFFF
        self._pending_fpu_pc = self.receive_ready_at = self._idle_polls = 0
        self.received.clear()
        self.host_uart, self._idle, self._fault = None, False, None
        self._refused = ""
        self._stops.clear()
        for register in _CLEARED:
            self._engine.reg_write(register, 0)
        vectors = self.read_memory(FLASH_BASE, 8)
        self._engine.reg_write(arm.UC_ARM_REG_XPSR, 0x0100_0000)
        self._engine.reg_write(arm.UC_ARM_REG_LR, 0xFFFF_FFFF)
        self._engine.reg_write(arm.UC_ARM_REG_SP, int.from_bytes(vectors[:4], "little") & ~3)
        self._engine.reg_write(arm.UC_ARM_REG_PC, int.from_bytes(vectors[4:], "little") | 1)
        self._resets += 1

    # --- what the host asks ---------------------------------------------------------------------------------------------------------

    @property
    def time_ps(self) -> int:
        last = self._clock_changes[-1]
        return last.time_ps + (self.ticks - last.ticks) * (PS_PER_S // TICKS_PER_CYCLE) // last.hclk_hz

    def _ticks_of(self, time_ps: int) -> int:
        last = self._clock_changes[-1]
        return last.ticks + max(0, -((last.time_ps - time_ps) * last.hclk_hz // (PS_PER_S // TICKS_PER_CYCLE)))

    def _memory(self, address: int, size: int) -> tuple[Any, int]:
        for base, room, store, offset in (
            (FLASH_BASE, FLASH_SIZE, self._flash, 0),
            (SRAM_BASE, SRAM_SIZE, self._sram, 0),
            (0, FLASH_SIZE, self._flash, 0),
            (SRAM2_ALIAS, SRAM2_SIZE, self._sram, SRAM2_OFFSET),
        ):
            if base <= address and address + size <= base + room:
                return store, address - base + offset
        raise BoardError(f"0x{address:08x} is no memory of this chip", why=f"{size} bytes were asked for there")

    def write_memory(self, address: int, data: bytes) -> None:
        store, offset = self._memory(address, len(data))
        store[offset : offset + len(data)] = data
        self.timing.clear()
        self._facts.clear()
        self._engine.ctl_flush_tb()

    def read_memory(self, address: int, size: int) -> bytes:
        store, offset = self._memory(address, size)
        return bytes(store[offset : offset + size])

    def skip_until(self, time_ps: int) -> None:
        ticks = self._ticks_of(time_ps)
        if ticks > self.ticks:
            self._skipped_ticks += ticks - self.ticks
            self.ticks = ticks
        self._idle = False

    def receive(self, data: bytes) -> None:
        pace = 10 * self.hclk_hz * TICKS_PER_CYCLE // self.baud if self.baud else self._model.receive_pace * TICKS_PER_CYCLE
        if not self.received:
            self.receive_ready_at = max(self.receive_ready_at, self.ticks + pace)
        self.received.extend(data)
        self._idle_polls = 0

    def play(self, frames: bytes, rate_hz: int) -> None:
        raise BoardError(
            "the slow Python backend has no audio input", cure="set CC, or install a C compiler; on Debian:\napt-get install gcc libc6-dev"
        )

    def line_baud(self) -> int:
        return self.host_uart.baud() if self.host_uart is not None else 0

    def stop(self) -> None:
        self._engine.emu_stop()

    def program_counter(self) -> int:
        return self._register(arm.UC_ARM_REG_PC) & ~1

    def take_output(self) -> bytes:
        output = bytes(self._sent)
        self._sent.clear()
        return output

    def edges_ps(self) -> tuple[int, ...]:
        return tuple(self._edges)

    def pin_changes(self) -> tuple[PinChange, ...]:
        return ()  # falling edges of the time-stamp pin are all that this backend records

    def clock_changes(self) -> tuple[ClockChange, ...]:
        return tuple(self._clock_changes)

    def take_notes(self) -> tuple[Note, ...]:
        fresh = tuple(self._notes.values())[self._notes_taken :]
        self._notes_taken = len(self._notes)
        return fresh

    def fault(self) -> Fault | None:
        return self._fault

    def counters(self) -> Counters:
        return Counters(
            cycles=self.ticks // TICKS_PER_CYCLE,
            instructions=self._instructions,
            blocks_run=self._blocks_run,
            taken_transfers=self._taken,
            icache_misses=self.timing.instruction.misses,
            dcache_misses=self.timing.data.misses,
            icache_stall_cycles=self.timing.instruction_stall_ticks // TICKS_PER_CYCLE,
            dcache_stall_cycles=self.timing.data_stall_ticks // TICKS_PER_CYCLE,
            skipped_cycles=self._skipped_ticks // TICKS_PER_CYCLE,
            profiled_cycles=(self.ticks - self._skipped_ticks) // TICKS_PER_CYCLE,
            profile_phases=1,
            resets=self._resets,
            blocks_known=len(self._facts),
            bytes_received=sum(uart.bytes_received for uart in self._uarts),
            bytes_sent=sum(uart.bytes_sent for uart in self._uarts),
        )

    def start_trace(self, root: tuple[int, int], functions: Ranges) -> None:
        if self._trace is not None:
            raise BoardError("the trace cannot start", why="another one is on")
        self._trace = PythonTrace(root, functions, self._engine, self._trace_counters)

    def stop_trace(self) -> Traced:
        trace, self._trace = self._trace, None
        return trace.stop() if trace is not None else Traced((), False)

    def _trace_counters(self) -> TraceCost:
        t = self.timing
        misses = (t.instruction.misses, t.data.misses)
        return TraceCost(self.ticks, self._instructions, *misses, t.instruction_stall_ticks, t.data_stall_ticks)

    def close(self) -> None:
        self._engine = None
