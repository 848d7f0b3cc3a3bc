# SPDX-License-Identifier: Apache-2.0
"""LDREX and STREX over exceptions: entry and return clear the local monitor (DDI0403, ExceptionTaken() and ExceptionReturn())."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.tiny_elf import FLASH, RAM, Load
from virtual_board_programs import NOP, PARK, SVC, code, move_wide, stores, write_elf

from cm4tiny.boards import VirtualBoard
from cm4tiny.deadline import Deadline

CELL, RESULT, OTHER = RAM + 0x100, RAM + 0x200, RAM + 0x300
LDREX, STREX = (0xE850, 0x1F00), (0xE840, 0x3200)  # ldrex r1, [r0]; strex r2, r3, [r0]
KINDS = {
    "word": (LDREX, STREX),
    "halfword": ((0xE8D0, 0x1F5F), (0xE8C0, 0x3F52)),
    "byte": ((0xE8D0, 0x1F4F), (0xE8C0, 0x3F42)),
}
VECTORS, HANDLER = FLASH + 0x400, FLASH + 0x500
RETURN = 0x4770
SETS_IT_AGAIN = (*move_wide(0, CELL), *LDREX)
"""In the handler, with the address of the thread, which gets its R0 back."""


def status(tmp_path: Path, between: Sequence[int], handler: Sequence[int], kind: str = "word", **options: object) -> tuple[int, int]:
    """R2 of the STREX, and what it stored to."""
    vectors = [RAM + 0x8000, FLASH | 9, *[HANDLER | 1] * 14]
    start = stores((0xE000ED08, VECTORS), (CELL, 1), (RESULT, 0xFF))
    load, keep = KINDS[kind]
    body = [*move_wide(0, CELL), *move_wide(3, 7), *load, *between, *keep, *move_wide(7, RESULT), 0x603A, PARK]
    extra = (Load(struct.pack("<16I", *vectors), VECTORS), Load(code(handler, RETURN), HANDLER))
    with VirtualBoard(write_elf(tmp_path, start, body, extra=extra), **options) as board:  # type: ignore[arg-type]
        board.link.read(Deadline(0.01, board.link.clock))
        (stored,), (kept,) = (struct.unpack("<I", board.read_memory(at, 4)) for at in (CELL, RESULT))
        return kept, stored


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_between_lets_the_store_succeed(tmp_path: Path, kind: str) -> None:
    assert status(tmp_path, [NOP], [NOP], kind) == (0, 7)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_in_between_makes_it_fail(tmp_path: Path, kind: str, exact: bool) -> None:
    assert status(tmp_path, [SVC], [NOP], kind, exact=exact) == (1, 1)


def test_a_monitor_that_the_handler_set_is_cleared_by_its_return(tmp_path: Path) -> None:
    assert status(tmp_path, [SVC], SETS_IT_AGAIN) == (1, 1)


def test_in_the_handler_the_monitor_of_the_thread_is_gone(tmp_path: Path) -> None:
    inside = [*move_wide(0, CELL), *STREX, *move_wide(7, OTHER), 0x603A]
    assert status(tmp_path, [SVC], inside) == (1, 1)


def test_a_return_from_an_it_block_clears_it_too(tmp_path: Path) -> None:
    """The condition of BX LR is not that of the CLREX."""
    assert status(tmp_path, [SVC], [*SETS_IT_AGAIN, 0x4200, 0xBF0C, NOP, RETURN]) == (1, 1)  # tst r0, r0; ite eq; nop; bx lr


def test_it_takes_no_time_and_counts_as_nothing(tmp_path: Path) -> None:
    """The same instructions without an LDREX before: a load and a store of their costs."""
    seen = set()
    for first in ((0x2100, NOP), LDREX):
        start = stores((0xE000ED08, VECTORS), (CELL, 1))
        body = [*move_wide(0, CELL), *first, *[SVC] * 20, PARK]
        extra = (
            Load(struct.pack("<16I", RAM + 0x8000, FLASH | 9, *[HANDLER | 1] * 14), VECTORS),
            Load(code(NOP, RETURN), HANDLER),
        )
        with VirtualBoard(write_elf(tmp_path, start, body, extra=extra), exact=True) as board:
            board.link.read(Deadline(0.01, board.link.clock))
            totals = board.statistics()
            seen.add((totals.exceptions, totals.blocks_run, totals.blocks_known, totals.icache_misses))
    assert len(seen) == 1 and next(iter(seen))[0] == 20
