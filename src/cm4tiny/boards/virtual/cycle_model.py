# SPDX-License-Identifier: Apache-2.0
"""The cycle model of the virtual board: every constant once, with its source, and the static cost of a basic block.

Instruction timing is that of the Cortex-M4 technical reference manual (DDI0439, section 3.3.1, and for the FPU section 7.2.3); the
flash interface is that of RM0432 section 3.3.5. One constant comes from comparing published results of identical binaries (MLPerf
Tiny v1.1 to v1.3, 17 images): it is marked so. None is tuned to a single result. The error is that of docs/fidelity.md.

Costs are integers in ticks of 1/1000 cycle, so that every host computes the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import capstone

from cm4tiny.boards.boards import default_board
from cm4tiny.boards.chips import ChipDescription
from cm4tiny.boards.virtual.accesses import Access, accesses
from cm4tiny.boards.virtual.instruction_facts import Instruction, Kind, instruction

TICKS_PER_CYCLE = 1000


@dataclass(frozen=True)
class CycleModel:
    """Constants of the model; cycles unless the name says otherwise."""

    simple: int = 1
    """Arithmetic, logic, multiply, multiply-accumulate, SIMD, branch, IT, most FPU instructions. DDI0439 table 3-1."""
    load: int = 2
    """LDR, VLDR: 2 when it stands alone. DDI0439 section 3.3.2."""
    load_pipelined: int = 1
    """LDR, VLDR right after a single load that does not make its address. DDI0439 section 3.3.3."""
    load_after_store: int = 1
    """More for a load right after a single store: nothing is pipelined after a store, and the load waits for the store's data phase.
    DDI0439 section 3.3.3; measured by others on an M4 ("stores cannot be pipelined with following load instructions, adds extra cycle":
    jnk0le/random, cortex_m3m4.md)."""
    load_into_pc: int = 5
    """LDR into the PC, the refill included: it blocks. DDI0439 section 3.3.3: at least 5."""
    store: int = 1
    """STR, VSTR with a constant offset or writeback: the write buffer hides the second cycle. DDI0439 section 3.3.3."""
    store_after_load: int = 0
    """Such a store right after a load that does not make its address: it takes the place of the load's second cycle. DDI0439 section
    3.3.3, "LDR any are pipelined when possible"; measured by others as one instruction per cycle (ibid.)."""
    store_indexed: int = 2
    """A store whose offset is a register: three registers are read. DDI0439 section 3.3.3 promises one cycle to constant offsets only."""
    store_chained: int = 1
    """More for a store right after one that writes its base back. Measured by others (ibid.)."""
    address_interlock: int = 1
    """More where the instruction right before computes a register of the address: there is no forwarding path. DDI0439 section 3.3.3."""
    multiple_base: int = 1
    """LDM, STM, LDRD, STRD, PUSH, POP, VLDM, VSTM, VLDR and VSTR of a double: this plus one per word. DDI0439 tables 3-1 and 7-1."""
    divide: int = 6
    """SDIV, UDIV: the middle of 2 to 12. DDI0439 table 3-1, note."""
    table_branch: int = 6
    """TBB, TBH, the refill included. DDI0439 section 3.3.3: at least 6."""
    fpu_multiply_accumulate: int = 3
    """VMLA, VFMA and kin. DDI0439 table 7-1."""
    fpu_divide: int = 14
    """VDIV, VSQRT. DDI0439 table 7-1."""
    fpu_pair_move: int = 2
    """VMOV between two core registers and a double or two single registers. DDI0439 table 7-1."""
    taken_transfer: int = 1
    """P, the pipeline refill of each transfer that is taken. DDI0439 table 3-1: 1 to 3, by whether the core speculates the address early
    and by alignment and width of the target. 1: branches without condition."""
    taken_condition: int = 1
    """More for a conditional branch that is taken: its address is not speculated. DDI0439 table 3-1, note on P."""
    misaligned_target: int = 1
    """More where the target is a 32-bit instruction at an address that is not a multiple of 4: two words are fetched before it is complete.
    DDI0439 table 3-1, note on P; measured by others (compendium.i-0.nl, instruction alignment)."""
    bank_wait: int = 1
    """A read from SRAM2 or SRAM3 that is not pipelined behind another on the same bus: the bus matrix grants SRAM1 only without delay.
    Stores wait in the write buffer. The authors of pqm4 measured that SRAM1 is faster on this board (mupq/pqm4 pull request 193)."""
    bank_change: int = 1
    """A read from another SRAM than the access before it: the matrix arbitrates again, and nothing is pipelined across. Measured by others
    (jnk0le/random, cortex_m3m4.md: pipelining happens only within one memory)."""
    icache_lines: int = field(default_factory=lambda: default_board().chip.flash_geometry.instruction_lines)
    """Lines of 32 bytes, LRU, filled by 64-bit words: of the chip's description. RM0432 section 3.3.5."""
    dcache_lines: int = field(default_factory=lambda: default_board().chip.flash_geometry.data_lines)
    """Lines of 32 bytes, LRU, filled by 64-bit words: of the chip's description. RM0432 section 3.3.5."""
    pair_per_mille: int = 0
    """A missed word costs FLASH_ACR.LATENCY cycles (5 at 120 MHz); the second half of a 128-bit pair, read as data right after the first,
    so many thousandths of that. Published results of ST's v1.2 and v1.3 images (ad): nothing."""
    receive_pace: int = 200
    """Between two received bytes when no baud rate is modelled; enough for every firmware that was tried."""
    idle_polls: int = 64
    """So many polls of an empty receiver in a row mean: idle."""
    idle_gap: int = 1000
    """Polls further apart than this are work, not waiting."""
    profile_min: int = 50_000_000
    """Cycles to simulate exactly before data stalls are charged as means (about one inference of the larger models)."""
    profile_max: int = 200_000_000
    """The same when no command ends."""
    unprofiled_window: int = 5_000_000
    """Cycles over which cycles in blocks without a profile are counted ..."""
    unprofiled_limit: int = 50_000
    """... and how many of them send the board back to exact simulation (1 %)."""


