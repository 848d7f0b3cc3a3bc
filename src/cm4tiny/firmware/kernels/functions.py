# SPDX-License-Identifier: Apache-2.0
"""Micro-kernels as C functions in two versions: assembly for the Cortex-M4, and portable C for everything else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CFunction:
    """A micro-kernel: one C function in two versions that compute the same bits.

    Attributes:
        name: unique: derived from the text.
        parameters: C parameter list; the function returns nothing.
        assembly: lines of the Cortex-M4 version, with labels.
        portable: C statements of the body of the portable twin.
        bytes: size of the assembly version.
        loop_bytes: the largest piece of code that runs again and again.
    """

    name: str
    parameters: str
    assembly: tuple[str, ...]
    portable: str
    bytes: int
    loop_bytes: int

    @property
    def declaration(self) -> str:
        return f"void {self.name}({self.parameters});"

    def target_text(self) -> str:
        """The assembly version as C text."""
        lines = [
            ".syntax unified",
            ".thumb",
            f'.pushsection .text.{self.name},\\"ax\\",%progbits',
            ".balign 32",
            f".global {self.name}",
            f".type {self.name}, %function",
            ".thumb_func",
            f"{self.name}:",
            *self.assembly,
            f".size {self.name}, . - {self.name}",
            ".popsection",
        ]
        body = "\n".join(f'    "{line}\\n"' for line in lines)
        return f"{self.declaration}\n__asm__(\n{body});"

    def portable_text(self) -> str:
        """The portable twin as C text."""
        return f"static void {self.name}({self.parameters}) {{\n{self.portable.rstrip()}\n}}"
