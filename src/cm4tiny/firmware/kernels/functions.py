# SPDX-License-Identifier: Apache-2.0
"""Micro-kernels as C functions in two versions: assembly for the Cortex-M4, and portable C for everything else."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

from cm4tiny.firmware.kernels.registers import Register, plain, used


@dataclass(frozen=True)
class CFunction:
    """A micro-kernel: one C function in two versions that compute the same bits.

    Attributes:
        prefix: what it is, the beginning of its name.
        parameters: C parameter list; the function returns nothing.
        assembly: lines of the Cortex-M4 version, with labels and names of registers.
        portable: C statements of the body of the portable version.
        bytes: size of the assembly version.
        loop_bytes: the largest piece of code that runs again and again.
        allocation: names of registers, at least those that the assembly has.
    """

    prefix: str
    parameters: str
    assembly: tuple[str, ...]
    portable: str
    bytes: int
    loop_bytes: int
    allocation: tuple[Register, ...] = ()

    @functools.cached_property
    def name(self) -> str:
        """Unique: what it is, and a digest of both versions, of the assembly with plain registers: other names of the same registers
        change no image."""
        text = "\n".join([self.parameters, plain(self.allocation, "\n".join(self.assembly)), self.portable])
        return f"cm4t_{self.prefix}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    @functools.cached_property
    def registers(self) -> tuple[Register, ...]:
        """The names in the assembly and what they stand for."""
        return used(self.allocation, "\n".join(self.assembly))

    @property
    def declaration(self) -> str:
        return f"void {self.name}({self.parameters});"

    def target_lines(self) -> list[str]:
        """The assembly version for the assembler, with its section, symbol and names."""
        return [
            ".syntax unified",
            ".thumb",
            f'.pushsection .text.{self.name},"ax",%progbits',
            ".balign 32",
            f".global {self.name}",
            f".type {self.name}, %function",
            ".thumb_func",
            f"{self.name}:",
            *(f"{row.name} .req {row.register}" for row in self.registers),
            *self.assembly,
            *(f".unreq {row.name}" for row in self.registers),
            f".size {self.name}, . - {self.name}",
            ".popsection",
        ]

    def target_text(self) -> str:
        """The assembly version as C text."""
        body = "\n".join('    "{}\\n"'.format(line.replace('"', '\\"')) for line in self.target_lines())
        return f"{self.declaration}\n__asm__(\n{body});"

    def portable_text(self) -> str:
        """The portable version as C text."""
        return f"static void {self.name}({self.parameters}) {{\n{self.portable.rstrip()}\n}}"
