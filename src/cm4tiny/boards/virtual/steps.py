# SPDX-License-Identifier: Apache-2.0
"""What an instruction does with the values in its registers, as far as the proof of equal iterations follows them (``witness.c``).

The proof asks of each instruction of an iteration whether it uses a loop's counter. It must not miss a use, so everything here errs to that
side: a register that an instruction names is taken for read unless it is known to be its result only.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import capstone

from cm4tiny.boards.virtual.accesses import REGISTERS
from cm4tiny.boards.virtual.instruction_facts import Instruction, Kind, instruction

NUMBERS = {name: number for number, name in enumerate((*REGISTERS, "pc"))}
NUMBERS |= {"r9": 9, "r10": 10, "r11": 11, "r12": 12, "r13": 13, "r14": 14, "r15": 15}
CONDITIONS = ("eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le")
"""In the order of their codes (DDI0403 section A7.3)."""
_NAMES = re.compile(r"\b(r\d+|sb|sl|fp|ip|sp|lr|pc)\b")
_BRANCH = re.compile(rf"^b({'|'.join(CONDITIONS)}|cs|cc)(\.w|\.n)?$")
_TO_ONE = re.compile(r"^(movs?|mvns?|movw|[su]xt[bh]|[su]xtb16|rev|rev16|revsh|rbit|clz|adr|mrs|vmrs|vmov)(\.w|\.n)?$")
"""The result of two operands that is a result only."""
_KEEPS_RESULT = ("movt", "bfi", "bfc", "smlal", "umlal", "umaal", "smlsld")
_ALL_FLAGS = ("cmp", "cmn", "adds", "subs", "rsbs", "adcs", "sbcs", "vmrs")
_SOME_FLAGS = re.compile(r"^(tst|teq|(mov|mvn|and|orr|orn|eor|bic|lsl|lsr|asr|ror|rrx|mul|mla)s)")
_PLAIN = re.compile(
    r"^(nop|tst|teq|cmp|cmn|b|bl|bx|blx|adr|movw|movt|clz|rev|rev16|revsh|rbit|[us]bfx|bfi|bfc|[us]xt[bh]"
    r"|(mov|mvn|add|sub|rsb|and|orr|orn|eor|bic|lsl|lsr|asr|ror|mul)s?)(\.w|\.n)?$"
)
"""Instructions that compute with registers or branch, and change nothing else: neither Q nor GE, no memory, no mode."""
_READS_CARRY = re.compile(r"^(adc|sbc|rrx)")


class StepKind(enum.IntEnum):
    """What the proof makes of an instruction; mirrored in witness.h."""

    OTHER = 1
    """It must not read what follows the counter."""
    MOVE = 2
    ADD = 3
    """Result = first operand + second."""
    SUB = 4
    """Result, or only flags, of first operand - second."""
    BRANCH = 5
    """By flags."""
    COMPARE_BRANCH = 6
    LOAD = 7
    """Words, to registers in ascending order."""
    STORE = 8
    IT = 9


class Flag(enum.IntFlag):
    """Of the APSR; mirrored in witness.h."""

    N = 1
    Z = 2
    C = 4
    V = 8
    ALL = 15


_FLAGS_READ = (Flag.Z, Flag.Z, Flag.C, Flag.C, Flag.N, Flag.N, Flag.V, Flag.V, *(Flag.C | Flag.Z,) * 2, *(Flag.N | Flag.V,) * 2)
NONE = 0xFF


@dataclass(frozen=True)
class StepFacts:
    """One instruction.

    Attributes:
        kind: see :class:`StepKind`.
        size: bytes.
        result, first, second: numbers of registers; :data:`NONE`: there is none.
        constant: the second operand where it is not a register.
        condition: of a branch, as of :data:`CONDITIONS`; 14 (of COMPARE_BRANCH: CBZ) and 15 (CBNZ).
        reads, writes, moved: masks of registers; what a LOAD or STORE moves is in ``moved``, its address in ``reads``.
        flag_reads, flag_writes: masks of :class:`Flag`.
        covers: instructions behind an IT that belong to it; of OTHER, 1 if it computes with registers or branches, and does nothing else.
    """

    kind: StepKind = StepKind.OTHER
    size: int = 2
    result: int = NONE
    first: int = NONE
    second: int = NONE
    constant: int = 0
    condition: int = 0
    reads: int = 0
    writes: int = 0
    moved: int = 0
    flag_reads: int = 0
    flag_writes: int = 0
    covers: int = 0


def _mask(names: Iterable[str | None]) -> int:
    return sum(1 << number for number in {NUMBERS[name] for name in names if name is not None})


def _flags_read(condition: int) -> Flag:
    return Flag.N | Flag.Z | Flag.V if condition >= 12 else _FLAGS_READ[condition]


def _condition(text: str) -> int:
    return CONDITIONS.index({"cs": "hs", "cc": "lo"}.get(text, text))


def _flags_written(mnemonic: str) -> Flag:
    if mnemonic.startswith(_ALL_FLAGS):
        return Flag.ALL
    return Flag.N | Flag.Z if _SOME_FLAGS.match(mnemonic) else Flag(0)


def _moves_words(facts: Instruction, mnemonic: str) -> bool:
    if facts.fpu or facts.base is None or mnemonic.startswith(("ldrex", "strex")):
        return False
    return facts.kind is Kind.MULTIPLE or (facts.kind in (Kind.LOAD, Kind.STORE) and facts.size == 4)


def _memory(mnemonic: str, operands: str, size: int, facts: Instruction) -> StepFacts:
    """LDR, LDM, POP, LDRD, STR, STM, PUSH, STRD of words: the registers in front of the address, or in the list, are moved."""
    listed = re.search(r"\{(.*)\}", operands)
    before = operands.split("[")[0] if listed is None else listed.group(1)
    moved = [name for part in before.split(",") for name in _span(part.strip()) if name]
    ascending = [NUMBERS[name] for name in moved] == sorted(NUMBERS[name] for name in moved)
    if not ascending or not moved:
        return _other(mnemonic, operands, size, facts)
    address = _mask(_NAMES.findall(operands[len(before) :])) if listed is None else _mask({facts.base})
    kind = StepKind.LOAD if facts.reads else StepKind.STORE
    return StepFacts(kind, size, reads=address, writes=_mask(facts.every), moved=_mask(moved))


def _span(part: str) -> list[str]:
    first, _, last = part.partition("-")
    if not last:
        return _NAMES.findall(part)
    names = list(NUMBERS)
    return names[NUMBERS[first] : NUMBERS[last] + 1]


def _result_only(mnemonic: str, parts: list[str]) -> bool:
    """Whether the first operand is a result and nothing else."""
    if mnemonic.startswith(_KEEPS_RESULT):
        return False
    if len(parts) == 2:
        return bool(_TO_ONE.match(mnemonic)) or mnemonic.startswith("ldr")
    return len(parts) > 2 and not mnemonic.startswith(("str", "stm", "push", "cmp", "cmn", "tst", "teq", "it", "cb", "msr"))


def _other(mnemonic: str, operands: str, size: int, facts: Instruction) -> StepFacts:
    parts = [part.strip() for part in operands.split(",")]
    named = _NAMES.findall(operands)
    if (facts.written or facts.loaded) and _result_only(mnemonic, parts) and parts[0] in named:
        named.remove(parts[0])
    carry = Flag.C if _READS_CARRY.match(mnemonic) else Flag(0)
    carry = Flag.ALL if mnemonic.startswith("mrs") else carry
    return StepFacts(
        StepKind.OTHER,
        size,
        reads=_mask(named),
        writes=_mask(facts.every & NUMBERS.keys()),
        flag_reads=carry,
        flag_writes=_flags_written(mnemonic),
        covers=int(_is_plain(mnemonic, facts)),
    )


def _is_plain(mnemonic: str, facts: Instruction) -> bool:
    return not facts.fpu and facts.base is None and bool(_PLAIN.match(mnemonic))


def _linear(mnemonic: str, operands: str, size: int, facts: Instruction) -> StepFacts | None:
    """MOV, ADD, SUB and CMP of registers and constants, without shifts; None for everything else."""
    name = re.sub(r"(\.w|\.n)$", "", mnemonic)
    name = name.removesuffix("w") if name in ("addw", "subw") else name
    parts = [part.strip() for part in operands.split(",")]
    if name not in ("mov", "movs", "add", "adds", "sub", "subs", "cmp") or not 2 <= len(parts) <= 3 or "pc" in parts:
        return None
    if any(part not in NUMBERS and not part.startswith("#") for part in parts):
        return None
    if name in ("mov", "movs"):
        if len(parts) != 2 or parts[1].startswith("#"):
            return None
        kind, result, first, second = StepKind.MOVE, parts[0], parts[1], "#0"
    elif name == "cmp":
        kind, result, first, second = StepKind.SUB, "", parts[0], parts[1]
    else:
        kind = StepKind.ADD if name.startswith("add") else StepKind.SUB
        result, first, second = parts[0], parts[-2], parts[-1]
    sources = [part for part in (first, second) if part in NUMBERS]
    return StepFacts(
        kind,
        size,
        result=NUMBERS.get(result, NONE),
        first=NUMBERS[first],
        second=NUMBERS.get(second, NONE),
        constant=int(second[1:], 0) & 0xFFFF_FFFF if second.startswith("#") else 0,
        reads=_mask(sources),
        writes=_mask(facts.every),
        flag_writes=_flags_written(name),
    )


@lru_cache(maxsize=1 << 16)
def step_of(mnemonic: str, operands: str, size: int) -> StepFacts:
    """Facts from one line of disassembly (capstone's)."""
    facts = instruction(mnemonic, operands)
    branch = _BRANCH.match(mnemonic)
    if branch:
        condition = _condition(branch.group(1))
        return StepFacts(StepKind.BRANCH, size, condition=condition, flag_reads=_flags_read(condition))
    if mnemonic in ("cbz", "cbnz"):
        register = NUMBERS[operands.split(",")[0].strip()]
        return StepFacts(StepKind.COMPARE_BRANCH, size, first=register, condition=14 + (mnemonic == "cbnz"), reads=1 << register)
    if mnemonic.startswith("it"):
        condition = _condition(operands.strip()) if operands.strip() != "al" else 0
        return StepFacts(StepKind.IT, size, flag_reads=_flags_read(condition), covers=len(mnemonic) - 1)
    if mnemonic.startswith(("ldr", "ldm", "pop", "str", "stm", "push")) and _moves_words(facts, mnemonic):
        return _memory(mnemonic, operands, size, facts)
    return _linear(mnemonic, operands, size, facts) or _other(mnemonic, operands, size, facts)


class StepReader:
    """Facts of single instructions by a disassembler of its own."""

    def __init__(self) -> None:
        self._disassembler = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)

    def facts(self, code: bytes, address: int) -> StepFacts:
        """Of the instruction that these bytes begin with. One that is not known reads all registers and flags."""
        for _, size, mnemonic, operands in self._disassembler.disasm_lite(code, address, 1):
            return step_of(mnemonic, operands, size)
        return StepFacts(reads=0xFFFF, flag_reads=Flag.ALL)
