# SPDX-License-Identifier: Apache-2.0
"""What the cycle model needs to know of one instruction, read from the disassembler's text."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace
from functools import lru_cache

_BRANCH_WITH_V = re.compile(r"^(bvs|bvc)$")
_TWO_CORE_REGISTERS = re.compile(r"^(s\d+, s\d+, r|d\d+, r|[a-z]+\d*, [a-z]+\d*, [sd]\d)")
_BRACKETS = re.compile(r"\[([^\]]*)\](!)?(?:, (.+))?")
_CONDITIONS = "eq|ne|hs|cs|lo|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le"
_CONDITIONAL = re.compile(rf"^b({_CONDITIONS})$")
_BRANCH = re.compile(rf"^(b|bx|bxns|cbz|cbnz)({_CONDITIONS})?$")
_WITHOUT_RESULT = (
    "cmp",
    "cmn",
    "tst",
    "teq",
    "it",
    "nop",
    "cps",
    "dsb",
    "dmb",
    "isb",
    "svc",
    "bkpt",
    "pld",
    "msr",
    "wf",
    "sev",
    "udf",
    "yield",
)
_TWO_RESULTS = ("umull", "umlal", "umaal", "smull", "smlal", "smlsld")
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
        reads: whether a LOAD, STORE or MULTIPLE reads memory.
        loaded: the core register that a LOAD fills, None for a VLDR and for other kinds.
        base: the register that holds the address, None without memory; the stack pointer for PUSH and POP.
        address: core registers of which a memory address is made: the base, and the index if there is one.
        indexed: a LOAD's or STORE's offset is a register.
        offset: what is added to the base for the address; None if that is a register.
        step: what is added to the base afterwards (writeback); None without writeback, or by a register.
        size: bytes of one access.
        written: core registers that get a result of arithmetic (not of memory, not by writeback).
        into_pc: a LOAD that is a jump.
        conditional: a branch that depends on the flags.
        every: all core registers that it changes, however.
    """

    kind: Kind
    words: int = 0
    fpu: bool = False
    reads: bool = False
    loaded: str | None = None
    base: str | None = None
    address: frozenset[str] = frozenset()
    indexed: bool = False
    offset: int | None = 0
    step: int | None = None
    size: int = 4
    written: frozenset[str] = frozenset()
    into_pc: bool = False
    conditional: bool = False
    every: frozenset[str] = frozenset()

    @property
    def writes_back(self) -> bool:
        """Whether it changes its base register by an address."""
        return self.base is not None and self.base in self.every and self.loaded != self.base


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


def _number(text: str) -> int:
    return int(text.replace("#", "").replace(" ", ""), 0)


def _list_registers(operands: str) -> frozenset[str]:
    """Core registers of a register list."""
    match = re.search(r"\{(.*)\}", operands)
    found: set[str] = set()
    for part in match.group(1).split(",") if match else ():
        first, _, last = part.strip().partition("-")
        if last and first[0] == last[0] == "r":
            found |= {_register(f"r{n}") for n in range(int(first[1:]), int(last[1:]) + 1)}
        elif not re.match(r"[sd]\d", first):
            found |= {_register(name) for name in (first, last) if name}
    return frozenset(found)


def _single(kind: Kind, operands: str, *, loaded: frozenset[str], size: int, words: int = 0, fpu: bool = False) -> Instruction:
    """A load or store with an address in brackets."""
    reads = bool(loaded) or kind is Kind.LOAD
    match = _BRACKETS.search(operands)
    if match is None:
        return Instruction(kind, words, fpu, reads=reads, every=loaded)
    parts = [part.strip() for part in match.group(1).split(",")]
    base, indexed = _register(parts[0]), len(parts) > 1 and not parts[1].startswith("#")
    offset = None if indexed else _number(parts[1]) if len(parts) > 1 else 0
    step: int | None = None
    if match.group(3):  # post-indexed
        step = _number(match.group(3)) if match.group(3).startswith("#") else None
    elif match.group(2):
        step = offset
    back = {base} if match.group(2) or match.group(3) else set()
    only = next(iter(loaded)) if kind is Kind.LOAD and len(loaded) == 1 else None
    return Instruction(
        kind,
        words,
        fpu,
        reads=reads,
        loaded=only,
        base=base,
        address=frozenset({base, _register(parts[1])} if indexed else {base}),
        indexed=indexed,
        offset=offset,
        step=step,
        size=size,
        into_pc=only == "pc",
        every=loaded | back,
    )