def cycle_model_of(chip: ChipDescription) -> CycleModel:
    """The model with the caches of a chip; of one without a validated model, costs of a Cortex-M4 and memory that never waits."""
    if not has_cycle_model(chip):
        return CycleModel(icache_lines=1, dcache_lines=1, bank_wait=0, bank_change=0)
    return CycleModel(icache_lines=chip.flash_geometry.instruction_lines, dcache_lines=chip.flash_geometry.data_lines)


def has_cycle_model(chip: ChipDescription) -> bool:
    """Whether a chip's cycles are predicted with a known error: those of another core or flash interface are not."""
    return chip.core.name == "cortex-m4" and any(peripheral.driver == "flash-l4" for peripheral in chip.peripherals)


@dataclass(frozen=True)
class BlockFacts:
    """What the disassembler says about a basic block.

    Attributes:
        cost_ticks: of all its instructions, without taken transfers, flash misses and waits for SRAM2 and SRAM3.
        fpu_offset: the first FPU instruction's offset, or None.
        exit_ticks: more when what runs next does not follow it in memory.
        entry_ticks: more when what ran before does not precede it in memory.
        accesses: its loads and stores.
    """

    cost_ticks: int
    instructions: int
    fpu_offset: int | None
    exit_ticks: int = 0
    entry_ticks: int = 0
    accesses: tuple[Access, ...] = ()


def _load_cost(model: CycleModel, this: Instruction, before: Instruction | None) -> int:
    if this.into_pc:
        return model.load_into_pc - model.taken_transfer
    if before is not None and before.kind is Kind.LOAD and before.loaded not in this.address:
        return model.load_pipelined
    return model.load + (model.load_after_store if before is not None and before.kind is Kind.STORE else 0)


def _store_cost(model: CycleModel, this: Instruction, before: Instruction | None) -> int:
    if this.indexed:
        return model.store_indexed
    if before is not None and before.kind is Kind.LOAD and before.loaded not in this.address:
        return model.store_after_load
    chained = before is not None and before.kind is Kind.STORE and before.writes_back and before.base in this.address
    return model.store + (model.store_chained if chained else 0)


def instruction_cost(model: CycleModel, this: Instruction, before: Instruction | None = None) -> int:
    """Cycles of one instruction after another; None before it: the first of a block."""
    interlock = model.address_interlock if before is not None and before.written & this.address else 0
    match this.kind:
        case Kind.LOAD:
            return _load_cost(model, this, before) + interlock
        case Kind.STORE:
            return _store_cost(model, this, before) + interlock
        case Kind.MULTIPLE:
            return model.multiple_base + this.words + interlock
        case Kind.DIVIDE:
            return model.divide
        case Kind.TABLE_BRANCH:
            return model.table_branch - model.taken_transfer
        case Kind.FPU_MULTIPLY_ACCUMULATE:
            return model.fpu_multiply_accumulate
        case Kind.FPU_DIVIDE:
            return model.fpu_divide
        case Kind.FPU_PAIR_MOVE:
            return model.fpu_pair_move
    return model.simple


class BlockCoster:
    """Static costs of basic blocks by a disassembler of its own (capstone's objects belong to one thread at a time)."""

    def __init__(self, model: CycleModel) -> None:
        self._model = model
        self._disassembler = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
        self._disassembler.skipdata = True

    def facts(self, code: bytes, address: int) -> BlockFacts:
        """Cost of the block of these bytes at this address, without taken transfers and flash misses."""
        model = self._model
        cycles = 0
        fpu_offset: int | None = None
        before: Instruction | None = None
        block: list[tuple[str, str, Instruction]] = []
        wide = False
        for at, size, mnemonic, operands in self._disassembler.disasm_lite(code, address):
            this = instruction(mnemonic, operands)
            wide = wide or (not block and size == 4 and at % 4 != 0)
            block.append((mnemonic, operands, this))
            cycles += instruction_cost(model, this, before)
            before = this
            if fpu_offset is None and this.fpu:
                fpu_offset = at - address
        leaving = model.taken_transfer + (model.taken_condition if before is not None and before.conditional else 0)
        return BlockFacts(
            cycles * TICKS_PER_CYCLE,
            len(block),
            fpu_offset,
            exit_ticks=leaving * TICKS_PER_CYCLE,
            entry_ticks=model.misaligned_target * TICKS_PER_CYCLE if wide else 0,
            accesses=accesses(block),
        )
