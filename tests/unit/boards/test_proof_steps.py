# SPDX-License-Identifier: Apache-2.0
"""What the proof of equal iterations takes an instruction for: it must not miss a register that is read."""

from __future__ import annotations

import pytest

from cm4tiny.boards.virtual.layout import STEP_FIELDS
from cm4tiny.boards.virtual.steps import NONE, Flag, StepFacts, StepKind, StepReader, step_of


def mask(*numbers: int) -> int:
    return sum(1 << number for number in numbers)


@pytest.mark.parametrize(
    ("line", "kind", "reads", "writes", "moved"),
    [
        ("push {r4, r5, lr}", StepKind.STORE, mask(13), mask(13), mask(4, 5, 14)),
        ("pop {r4, r5, pc}", StepKind.LOAD, mask(13), mask(4, 5, 13, 15), mask(4, 5, 15)),
        ("stmdb sp!, {r4, r5, r6, r7, r8, sb, sl, fp, lr}", StepKind.STORE, mask(13), mask(13), mask(*range(4, 12), 14)),
        ("ldr r4, [r5, r6, lsl #2]", StepKind.LOAD, mask(5, 6), mask(4), mask(4)),
        ("str r4, [r5], #4", StepKind.STORE, mask(5), mask(5), mask(4)),
        ("ldrd r4, r5, [r0]", StepKind.LOAD, mask(0), mask(4, 5), mask(4, 5)),
        ("ldrd r5, r4, [r0]", StepKind.OTHER, mask(0, 4, 5), mask(4, 5), 0),
        ("ldrb r4, [r5]", StepKind.OTHER, mask(5), mask(4), 0),
        ("strb r4, [r5]", StepKind.OTHER, mask(4, 5), 0, 0),
        ("strex r0, r4, [r5]", StepKind.OTHER, mask(0, 4, 5), mask(0), 0),
        ("mov r4, r0", StepKind.MOVE, mask(0), mask(4), 0),
        ("movs r4, #3", StepKind.OTHER, 0, mask(4), 0),
        ("mvn r4, r0", StepKind.OTHER, mask(0), mask(4), 0),
        ("movt r4, #3", StepKind.OTHER, mask(4), mask(4), 0),
        ("bfi r4, r0, #0, #8", StepKind.OTHER, mask(0, 4), mask(4), 0),
        ("add r4, r5, r6, lsl #2", StepKind.OTHER, mask(5, 6), mask(4), 0),
        ("ands r4, r0", StepKind.OTHER, mask(0, 4), mask(4), 0),
        ("smlad r1, r2, r3, r4", StepKind.OTHER, mask(2, 3, 4), mask(1), 0),
        ("smlal r0, r1, r2, r3", StepKind.OTHER, mask(0, 1, 2, 3), mask(0, 1), 0),
        ("vmov s0, r4", StepKind.OTHER, mask(4), 0, 0),
        ("vmov r4, s0", StepKind.OTHER, 0, mask(4), 0),
        ("vldr s0, [r4]", StepKind.OTHER, mask(4), 0, 0),
        ("tbb [r4, r0]", StepKind.OTHER, mask(0, 4), 0, 0),
        ("blx r4", StepKind.OTHER, mask(4), mask(14), 0),
        ("msr primask, r4", StepKind.OTHER, mask(4), 0, 0),
        ("cbnz r4, #8", StepKind.COMPARE_BRANCH, mask(4), 0, 0),
    ],
)
def test_what_is_read_written_and_moved(line: str, kind: StepKind, reads: int, writes: int, moved: int) -> None:
    mnemonic, _, operands = line.partition(" ")
    facts = step_of(mnemonic, operands, 4)
    assert (facts.kind, facts.reads, facts.moved) == (kind, reads, moved)
    assert facts.writes == writes


@pytest.mark.parametrize(
    ("line", "facts"),
    [
        ("subs r4, #1", StepFacts(StepKind.SUB, 2, 4, 4, NONE, 1, reads=16, writes=16, flag_writes=Flag.ALL)),
        ("sub r4, r4, #1", StepFacts(StepKind.SUB, 2, 4, 4, NONE, 1, reads=16, writes=16)),
        ("adds r3, r4, #1", StepFacts(StepKind.ADD, 2, 3, 4, NONE, 1, reads=16, writes=8, flag_writes=Flag.ALL)),
        ("add r0, r4", StepFacts(StepKind.ADD, 2, 0, 0, 4, reads=17, writes=1)),
        ("cmp r4, r5", StepFacts(StepKind.SUB, 2, NONE, 4, 5, reads=48, flag_writes=Flag.ALL)),
        ("cmp.w r4, #-1", StepFacts(StepKind.SUB, 2, NONE, 4, NONE, 0xFFFFFFFF, reads=16, flag_writes=Flag.ALL)),
        ("movs r1, r4", StepFacts(StepKind.MOVE, 2, 1, 4, NONE, reads=16, writes=2, flag_writes=Flag.N | Flag.Z)),
        ("bne #8", StepFacts(StepKind.BRANCH, 2, condition=1, flag_reads=Flag.Z)),
        ("bcs.w #8", StepFacts(StepKind.BRANCH, 2, condition=2, flag_reads=Flag.C)),
        ("bgt #8", StepFacts(StepKind.BRANCH, 2, condition=12, flag_reads=Flag.N | Flag.Z | Flag.V)),
        ("ittt ge", StepFacts(StepKind.IT, 2, condition=0, flag_reads=Flag.N | Flag.V, covers=3)),
    ],
)
def test_arithmetic_and_branches(line: str, facts: StepFacts) -> None:
    mnemonic, _, operands = line.partition(" ")
    assert step_of(mnemonic, operands, 2) == facts


def test_flags_that_an_instruction_reads_otherwise() -> None:
    assert step_of("adc", "r0, r1, r2", 4).flag_reads == Flag.C
    assert step_of("mrs", "r0, apsr", 4).flag_reads == Flag.ALL
    assert step_of("tst", "r0, r1", 2).flag_writes == Flag.N | Flag.Z


def test_what_is_no_instruction_reads_everything() -> None:
    facts = StepReader().facts(b"\xff\xff\xff\xff", 0x08000000)
    assert facts.reads == 0xFFFF and facts.flag_reads == Flag.ALL
    assert StepReader().facts(b"\x01\x3c\x00\x00", 0x08000000) == step_of("subs", "r4, #1", 2)


def test_the_fields_are_those_of_the_structure_in_c() -> None:
    assert set(STEP_FIELDS) == set(StepFacts.__dataclass_fields__)
