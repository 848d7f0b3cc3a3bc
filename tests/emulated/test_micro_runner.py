# SPDX-License-Identifier: Apache-2.0
"""The runner of micro-kernels sees what it is there to see."""

from __future__ import annotations

import numpy as np
import pytest
from support.micro_runner import Place, run_host, run_target

from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.assembly import Assembly


def function(*lines: str, portable: str = "") -> CFunction:
    asm = Assembly()
    asm.emit_all(*lines)
    return asm.function("t", "int32_t *x, int32_t *y, int32_t n", portable)


WORDS = np.arange(4, dtype=np.int32)


def test_buffers_and_numbers_are_passed_and_come_back() -> None:
    f = function("ldr r3, [r0, #4]", "add r3, r3, r2", "str r3, [r1]", "bx lr", portable="y[0] = x[1] + n;")
    for run in (run_target, run_host):
        assert run(f, WORDS, Place(WORDS, 2), 41).buffers[1].tolist() == [0, 1, 42, 3]


def test_cycles_are_those_of_the_documented_model() -> None:
    f = function("ldr r3, [r0]", "ldr r12, [r0, #4]", "add r3, r3, r12", "str r3, [r1]", "bx lr")
    run = run_target(f, WORDS, WORDS, 0, runs=2)
    # two loads in a row 3, addition 1, store 1, return 1, entry 1 for the taken transfer
    assert (run.cycles, run.instructions, run.icache_misses) == (7, 5, 0)
    assert run_target(f, Place(WORDS, flash=True), WORDS, 0).dcache_misses == 1


@pytest.mark.parametrize(("offset", "side"), [(16, "behind"), (-4, "in front of")])
def test_a_write_outside_a_buffer_is_seen(offset: int, side: str) -> None:
    f = function("mov r3, #1", f"str r3, [r0, #{offset}]", "bx lr", portable=f"x[{offset // 4}] = 1;")
    for run in (run_target, run_host):
        with pytest.raises(AssertionError, match=f"wrote {side} buffer 0"):
            run(f, WORDS, WORDS, 0)


def test_an_unaligned_load_is_refused_when_strict() -> None:
    f = function("ldr r3, [r0, #2]", "bx lr")
    with pytest.raises(AssertionError, match="unaligned access of 4 bytes"):
        run_target(f, WORDS, WORDS, 0)
    run_target(f, WORDS, WORDS, 0, strict=False)


@pytest.mark.parametrize("line", ["mov r4, #0", "vmov s16, r0"])
def test_a_lost_register_is_seen(line: str) -> None:
    with pytest.raises(AssertionError, match="callee-saved registers were not restored"):
        run_target(function(line, "bx lr"), WORDS, WORDS, 0)


def test_a_lost_stack_pointer_is_seen() -> None:
    with pytest.raises(AssertionError, match="stack pointer was not restored"):
        run_target(function("push {r4-r11, lr}", "bx lr"), WORDS, WORDS, 0)
