"""The cycle model of the virtual board: every constant once, with its source, and the static cost of a basic block.

Instruction timing is that of the Cortex-M4 technical reference manual (DDI0439, section 3.3.1, and for the FPU section 7.2.3); the
flash interface is that of RM0432 section 3.3.5. Two constants come from comparing published results of identical binaries (MLPerf
Tiny v1.1 to v1.3, 17 images): they are marked so. None is tuned to a single result. Expect about +-5 % typical, +-10 % at worst.

Costs are integers in ticks of 1/1000 cycle, so that every host computes the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import capstone

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
    """LDR, VLDR right after a single load that does not make its address. Nothing is pipelined after a store. DDI0439 section 3.3.3."""
    load_into_pc: int = 5
    """LDR into the PC, the refill included: it blocks. DDI0439 section 3.3.3: at least 5."""
    store: int = 1
    """STR, VSTR: the write buffer hides the second cycle. DDI0439 section 3.3.3."""
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
    taken_transfer: int = 2
    """P, the pipeline refill of each transfer that is taken. DDI0439 table 3-1: 1 to 3."""
    misaligned_wide_ticks: int = 200
    """0.2 cycle for a 32-bit instruction at an address that is no multiple of 4. Published pair: bosch v1.1 and v1.2, ad."""
    icache_lines: int = 32
    """Lines of 32 bytes, LRU, filled by 64-bit words. RM0432 section 3.3.5."""
    dcache_lines: int = 8
    """Lines of 32 bytes, LRU, filled by 64-bit words. RM0432 section 3.3.5."""
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


@dataclass(frozen=True)
class BlockFacts:
    """What the disassembler says about a basic block. ``fpu_offset`` is the first FPU instruction's offset, or None."""

    cost_ticks: int
    instructions: int
    fpu_offset: int | None


def instruction_cost(model: CycleModel, this: Instruction, before: Instruction | None = None) -> int:
    """Cycles of one instruction after another; None before it: the first of a block."""
    match this.kind:
        case Kind.LOAD:
            if this.into_pc:
                return model.load_into_pc - model.taken_transfer
            pipelined = before is not None and before.kind is Kind.LOAD and before.loaded not in this.address
            return model.load_pipelined if pipelined else model.load
        case Kind.STORE:
            return model.store
        case Kind.MULTIPLE:
            return model.multiple_base + this.words
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
        cycles = ticks = instructions = 0
        fpu_offset: int | None = None
        before: Instruction | None = None
        for at, size, mnemonic, operands in self._disassembler.disasm_lite(code, address):
            this = instruction(mnemonic, operands)
            cycles += instruction_cost(self._model, this, before)
            before = this
            instructions += 1
            if size == 4 and at % 4:
                ticks += self._model.misaligned_wide_ticks
            if fpu_offset is None and this.fpu:
                fpu_offset = at - address
        return BlockFacts(cycles * TICKS_PER_CYCLE + ticks, instructions, fpu_offset)