def _multiple(mnemonic: str, operands: str, *, reads: bool, fpu: bool = False) -> Instruction:
    """LDM, STM, PUSH, POP and their kin of the floating-point unit."""
    stack = mnemonic.startswith(("push", "pop", "vpush", "vpop"))
    base = "sp" if stack else _register(operands.split(",")[0].strip().rstrip("!"))
    back = {base} if stack or "!" in operands else set()
    changed = frozenset(back) | (_list_registers(operands) if reads and not fpu else frozenset())
    return Instruction(
        Kind.MULTIPLE, _register_count(operands), fpu, reads=reads, base=base, address=frozenset({base}), offset=None, every=changed
    )


def _of_fpu(mnemonic: str, operands: str) -> Instruction:
    if mnemonic.startswith(("vldm", "vpop", "vstm", "vpush")):
        return _multiple(mnemonic, operands, reads=mnemonic.startswith(("vldm", "vpop")), fpu=True)
    if mnemonic.startswith(("vldr", "vstr")):
        double, reads = operands.startswith("d"), mnemonic.startswith("vldr")
        kind = Kind.MULTIPLE if double else Kind.LOAD if reads else Kind.STORE
        found = _single(kind, operands, loaded=frozenset(), size=4, words=2 if double else 0, fpu=True)
        return replace(found, reads=reads)
    core = frozenset(_register(part.strip()) for part in operands.split(",")[:2] if re.match(r"\s*(r\d+|sb|sl|fp|ip|lr)$", part))
    if mnemonic.startswith(("vdiv", "vsqrt")):
        return Instruction(Kind.FPU_DIVIDE, fpu=True)
    if mnemonic.startswith(("vfma", "vfms", "vmla", "vmls", "vnml", "vfnm")):
        return Instruction(Kind.FPU_MULTIPLY_ACCUMULATE, fpu=True)
    to_core = core if mnemonic.startswith(("vmov", "vmrs")) and not re.match(r"[sd]\d", operands) else frozenset()
    pair = mnemonic.startswith("vmov") and _TWO_CORE_REGISTERS.match(operands)
    return Instruction(Kind.FPU_PAIR_MOVE if pair else Kind.SIMPLE, fpu=True, written=to_core, every=to_core)


def _result(mnemonic: str, operands: str) -> frozenset[str]:
    """Registers that an instruction without memory changes."""
    if mnemonic.startswith(("bl", "blx")) and not mnemonic.startswith(("ble", "bls", "blt")):
        return frozenset({"lr"})
    if mnemonic.startswith(_WITHOUT_RESULT) or _BRANCH.match(mnemonic):
        return frozenset()
    count = 2 if mnemonic.startswith(_TWO_RESULTS) else 1
    return frozenset(_register(part.strip()) for part in operands.split(",")[:count] if part.strip())


@lru_cache(maxsize=1 << 16)
def instruction(mnemonic: str, operands: str) -> Instruction:
    """Reads one line of disassembly (capstone's). What is not known is SIMPLE."""
    mnemonic = mnemonic.split(".")[0]
    if is_fpu(mnemonic):
        return _of_fpu(mnemonic, operands)
    if mnemonic.startswith(("ldm", "pop")):
        return _multiple(mnemonic, operands, reads=True)
    if mnemonic.startswith(("stm", "push")):
        return _multiple(mnemonic, operands, reads=False)
    first = [_register(part.strip()) for part in operands.split(",")[:2]]
    if mnemonic.startswith("ldrd"):
        return _single(Kind.MULTIPLE, operands, loaded=frozenset(first), size=4, words=2)
    if mnemonic.startswith("strd"):
        return _single(Kind.MULTIPLE, operands, loaded=frozenset(), size=4, words=2)
    if mnemonic.startswith("ldr"):
        return _single(Kind.LOAD, operands, loaded=frozenset(first[:1]), size=_access_bytes(mnemonic[3:]))
    if mnemonic.startswith("str"):
        changed = frozenset(first[:1]) if mnemonic.startswith("strex") else frozenset()
        found = _single(Kind.STORE, operands, loaded=frozenset(), size=_access_bytes(mnemonic[3:]))
        return replace(found, every=found.every | changed)
    if mnemonic.startswith(("tbb", "tbh")):
        return Instruction(Kind.TABLE_BRANCH)
    written = _result(mnemonic, operands)
    conditional = bool(_CONDITIONAL.match(mnemonic))
    kind = Kind.DIVIDE if mnemonic.startswith(("sdiv", "udiv")) else Kind.SIMPLE
    return Instruction(kind, written=written, conditional=conditional, every=written)


def _access_bytes(suffix: str) -> int:
    """Bytes by what follows LDR or STR: B, SB, H, SH, or nothing."""
    suffix = suffix.removeprefix("ex").removeprefix("s")
    return 1 if suffix.startswith("b") else 2 if suffix.startswith("h") and not suffix.startswith("hs") else 4
