# SPDX-License-Identifier: Apache-2.0
"""Faults inside IT blocks: unicorn goes on behind them to the end of the block, or further, so registers and memory are put back."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.instructions.campaign import plan_of, step_of
from support.instructions.engines import run_on_board
from support.tiny_elf import FLASH, RAM, Load, tiny_elf
from virtual_board_programs import NOP, PARK, code, move_wide, movs, stores

from cm4tiny.boards import VirtualBoard
from cm4tiny.deadline import Deadline

ISB = (0xF3BF, 0x8F6F)
HANDLER, SEEN, CELL = FLASH + 0x400, RAM + 0x200, RAM + 0x300
DIVISION, UNDEFINED, NO_FPU, UNALIGNED, BUS = 1 << 25, 1 << 16, 1 << 19, 1 << 24, 0x8200
CASES = {
    "division by zero": (stores((0xE000ED14, 0x210)), (0xFBB1, 0xF0F2), DIVISION),
    "FPU off": ([], (0xEE10, 0x0A10), NO_FPU),
    "LDREXD": (move_wide(5, CELL), (0xE8D5, 0x017F), UNDEFINED),
    "UDF": ([], (0xDE00,), UNDEFINED),
    "unaligned LDM": (move_wide(3, CELL + 2), (0xE893, 0x0041), UNALIGNED),
    "a read of nothing": (move_wide(3, 0x60000000), (0x6818,), BUS),
}


def faults(folder: Path, name: str, behind: Sequence[int], *, exact: bool) -> tuple[int, ...]:
    """R4, R0, stacked PC from the IT on, CFSR, and the word at CELL, after ITTE EQ (with Z set) over the case and two others."""
    setup, inside, _ = CASES[name]
    enable = stores((0xE000ED24, 0x70000), (CELL, 1))
    body = [
        *enable,
        *setup,
        *move_wide(8, CELL),
        *ISB,
        movs(4, 5),
        movs(0, 7),
        movs(1, 6),
        movs(2, 0),
        0x2906,
        0xBF06 if behind else 0xBF0C,
    ]
    at = FLASH + 0x40 + 2 * (len(body) - 1)
    body += [*inside, *(behind or [0x3401]), *([0x3401] if behind else []), NOP, PARK]
    save = [*move_wide(5, SEEN), 0x602C, 0x6068, 0x9906, 0x60A9, *move_wide(6, 0xE000ED28), 0x6831, 0x60E9, PARK]
    vectors = struct.pack("<16I", RAM + 0x8000, FLASH + 0x41, *[HANDLER | 1] * 14)
    path = folder / "program.elf"
    path.write_bytes(tiny_elf(Load(vectors + code(body), FLASH), Load(code(save), HANDLER)))
    with VirtualBoard(path, exact=exact) as board:
        with pytest.raises(Exception, match="crashed"):
            board.link.read(Deadline(0.01, board.link.clock))
        r4, r0, pc, status = struct.unpack("<4I", board.read_memory(SEEN, 16))
        (cell,) = struct.unpack("<I", board.read_memory(CELL, 4))
    return r4, r0, pc - at, status, cell


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_a_fault_stops_before_what_is_behind_it(tmp_path: Path, name: str, exact: bool) -> None:
    assert faults(tmp_path, name, (), exact=exact) == (5, 7, 2, CASES[name][2], 1)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_a_store_behind_it_does_not_happen(tmp_path: Path, name: str, exact: bool) -> None:
    """STR R1, [R8] comes second in the block."""
    assert faults(tmp_path, name, (0xF8C8, 0x1000), exact=exact) == (5, 7, 2, CASES[name][2], 1)


def test_a_fault_before_an_interrupt_is_not_lost(tmp_path: Path) -> None:
    """Image 49 of the campaign: SysTick was due in the block behind an unaligned VSTR in an IT block, and the fault was forgotten."""
    plan = plan_of(49)
    with_ticks = run_on_board(plan, tmp_path, step_ps=step_of(49), in_process=True)
    assert with_ticks == run_on_board(replace(plan, tick_cycles=0), tmp_path, in_process=True)
