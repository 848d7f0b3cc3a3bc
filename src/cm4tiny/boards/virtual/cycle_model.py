"""The cycle model of the virtual board: every constant once, with its source, and the static cost of a basic block.

Instruction timing is that of the Cortex-M4 technical reference manual (DDI0439, section 3.3.1, and for the FPU section 7.2.3); the
flash interface is that of RM0432 section 3.3.5. Two constants come from comparing published results of identical binaries (MLPerf
Tiny v1.1 to v1.3, 17 images): they are marked so. None is tuned to a single result. Expect about +-5 % typical, +-10 % at worst.

Costs are integers in ticks of 1/1000 cycle, so that every host computes the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import capstone

TICKS_PER_CYCLE = 1000


@dataclass(frozen=True)
class CycleModel:
    """Constants of the model; cycles unless the name says otherwise."""

    simple: int = 1
    """Arithmetic, logic, multiply, multiply-accumulate, SIMD, branch, IT, most FPU instructions. DDI0439 table 3-1."""
    load: int = 2
    """LDR, VLDR: 2 when it stands alone. DDI0439 section 3.3.2."""
    load_pipelined: int = 1
    """LDR, VLDR right after a single load or store. DDI0439 section 3.3.3."""
    store: int = 1
    """STR, VSTR: the write buffer hides the second cycle. DDI0439 section 3.3.3."""
    multiple_base: int = 1
    """LDM, STM, LDRD, STRD, PUSH, POP, VLDM, VSTM: this plus one per word. DDI0439 table 3-1."""
    divide: int = 6
    """SDIV, UDIV: the middle of 2 to 12. DDI0439 table 3-1, note."""
    table_branch_extra: int = 2
    """TBB, TBH over a simple instruction. DDI0439 table 3-1."""
    fpu_multiply_accumulate: int = 3
    """VMLA, VFMA and kin. DDI0439 table 7-1."""
    fpu_divide: int = 14
    """VDIV, VSQRT. DDI0439 table 7-1."""
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


_SINGLE = ("load", "store")
_BRANCH_WITH_V = re.compile(r"^(bvs|bvc)$")


def _register_count(operands: str) -> int:
    """Words moved by a register list, ``{r4, r5-r7, lr}``; double registers count twice."""
    match = re.search(r"\{(.*)\}", operands)
    if match is None:
        return 1
    count = 0
    for part in match.group(1).split(","):
        first, _, last = part.strip().partition("-")
        span = int(re.sub(r"\D", "", last)) - int(re.sub(r"\D", "", first)) + 1 if last else 1
        count += span * (2 if first.startswith("d") else 1)
    return count


def _is_fpu(mnemonic: str) -> bool:
    return mnemonic.startswith("v") and not _BRANCH_WITH_V.match(mnemonic)


def _fpu_cost(model: CycleModel, mnemonic: str, operands: str, previous: str) -> tuple[str, int]:
    double = operands.startswith("d")
    if mnemonic.startswith(("vldm", "vpop", "vstm", "vpush")):
        return "multiple", model.multiple_base + _register_count(operands)
    if mnemonic.startswith("vldr"):
        return "load", (model.load_pipelined if previous in _SINGLE else model.load) + double
    if mnemonic.startswith("vstr"):
        return "store", model.store + double
    if mnemonic.startswith(("vdiv", "vsqrt")):
        return "simple", model.fpu_divide
    if mnemonic.startswith(("vfma", "vfms", "vmla", "vmls", "vnml", "vfnm")):
        return "simple", model.fpu_multiply_accumulate
    return "simple", model.simple


def instruction_cost(model: CycleModel, mnemonic: str, operands: str, previous: str = "") -> tuple[str, int]:
    """Class and cycles of one instruction; ``previous`` is the class of the one before (loads are pipelined)."""
    mnemonic = mnemonic.split(".")[0]
    if _is_fpu(mnemonic):
        return _fpu_cost(model, mnemonic, operands, previous)
    if mnemonic.startswith(("ldm", "stm", "pop", "push")):
        return "multiple", model.multiple_base + _register_count(operands)
    if mnemonic.startswith(("ldrd", "strd")):
        return "multiple", model.multiple_base + 2
    if mnemonic.startswith("ldr"):
        return "load", model.load_pipelined if previous in _SINGLE else model.load
    if mnemonic.startswith("str"):
        return "store", model.store
    if mnemonic.startswith(("sdiv", "udiv")):
        return "simple", model.divide
    if mnemonic.startswith(("tbb", "tbh")):
        return "simple", model.simple + model.table_branch_extra
    return "simple", model.simple


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
        previous = ""
        for at, size, mnemonic, operands in self._disassembler.disasm_lite(code, address):
            previous, cost = instruction_cost(self._model, mnemonic, operands, previous)
            cycles += cost
            instructions += 1
            if size == 4 and at % 4:
                ticks += self._model.misaligned_wide_ticks
            if fpu_offset is None and _is_fpu(mnemonic):
                fpu_offset = at - address
        return BlockFacts(cycles * TICKS_PER_CYCLE + ticks, instructions, fpu_offset)
