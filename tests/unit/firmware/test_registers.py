# SPDX-License-Identifier: Apache-2.0
"""Named registers: what can be a name, what the assembler gets, and that names change no image."""

from __future__ import annotations

import pytest

from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.assembly import Assembly
from cm4tiny.firmware.kernels.int16.schedule import Costed
from cm4tiny.firmware.kernels.registers import Register, Registers, bare, plain

ROWS = (Register("x", "r0", "input"), Register("sum_low", "r4", "sum"), Register("held", "s3", "kept"), Register("unused", "r5", "nothing"))


@pytest.mark.parametrize(
    "name",
    ["r1", "s0", "d3", "q1", "a2", "v4", "c7", "p0", "acc0", "sp", "lr", "ip", "fp", "sl", "pc", "lsl", "ror", "b", "X", "", "1x", "x-y"],
)
def test_what_an_assembler_reads_as_something_else_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a register"):
        Register(name, "r0", "")


@pytest.mark.parametrize("register", ["r13", "sp", "pc", "s32", "d0", ""])
def test_only_registers_that_code_may_use_can_be_named(register: str) -> None:
    with pytest.raises(ValueError, match="no register"):
        Registers().name("x", register, "")


def test_a_name_stands_for_one_register_and_a_register_may_have_several() -> None:
    registers = Registers(ROWS)
    assert registers.name("x", "r0", "again") == "x"
    assert registers.names(("first", "second"), ("r0", "s3"), "others") == ("first", "second")
    assert registers.numbered("t", ("r1", "r2"), "temporary") == ("t0", "t1")
    assert [registers.of(name) for name in ("x", "first", "t1", "#4")] == ["r0", "r0", "r2", "#4"]
    with pytest.raises(ValueError, match="'x' names r0 and r1"):
        registers.name("x", "r1", "")
    with pytest.raises(ValueError, match="zip"):
        registers.names(("one",), ("r1", "r2"), "")


def test_words_are_replaced_whole_and_suffixes_of_mnemonics_are_left_alone() -> None:
    rows = (*ROWS, Register("w", "r1", ""))
    text = "1:\nldr.w w, [x, #4]!\nvldmia w!, {held-held}\nadd.w sum_low, xx, sum_low, asr #31\nbne.w 1b"
    assert plain(rows, text) == "1:\nldr.w r1, [r0, #4]!\nvldmia r1!, {s3-s3}\nadd.w r4, xx, r4, asr #31\nbne.w 1b"


def made(x: str, y: str) -> CFunction:
    a = Assembly((Register(x, "r0", "input"), Register(y, "r4", "sum"), Register("unused", "r5", "")))
    a.emit_all("push {r4-r11, lr}", f"add {y}, {x}, #1", "pop {r4-r11, pc}")
    return a.function("f", "int16_t *p", "")


def test_the_assembler_gets_the_names_that_occur_and_they_end_with_the_function() -> None:
    lines = made("x", "total").target_lines()
    assert [line for line in lines if "req" in line] == ["x .req r0", "total .req r4", ".unreq x", ".unreq total"]
    assert lines.index("total .req r4") < lines.index("add.w total, x, #1") < lines.index(".unreq x") < len(lines) - 2
    assert '"x .req r0\\n"' in made("x", "total").target_text()


def test_another_name_of_a_register_makes_the_same_function() -> None:
    assert made("x", "total").name == made("total", "x").name
    assert plain(made("x", "total").registers, "add.w total, x, #1") == "add.w r4, r0, #1"


def test_two_names_of_one_register_need_no_move() -> None:
    a = Assembly((Register("x", "r0", ""), Register("place", "r0", ""), Register("other", "r1", "")))
    a.add_imm("place", "x", 0)
    assert a.lines == []
    a.add_imm("other", "x", 0)
    assert a.lines == ["mov.w other, x"]


def test_a_list_of_names_costs_as_many_cycles_as_it_has_registers() -> None:
    a = Costed([Register(f"n{i}", f"s{i}", "") for i in range(8)])
    a.emit("vldmia w!, {n0-n7}")
    assert a.cycles == 9


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("add.w r3, x, lr", ("r3", "lr")),
        ("vmov kept, s4", ("s4",)),
        ("push {r4-r11, lr}", ()),
        ("vpop {s16-s20}", ()),
        ("bx lr", ()),
        ("sub sp, sp, #32", ()),
        ("ldr.w x, [w, #4]", ()),
    ],
)
def test_a_register_without_a_name_is_seen(line: str, found: tuple[str, ...]) -> None:
    assert bare(line) == found
