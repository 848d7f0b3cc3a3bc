"""What the cycle model needs to know of one instruction, read from the disassembler's text."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from functools import lru_cache

_BRANCH_WITH_V = re.compile(r"^(bvs|bvc)$")
_TWO_CORE_REGISTERS = re.compile(r"^(s\d+, s\d+, r|d\d+, r|[a-z]+\d*, [a-z]+\d*, [sd]\d)")
_BRACKETS = re.compile(r"\[([^\]]*)\](!)?(?:, (.+))?")
_ALIASES = {"r9": "sb", "r10": "sl", "r11": "fp", "r12": "ip", "r13": "sp", "r14": "lr", "r15": "pc"}


class Kind(enum.Enum):
    """Classes of instructions that take different paths through the core."""

    SIMPLE = "simple"
    LOAD = "load"
    """One load: LDR of any width, VLDR of a single register."""
    STORE = "store"
    """One store: STR of any width, VSTR of a single register."""
    MULTIPLE = "multiple"
    """LDM, STM, PUSH, POP, VLDM, VSTM, LDRD, STRD, VLDR and VSTR of a double register."""
    DIVIDE = "divide"
    TABLE_BRANCH = "table branch"
    FPU_MULTIPLY_ACCUMULATE = "FPU multiply-accumulate"
    FPU_DIVIDE = "FPU divide"
    FPU_PAIR_MOVE = "FPU move of two core registers"


@dataclass(frozen=True)
class Instruction:
    """One instruction as the cycle model sees it. Registers go by the disassembler's names.

    Attributes:
        kind: its class.
        words: that a MULTIPLE instruction moves.
        fpu: whether it needs the floating-point unit.
        loaded: the core register that a LOAD fills, None for a VLDR and for other kinds.
        address: core registers of which a LOAD's or STORE's address is made.
        into_pc: a LOAD that is a jump.
    """

    kind: Kind
    words: int = 0
    fpu: bool = False
    loaded: str | None = None
    address: frozenset[str] = frozenset()
    into_pc: bool = False


def is_fpu(mnemonic: str) -> bool:
    """Whether an instruction of this name needs the floating-point unit."""
    return mnemonic.startswith("v") and not _BRANCH_WITH_V.match(mnemonic)


def _register(text: str) -> str:
    return _ALIASES.get(text, text)


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


def _address(operands: str) -> frozenset[str]:
    match = _BRACKETS.search(operands)
    if match is None:
        return frozenset()
    parts = [part.strip() for part in match.group(1).split(",")]
    return frozenset(_register(part) for part in parts[:2] if part and not part.startswith("#"))


def _of_fpu(mnemonic: str, operands: str) -> Instruction:
    double = operands.startswith("d")
    if mnemonic.startswith(("vldm", "vpop", "vstm", "vpush")):
        return Instruction(Kind.MULTIPLE, _register_count(operands), fpu=True)
    if mnemonic.startswith(("vldr", "vstr")):
        if double:
            return Instruction(Kind.MULTIPLE, 2, fpu=True)
        return Instruction(Kind.LOAD if mnemonic.startswith("vldr") else Kind.STORE, fpu=True, address=_address(operands))
    if mnemonic.startswith(("vdiv", "vsqrt")):
        return Instruction(Kind.FPU_DIVIDE, fpu=True)
    if mnemonic.startswith(("vfma", "vfms", "vmla", "vmls", "vnml", "vfnm")):
        return Instruction(Kind.FPU_MULTIPLY_ACCUMULATE, fpu=True)
    if mnemonic.startswith("vmov") and _TWO_CORE_REGISTERS.match(operands):
        return Instruction(Kind.FPU_PAIR_MOVE, fpu=True)
    return Instruction(Kind.SIMPLE, fpu=True)


@lru_cache(maxsize=1 << 16)
def instruction(mnemonic: str, operands: str) -> Instruction:
    """Reads one line of disassembly (capstone's). What is not known is SIMPLE."""
    mnemonic = mnemonic.split(".")[0]
    if is_fpu(mnemonic):
        return _of_fpu(mnemonic, operands)
    if mnemonic.startswith(("ldm", "stm", "pop", "push")):
        return Instruction(Kind.MULTIPLE, _register_count(operands))
    if mnemonic.startswith(("ldrd", "strd")):
        return Instruction(Kind.MULTIPLE, 2)
    if mnemonic.startswith("ldr"):
        loaded = _register(operands.split(",")[0].strip())
        return Instruction(Kind.LOAD, loaded=loaded, address=_address(operands), into_pc=loaded == "pc")
    if mnemonic.startswith("str"):
        return Instruction(Kind.STORE, address=_address(operands))
    if mnemonic.startswith(("sdiv", "udiv")):
        return Instruction(Kind.DIVIDE)
    if mnemonic.startswith(("tbb", "tbh")):
        return Instruction(Kind.TABLE_BRANCH)
    return Instruction(Kind.SIMPLE)
