# SPDX-License-Identifier: Apache-2.0
"""Why a run differs between the engines: which registers, and the fewest instructions that still show it."""

from __future__ import annotations

import struct
import subprocess
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


def difference(
    plan: Plan, run: int, folder: Path, code: list[int] | None = None, *, in_process: bool = False
) -> dict[str, tuple[int, int]]:
    """What the board and qemu have after a run, where they differ."""
    qemu = run_on_qemu(plan, folder, only=run, code=code)
    try:
        board = run_on_board(plan, folder, only=run, code=code, in_process=in_process)
    except BoardEndedError as error:
        return {str(error).partition(":")[0]: (0, 0)}  # the kind: its text names addresses, which change as code goes
    words = [struct.unpack(f"<{len(data) // 4}I", data)[2:] for data in (board, qemu)]
    return {name: (b, q) for name, b, q in zip(_NAMES, *words, strict=True) if b != q}


def _without_oracle_errors(plan: Plan, run: int, folder: Path, code: list[int], in_process: bool) -> dict[str, tuple[int, int]]:
    try:
        return difference(plan, run, folder, code, in_process=in_process)
    except (OSError, RuntimeError, subprocess.SubprocessError):  # an endless loop, now that its counter is gone
        return {}


def smallest(plan: Plan, run: int, folder: Path, *, in_process: bool = False) -> tuple[list[str], dict[str, tuple[int, int]]]:
    """Disassembly of what is left when every instruction is taken out whose loss keeps a difference, and the difference."""
    image = build(plan, qemu=False)
    at, length = image.entries[run % plan.sequences]
    [(start, data)] = [(a, d) for a, d in image.loads if a <= at < a + len(d) and a != BOARD_FLASH]
    code = list(struct.unpack(f"<{length}H", data[at - start : at - start + 2 * length]))
    found = difference(plan, run, folder, code, in_process=in_process)
    tool = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    i = 0
    while i < len(code):
        size = 2 if code[i] >= 0xE800 else 1
        if code[i] != _NOP:
            without = [*code[:i], *[_NOP] * size, *code[i + size :]]
            less = _without_oracle_errors(plan, run, folder, without, in_process)
            if less.keys() == found.keys():
                code, found = without, less
        i += size
    lines, i = [], 0
    while i < len(code):
        size = 2 if code[i] >= 0xE800 else 1
        if code[i] != _NOP:
            raw = struct.pack(f"<{len(code[i : i + size])}H", *code[i : i + size])
            text = next((f"{m} {o}" for _, _, m, o in tool.disasm_lite(raw, at + 2 * i)), "?")
            lines.append(f"0x{at + 2 * i:08x}  {' '.join(f'{half:04x}' for half in code[i : i + size])}  {text}")
        i += size
    return lines, found
