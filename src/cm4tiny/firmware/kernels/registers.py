# SPDX-License-Identifier: Apache-2.0
"""Register allocation as data: which name stands for which register, and what it holds.

A generator states its allocation in a table and writes instructions with the names. The assembler gets them as ``.req`` aliases (GNU as,
"ARM Machine Directives"; clang's assembler reads them, too) that end with the function by ``.unreq``, so that functions in one file may
use the same names for other registers. A register may have several names, one for each use in turn; only names that occur in the text
are emitted.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CORE = frozenset([*(f"r{i}" for i in range(13)), "lr"])
FPU = frozenset(f"s{i}" for i in range(32))
_WORD = re.compile(r"(?<![.\w])[a-z_][a-z_0-9]*")
"""A name, a register or a mnemonic, but not the suffix of one."""
_TAKEN = re.compile(
    r"(?:r|s|d|q|a|v|c|p|f|cr|acc|wr|wcgr|mvf|mvd|mvfx|mvdx|mvax)\d+|[ws]b|s[lp]|fp|ip|lr|pc|b|[acs]psr|fpscr|vpr|zr|lsl|lsr|asr|ror|rrx"
)
"""Names that an assembler has a meaning for: registers in all their spellings (also those of coprocessors), shifts, the branch."""


@dataclass(frozen=True)
class Register:
    """A row of an allocation: a name, the register that it stands for, and what that holds.

    Raises:
        ValueError: the assembler would read the name as something else, or the register does not exist.
    """

    name: str
    register: str
    role: str

    def __post_init__(self) -> None:
        if not _WORD.fullmatch(self.name) or _TAKEN.fullmatch(self.name):
            raise ValueError(f"'{self.name}' cannot name a register")
        if self.register not in CORE and self.register not in FPU:
            raise ValueError(f"there is no register '{self.register}'")


_row = functools.lru_cache(maxsize=4096)(Register)


class Registers:
    """The allocation of one function."""

    def __init__(self, *tables: Iterable[Register]) -> None:
        self._rows = {row.name: row for table in tables for row in table}

    @property
    def rows(self) -> tuple[Register, ...]:
        return tuple(self._rows.values())

    def name(self, name: str, register: str, role: str) -> str:
        """Adds a name; returns it.

        Raises:
            ValueError: the name is taken, or see :class:`Register`.
        """
        row = self._rows.setdefault(name, _row(name, register, role))
        if row.register != register:
            raise ValueError(f"'{name}' names {row.register} and {register}")
        return name

    def names(self, names: Iterable[str], registers: Sequence[str], role: str) -> tuple[str, ...]:
        """Adds a row of names for as many registers, in order; returns them."""
        return tuple(self.name(name, register, role) for name, register in zip(names, registers, strict=True))

    def numbered(self, prefix: str, registers: Sequence[str], role: str) -> tuple[str, ...]:
        """``prefix0``, ``prefix1``...: :meth:`names`."""
        return self.names([f"{prefix}{i}" for i in range(len(registers))], registers, role)

    def of(self, name: str) -> str:
        """The register of a name; what is not a name stays as it is."""
        row = self._rows.get(name)
        return name if row is None else row.register

    def plain(self, text: str) -> str:
        """Instructions with registers instead of names."""
        return plain(self._rows.values(), text)


def plain(rows: Iterable[Register], text: str) -> str:
    """Instructions with registers instead of names."""
    registers = {row.name: row.register for row in rows}
    return _WORD.sub(lambda word: registers.get(word[0], word[0]), text) if registers else text


def used(rows: Iterable[Register], text: str) -> tuple[Register, ...]:
    """The rows whose names occur in a text, in their order."""
    words = set(_WORD.findall(text))
    return tuple(row for row in rows if row.name in words)


def bare(line: str) -> tuple[str, ...]:
    """Registers that an instruction mentions without a name. The lists of PUSH and POP, which the procedure call standard decides, the
    stack pointer, and LR in a return are no such mention."""
    mnemonic, _, operands = line.partition(" ")
    if mnemonic in ("push", "pop", "vpush", "vpop") or line == "bx lr":
        return ()
    return tuple(word for word in _WORD.findall(operands) if word in CORE or word in FPU)
