# SPDX-License-Identifier: Apache-2.0
"""Where a basic block's loads and stores go: from which register each address can be told, without a look at memory.

The board reads the core's registers now and then at a block's begin and end (``banks.c``). A base register that the block has not changed
before the access is known from the begin, one that it does not change after it from the end. All others stay unknown.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cm4tiny.boards.virtual.instruction_facts import Instruction, Kind

REGISTERS = (*(f"r{n}" for n in range(9)), "sb", "sl", "fp", "ip", "sp", "lr")
"""R0 to R14 by the disassembler's names."""
MOST_ACCESSES = 256
"""Of one block that are looked at; mirrored in core.h."""


class AccessFlag(enum.IntFlag):
    """What an access is; mirrored in core.h."""

    READ = 1
    ALONE = 2
    """A read that no load right before it hides: the bus was free before it."""
    CHAINED = 4
    """A pipelined load whose base the load before it writes back."""
    AT_END = 8
    """Its base register is read when the block has ended; otherwise when it begins."""
    EXACT = 16
    """The address is exact, not only its neighbourhood."""


@dataclass(frozen=True)
class Access:
    """One access: register number, what is added to it, bytes, :class:`AccessFlag`."""

    register: int
    displacement: int
    size: int
    flags: AccessFlag


def _copied(mnemonic: str, operands: str) -> tuple[str, str, int | None] | None:
    """Destination, source and displacement of a MOV between registers, or of an ADD or SUB of a constant; displacement None: of an index.

    With an index the pointer is the operand that is not shifted or multiplied, the first where neither is.
    """
    name = mnemonic.split(".")[0].rstrip("w")
    parts = [part.strip() for part in operands.split(",")]
    if name == "mla" and len(parts) == 4:
        return parts[0], parts[3], None
    if name in ("add", "adds") and len(parts) >= 3 and not parts[2].startswith("#") and (len(parts) == 3 or parts[3].startswith("lsl")):
        return parts[0], parts[1], None
    if name in ("mov", "movs") and len(parts) == 2 and not parts[1].startswith("#"):
        return parts[0], parts[1], 0
    match = re.match(r"^(add|sub)s?$", name)
    if not match or not parts[-1].startswith("#") or len(parts) not in (2, 3):
        return None
    constant = int(parts[-1][1:], 0)
    return parts[0], parts[-2] if len(parts) == 3 else parts[0], constant if match.group(1) == "add" else -constant


class _Registers:
    """Each register: which register of the block's begin it still is, plus what; or a number that tells its later values apart."""

    def __init__(self) -> None:
        self.origin: dict[str, tuple[str, int, bool] | None] = {name: (name, 0, True) for name in REGISTERS}
        self.version = dict.fromkeys(REGISTERS, 0)

    def forget(self, name: str) -> None:
        if name in self.version:
            self.origin[name] = None
            self.version[name] += 1

    def step(self, name: str, step: int | None) -> None:
        known = self.origin.get(name)
        if known is not None:
            self.origin[name] = (known[0], known[1] + (step or 0), known[2] and step is not None)

    def copy(self, to: str, source: str, constant: int | None) -> None:
        known = self.origin.get(source)
        self.forget(to)
        if known is not None and to in self.version:
            self.origin[to] = (known[0], known[1] + (constant or 0), known[2] and constant is not None)


def accesses(block: Iterable[tuple[str, str, Instruction]]) -> tuple[Access, ...]:
    """The accesses of a block, in order, of which the bank can be told. Literals are none: they come from flash.

    Args:
        block: mnemonic, operands and facts of its instructions.
    """
    registers = _Registers()
    found: list[tuple[Instruction, AccessFlag, tuple[str, int, bool] | None, int]] = []
    before: Instruction | None = None
    for mnemonic, operands, this in block:
        if this.base in REGISTERS:
            assert this.base is not None
            flags = AccessFlag(0)
            if this.reads:
                pipelined = this.kind is Kind.LOAD and before is not None and before.kind is Kind.LOAD
                depends = pipelined and before is not None and before.loaded in this.address
                chained = pipelined and before is not None and before.writes_back and before.base in this.address
                flags = (
                    AccessFlag.READ
                    | (AccessFlag(0) if pipelined else AccessFlag.ALONE)
                    | (AccessFlag.CHAINED if chained and not depends else AccessFlag(0))
                )
            found.append((this, flags, registers.origin[this.base], registers.version[this.base]))
        copied = _copied(mnemonic, operands) if this.base is None else None
        if copied is not None and this.every:
            registers.copy(*copied)
        else:
            for name in this.every:
                if name == this.base and this.writes_back:
                    registers.step(name, this.step)
                else:
                    registers.forget(name)
        before = this
    return tuple(_resolved(found, registers))[:MOST_ACCESSES]


def _resolved(
    found: Iterable[tuple[Instruction, AccessFlag, tuple[str, int, bool] | None, int]], registers: _Registers
) -> Iterable[Access]:
    for this, flags, origin, version in found:
        assert this.base is not None
        offset = this.offset or 0
        if origin is not None:
            register, constant, exact = origin
            if exact and this.offset is not None and this.kind is not Kind.MULTIPLE:
                flags |= AccessFlag.EXACT
            yield Access(REGISTERS.index(register), constant + offset, this.size, flags)
        elif version == registers.version[this.base]:
            yield Access(REGISTERS.index(this.base), offset, this.size, flags | AccessFlag.AT_END)
