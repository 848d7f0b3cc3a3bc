# SPDX-License-Identifier: Apache-2.0
"""Text of Thumb-2 functions: what all generators of micro-kernels share.

Every instruction gets its 32-bit encoding, so that code size is known while it is written, loops stay on word boundaries and none of them
leaves the 1 KB instruction cache unnoticed. Functions start at a cache line. Operands are names from the function's register allocation
(:mod:`~cm4tiny.firmware.kernels.registers`), which the assembler replaces.
"""

from __future__ import annotations

from collections.abc import Iterable

from cm4tiny.boards.boards import default_board
from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.registers import Register, Registers

_FLASH = default_board().chip.flash_geometry
ICACHE_BYTES = _FLASH.instruction_lines * _FLASH.line_bytes
"""The instruction cache of the chip's flash interface; the kernels are made for that of the default board."""

_WITH_NARROW_FORMS = """
    ldr ldrh ldrsh ldrb ldrsb str strh strb add adds sub subs rsb rsbs mov movs mvn cmp cmn tst asr asrs lsl lsls
    lsr lsrs and ands orr eor ldm stm b beq bne bge blt bgt ble bhi bls bhs blo bpl bmi sxth uxth sxtb uxtb
"""
_NARROW = frozenset(_WITH_NARROW_FORMS.split())


class Assembly:
    """Collects instructions and counts their bytes. ``tables``: the fixed part of the register allocation."""

    def __init__(self, *tables: Iterable[Register]) -> None:
        self.registers = Registers(*tables)
        self.lines: list[str] = []
        self.bytes = 0
        self.loop_bytes = 0
        self._starts: dict[str, int] = {}

    def emit(self, instruction: str) -> None:
        """Appends an instruction, e.g. ``emit("ldr value, [x, #4]!")``; its wide encoding is chosen."""
        mnemonic, _, operands = instruction.partition(" ")
        only_wide = "[" in operands and "#-" in operands  # clang's assembler refuses to be told so of a store below its base
        suffix = ".w" if mnemonic in _NARROW and not only_wide else ""
        self.lines.append(f"{mnemonic}{suffix} {operands}".rstrip())
        self.bytes += 4

    def emit_all(self, *instructions: str) -> None:
        for instruction in instructions:
            self.emit(instruction)

    def label(self, number: str) -> None:
        """A local label such as ``"1"``; branch to it by ``bne 1b``, through :meth:`loop_end` for loops."""
        self.lines.append(f"{number}:")
        self._starts[number] = self.bytes

    def loop_end(self, number: str, branch: str = "bne") -> None:
        """The branch back to a label; keeps the size of the largest loop."""
        self.emit(f"{branch} {number}b")
        self.loop_bytes = max(self.loop_bytes, self.bytes - self._starts[number])

    def constant(self, register: str, value: int) -> None:
        """Any 32-bit constant."""
        value &= 0xFFFFFFFF
        self.emit(f"movw {register}, #{value & 0xFFFF}")
        if value >> 16:
            self.emit(f"movt {register}, #{value >> 16}")

    def add_imm(self, register: str, source: str, value: int) -> None:
        """``register = source + value``, for |value| < 2**24, in as few instructions as possible; none if nothing changes."""
        if value == 0:
            if self.registers.of(register) != self.registers.of(source):
                self.emit(f"mov {register}, {source}")
            return
        word, amount = ("add", value) if value > 0 else ("sub", -value)
        if _encodes(amount):
            self.emit(f"{word} {register}, {source}, #{amount}")
        elif amount < 4096:
            self.emit(f"{word}w {register}, {source}, #{amount}")
        else:
            shift = amount.bit_length() - 8
            part = amount >> shift << shift
            self.emit(f"{word} {register}, {source}, #{part}")
            self.add_imm(register, register, amount - part if value > 0 else part - amount)

    def function(self, prefix: str, parameters: str, portable: str) -> CFunction:
        """The finished function; ``prefix`` says what it is."""
        return CFunction(prefix, parameters, tuple(self.lines), portable, self.bytes, self.loop_bytes, self.registers.rows)


def _encodes(value: int) -> bool:
    """Whether a constant is a Thumb-2 modified immediate (ARMv7-M ARM, A5.3.2), rotated 8-bit forms only."""
    if value < 256:
        return True
    low = (value & -value).bit_length() - 1
    return value >> low < 256 and low <= 24


def float_list(first: int, last: int) -> str:
    """``{s16-s19}``, or ``{s16}``: a range of one register is not assembled."""
    return f"{{s{first}}}" if first == last else f"{{s{first}-s{last}}}"
