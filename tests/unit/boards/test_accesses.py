# SPDX-License-Identifier: Apache-2.0
"""From which register, and when, the address of each access of a block can be told."""

from __future__ import annotations

import pytest

from cm4tiny.boards.virtual.accesses import MOST_ACCESSES, REGISTERS, Access, AccessFlag, accesses
from cm4tiny.boards.virtual.instruction_facts import instruction

ALONE, CHAINED, AT_END, EXACT, READ = AccessFlag.ALONE, AccessFlag.CHAINED, AccessFlag.AT_END, AccessFlag.EXACT, AccessFlag.READ
SP = REGISTERS.index("sp")


def of(*lines: str) -> list[tuple[int, int, AccessFlag]]:
    parts = [line.partition(" ")[::2] for line in lines]
    found = accesses((mnemonic, operands, instruction(mnemonic, operands)) for mnemonic, operands in parts)
    return [(access.register, access.displacement, access.flags) for access in found]


def test_a_base_that_the_block_has_not_changed_is_known_from_its_begin() -> None:
    assert of("ldr r0, [r1, #4]") == [(1, 4, READ | ALONE | EXACT)]
    assert of("str r0, [r1]") == [(1, 0, EXACT)]


def test_steps_copies_and_constants_are_followed() -> None:
    assert of("ldr r0, [r1], #4", "nop ", "ldr r2, [r1, #8]")[1] == (1, 12, READ | ALONE | EXACT)
    assert of("mov r3, r1", "adds r3, #16", "ldr r0, [r3]") == [(1, 16, READ | ALONE | EXACT)]
    assert of("sub sp, #8", "str r0, [sp, #4]") == [(SP, -4, EXACT)]
    assert of("ldr r0, [r1, #-0x4]!", "str r0, [r1]")[1] == (1, -4, EXACT)


@pytest.mark.parametrize("computation", ["add.w r3, r1, r2, lsl #2", "add r3, r1, r2", "mla r3, r2, r4, r1"])
def test_a_pointer_with_an_index_is_still_the_pointer(computation: str) -> None:
    assert of(computation, "ldr r0, [r3]") == [(1, 0, READ | ALONE)]


def test_a_base_that_is_loaded_is_known_from_the_end_unless_it_changes_again() -> None:
    assert of("ldr r3, [sp]", "nop ", "ldr r0, [r3, #4]")[1] == (3, 4, READ | ALONE | AT_END)
    assert of("ldr r3, [sp]", "nop ", "ldr r0, [r3]", "movs r3, #0") == [(SP, 0, READ | ALONE | EXACT)]
    assert of("ldr r3, [sp]", "nop ", "ldr r3, [r3]") == [(SP, 0, READ | ALONE | EXACT)]


def test_literals_are_no_accesses_of_an_sram() -> None:
    assert of("ldr r0, [pc, #8]") == []


def test_pipelined_and_chained_loads_are_told_apart() -> None:
    plain = of("ldr r0, [r1]", "ldr r2, [r1, #4]", "ldr r3, [r4]")
    assert [flags for _, _, flags in plain] == [READ | ALONE | EXACT, READ | EXACT, READ | EXACT]
    chained = of("ldr r0, [r1], #4", "ldr r2, [r1], #4")
    assert [flags for _, _, flags in chained] == [READ | ALONE | EXACT, READ | CHAINED | EXACT]
    assert of("str r0, [r1]", "ldr r2, [r1]")[1][2] == READ | ALONE | EXACT
    assert of("ldm r0, {r1, r2}") == [(0, 0, READ | ALONE)]


def test_the_list_has_an_end() -> None:
    assert len(of(*["ldr r0, [r1]"] * (MOST_ACCESSES + 50))) == MOST_ACCESSES


def test_sizes_are_those_of_the_access() -> None:
    block = [("ldrh", "r0, [r1]"), ("ldrsb", "r0, [r1]"), ("ldr", "r0, [r1]"), ("vldr", "s0, [r1]")]
    found = accesses((mnemonic, operands, instruction(mnemonic, operands)) for mnemonic, operands in block)
    assert [access.size for access in found] == [2, 1, 4, 4]
    assert all(isinstance(access, Access) for access in found)
