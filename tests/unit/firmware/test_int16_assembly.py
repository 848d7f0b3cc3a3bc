# SPDX-License-Identifier: Apache-2.0
"""The text builder: wide encodings, sizes, constants, names by content."""

from __future__ import annotations

import pytest

from cm4tiny.firmware.kernels.int16.assembly import Assembly


def test_every_instruction_gets_its_wide_encoding():
    a = Assembly()
    a.emit_all("ldr r0, [r1]", "smlad r0, r1, r2, r0", "subs r3, r3, #1", "vmov s0, r0")
    assert a.lines == ["ldr.w r0, [r1]", "smlad r0, r1, r2, r0", "subs.w r3, r3, #1", "vmov s0, r0"]
    assert a.bytes == 16


def test_a_load_or_store_below_its_base_has_no_narrow_encoding_and_clang_refuses_to_be_told_so():
    a = Assembly()
    a.emit_all("str r1, [r8, #-28]", "ldr r1, [r2], #-4", "add r1, r1, #-4", "str r1, [r8, #28]")
    assert a.lines == ["str r1, [r8, #-28]", "ldr r1, [r2], #-4", "add.w r1, r1, #-4", "str.w r1, [r8, #28]"]
    assert a.bytes == 16


def test_the_largest_loop_is_measured_with_its_branch():
    a = Assembly()
    a.label("1")
    a.label("2")
    a.emit("nop.w")
    a.loop_end("2")
    a.emit("nop.w")
    a.loop_end("1")
    assert a.loop_bytes == 16


@pytest.mark.parametrize(
    "value", [0, 1, 255, 256, 1020, 4095, 4096, 5000, 70_000, 1_000_001, 0x25A010, (1 << 24) - 1, -1, -255, -4095, -4096, -70_001]
)
def test_additions_add_up(value):
    a = Assembly()
    a.add_imm("r0", "r1", value)
    total = 0
    for line in a.lines:
        words = line.replace(",", "").split()
        if words[0] in ("add.w", "addw"):
            total += int(words[3][1:])
        elif words[0] in ("sub.w", "subw"):
            total -= int(words[3][1:])
    assert total == value
    assert len(a.lines) <= 3


def test_adding_nothing_to_itself_takes_no_instruction():
    a = Assembly()
    a.add_imm("r0", "r0", 0)
    assert a.lines == []


def test_constants_take_one_or_two_instructions():
    a = Assembly()
    a.constant("r0", 0x1234)
    a.constant("r1", -2)
    assert a.lines == ["movw r0, #4660", "movw r1, #65534", "movt r1, #65535"]


def test_a_name_follows_the_text():
    def made(portable: str, *lines: str) -> str:
        a = Assembly()
        a.emit_all(*lines)
        return a.function("x", "int16_t *p", portable).name

    assert made("t", "bx lr") == made("t", "bx lr")
    assert len({made("t", "bx lr"), made("u", "bx lr"), made("t", "nop.w", "bx lr")}) == 3


def test_the_text_for_the_target_is_a_function_at_a_cache_line():
    a = Assembly()
    a.emit("bx lr")
    text = a.function("x", "int16_t *p", "(void)p;").target_text()
    assert "void cm4t_x_" in text
    assert ".balign 32" in text
    assert ".popsection" in text
