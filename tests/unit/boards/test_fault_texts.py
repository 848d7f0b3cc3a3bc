# SPDX-License-Identifier: Apache-2.0
"""What a crash of the firmware is called, without a firmware: where it was, in which memory, and whether the stack ran over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cm4tiny.boards.boards import default_board
from cm4tiny.boards.virtual.faults import exception_name, fault_error
from cm4tiny.boards.virtual.loader import LoadedElf
from cm4tiny.boards.virtual.machine import Fault, FaultKind

ELF = LoadedElf((), ())
CHIP = default_board().chip
FLASH, RAM = CHIP.flash, next(memory for memory in CHIP.memory if memory.kind == "ram")
CRASH = Fault(FaultKind.WRITE, 0x6000_0000, 0, 0x0800_0101, 0x0800_0203, 0x2000_8000, 0x0100_0000, (7, 8))


def told(**changes: object) -> tuple[str, str, str]:
    """What, why and hint."""
    error = fault_error(replace(CRASH, **changes), ELF, "the board")  # type: ignore[arg-type]
    return error.what, error.why or "", error.hint or ""


def test_a_crash_tells_place_registers_and_status() -> None:
    what, why, hint = told()
    assert what == "the firmware on the board crashed: write to an address where nothing is: 0x60000000"
    assert why == "at PC 0x08000101, called from LR 0x08000203; SP=0x20008000 xPSR=0x01000000 r0=0x00000007 r1=0x00000008"
    assert "wild pointer" in hint


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"exception": 3, "cfsr": 0x8200, "hfsr": 0x4000_0000}, "; taken as HardFault (CFSR=0x00008200 HFSR=0x40000000); SP="),
        ({"exception": 3, "locked_up": True}, "; taken as HardFault (CFSR=0x00000000 HFSR=0x00000000), and the core locked up there; SP="),
        ({"interrupted": 15, "exception": 5}, " in the handler of SysTick; taken as BusFault ("),
        (
            {"interrupted": 16, "locked_up": True, "hfsr": 2},
            " in the handler of interrupt 0; the core locked up (CFSR=0x00000000 HFSR=0x00000002)",
        ),
    ],
)
def test_how_the_core_took_it_is_told(changes: dict[str, object], text: str) -> None:
    assert text in told(**changes)[1]


@pytest.mark.parametrize(
    ("number", "name"),
    [(2, "NMI"), (6, "UsageFault"), (11, "SVCall"), (1, "exception 1"), (13, "exception 13"), (16, "interrupt 0"), (86, "interrupt 70")],
)
def test_exceptions_have_the_manuals_names(number: int, name: str) -> None:
    assert exception_name(number) == name


@pytest.mark.parametrize("start", [FLASH.start, *FLASH.aliases])
def test_the_memory_that_was_written_is_named(start: int) -> None:
    for address in (start, start + FLASH.size - 1):
        assert f"write to {FLASH.name} at 0x{address:08x}" in told(kind=FaultKind.FLASH_WRITE, address=address)[0]
    assert "write to memory at" in told(kind=FaultKind.FLASH_WRITE, address=FLASH.start + FLASH.size)[0]


@pytest.mark.parametrize(
    ("kind", "address", "distance", "ran_over"),
    [
        (FaultKind.WRITE, RAM.start - 8, 8, True),
        (FaultKind.WRITE, RAM.start - 8, -4095, True),
        (FaultKind.WRITE, RAM.start - 8, 4095, True),
        (FaultKind.WRITE, RAM.start - 8, 4096, False),
        (FaultKind.WRITE, RAM.start - 8, -4096, False),
        (FaultKind.READ, RAM.start - 1, 0, True),
        (FaultKind.STACKING, RAM.start - 1, 0, True),
        (FaultKind.FLASH_WRITE, FLASH.start + 64, 0, True),
        (FaultKind.WRITE, RAM.start, 0, False),
        (FaultKind.FETCH, RAM.start - 8, 0, False),
    ],
)
def test_an_access_near_the_stack_pointer_outside_of_ram_is_a_stack_that_ran_over(
    kind: FaultKind, address: int, distance: int, ran_over: bool
) -> None:
    what, _, hint = told(kind=kind, address=address, sp=address + distance)
    assert what.startswith("the firmware on the board crashed: the stack ran over: ") is ran_over
    assert ("recursion" in hint) is ran_over
    assert not ran_over or f"and the stack pointer is 0x{address + distance:08x}" in what
