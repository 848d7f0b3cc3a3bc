# SPDX-License-Identifier: Apache-2.0
"""Why a run differs between the engines: which registers, and the fewest instructions that still show it."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import capstone
from support.instructions.engines import BoardEndedError, run_on_board, run_on_qemu
from support.instructions.images import BOARD_FLASH, DUMP_WORDS, Plan, build
from support.instructions.sequences import WINDOW, WINDOW_BYTES

_NAMES = (
    *(f"s{i}" for i in range(32)), "apsr", "fpscr", "sp", *(f"r{i}" for i in range(13)), "lr",
    *(f"[0x{WINDOW + 4 * i:08x}]" for i in range(WINDOW_BYTES // 4)), "cfsr", "fault pc", "hfsr")  # fmt: skip
assert len(_NAMES) == DUMP_WORDS + WINDOW_BYTES // 4 + 3
_NOP = 0xBF00


Code = list[int]
Registers = dict[str, tuple[int, int]]
"""What differs: the board's value, and qemu's."""


@dataclass(frozen=True)
class Case:
    """A run of an image, and how the board runs it: without its interrupts and stops many a difference is gone."""

    plan: Plan
    run: int
    folder: Path
    step_ps: int = 10**12
    in_process: bool = False

    def difference(self, code: Code | None = None) -> Registers:
        """What the board and qemu have after the run; ``code`` takes the place of its sequence."""
        qemu = run_on_qemu(self.plan, self.folder, only=self.run, code=code)
        try:
            board = run_on_board(self.plan, self.folder, only=self.run, code=code, step_ps=self.step_ps, in_process=self.in_process)
        except BoardEndedError as error:
            return {str(error).partition(":")[0]: (0, 0)}  # the kind: its text names addresses, which change as code goes
        words = [struct.unpack(f"<{len(data) // 4}I", data)[2:] for data in (board, qemu)]
        return {name: (b, q) for name, b, q in zip(_NAMES, *words, strict=True) if b != q}

    def without_oracle_errors(self, code: Code) -> Registers:
        try:
            return self.difference(code)
        except (OSError, RuntimeError, subprocess.SubprocessError):  # an endless loop, now that its counter is gone
            return {}


def smallest(case: Case) -> tuple[list[str], Registers]:
    """Disassembly of what is left when every instruction is taken out whose loss keeps a difference, and the difference.

    The whole sequence if the run by itself does not differ: then it depends on when interrupts and stops come.
    """
    image = build(case.plan, qemu=False)
    at, length = image.entries[case.run % case.plan.sequences]
    [(start, data)] = [(a, d) for a, d in image.loads if a <= at < a + len(d) and a != BOARD_FLASH]
    code = list(struct.unpack(f"<{length}H", data[at - start : at - start + 2 * length]))
    found = case.difference(code)
    i = 0
    while found and i < len(code):
        size = 2 if code[i] >= 0xE800 else 1
        if code[i] != _NOP:
            without = [*code[:i], *[_NOP] * size, *code[i + size :]]
            less = case.without_oracle_errors(without)
            if less.keys() == found.keys():
                code, found = without, less
        i += size
    return _listing(code, at), found


def _listing(code: Code, at: int) -> list[str]:
    tool = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    lines, i = [], 0
    while i < len(code):
        size = 2 if code[i] >= 0xE800 else 1
        if code[i] != _NOP:
            raw = struct.pack(f"<{len(code[i : i + size])}H", *code[i : i + size])
            text = next((f"{m} {o}" for _, _, m, o in tool.disasm_lite(raw, at + 2 * i)), "?")
            lines.append(f"0x{at + 2 * i:08x}  {' '.join(f'{half:04x}' for half in code[i : i + size])}  {text}")
        i += size
    return lines
