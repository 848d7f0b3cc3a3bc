# SPDX-License-Identifier: Apache-2.0
"""The exception model against small firmware that looks at what the core did: DDI0403 section B1.5 and the chapters it names."""

from __future__ import annotations

from pathlib import Path

import pytest
from exception_programs import answer, build_exception_firmware, read_until, scenario
from virtual_board_programs import READY

from cm4tiny.boards import VirtualBoard
from cm4tiny.deadline import Deadline
from cm4tiny.errors import DeviceFaultError

THREAD_MAIN, THREAD_PROCESS, HANDLER, THREAD_MAIN_FP = 0xFFFF_FFF9, 0xFFFF_FFFD, 0xFFFF_FFF1, 0xFFFF_FFE9
NMI_LIKE = 16  # exception number of interrupt 0
THREE, SEVEN, ONE, TWO = 0x4040_0000, 0x40E0_0000, 0x3F80_0000, 0x4000_0000  # single-precision numbers
MEM_MANAGE, BUS_FAULT, USAGE_FAULT, HARD_FAULT, FORCED = 4, 5, 6, 3, 1 << 30


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_exception_firmware(tmp_path_factory.mktemp("exceptions"))


# --- frames -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "exc_return", "room", "padded"),
    [("fm8", THREAD_MAIN, 0x20, 0), ("fm4", THREAD_MAIN, 0x24, 1), ("fp8", THREAD_PROCESS, 0x20, 0), ("fp4", THREAD_PROCESS, 0x24, 1)],
)
def test_an_exception_stacks_eight_words_on_the_stack_in_use(elf: Path, command: str, exc_return: int, room: int, padded: int) -> None:
    seen = scenario(elf, command)
    assert seen[0] == exc_return
    assert seen[1] == room
    assert seen[2:7] == [0x10, 0x11, 0x12, 0x13, 0x1C]  # r0..r3, r12
    assert seen[7:10] == [0, 1, padded]  # bit 0 of the return address, T and the alignment bit of xPSR
    assert seen[10:12] == [0x10 + 0x11 + 0x12 + 0x13 + 0x1C, 0]  # all is back, and the stack pointer too
    assert seen[12] == (2 if command[1] == "p" else 0)  # CONTROL


def test_a_floating_point_context_reserves_26_words_and_is_saved_when_the_handler_uses_the_fpu(elf: Path) -> None:
    exc_return, room, fpcar, s0, s15, stacked_s0, stacked_s15, control, active_after, *log = scenario(elf, "Fh")
    assert (exc_return, room, fpcar) == (THREAD_MAIN_FP, 0x68, 0x20)
    assert (stacked_s0, stacked_s15) == (THREE, SEVEN)
    assert (s0, s15) == (THREE, SEVEN)  # the handler's own values are gone
    assert log == [14, 0, 1, 0]  # PendSV, CONTROL.FPCA clear in the handler, LSPACT before and after the first FPU instruction
    assert (control, active_after) == (4, 0)


def test_a_handler_without_floating_point_leaves_the_lazy_context_unsaved(elf: Path) -> None:
    _, _, _, s0, s15, stacked_s0, stacked_s15, control, active_after, *log = scenario(elf, "Fl")
    assert (s0, s15) == (THREE, SEVEN)
    assert not {stacked_s0, stacked_s15} & {THREE, SEVEN}  # what was on the stack at power-on
    assert log == [14, 0, 1]
    assert (control, active_after) == (4, 0)


@pytest.mark.parametrize("command", ["Ll", "Lh"])
def test_without_lazy_stacking_the_registers_are_stored_at_entry(elf: Path, command: str) -> None:
    seen = scenario(elf, command)
    assert seen[:2] == [THREAD_MAIN_FP, 0x68]
    assert seen[3:7] == [THREE, SEVEN, THREE, SEVEN]
    assert seen[11] == 0  # LSPACT


@pytest.mark.parametrize(("command", "room", "padded"), [("ab", 0x20, 0), ("af", 0x6C, 1)])
def test_without_stack_alignment_only_floating_point_frames_are_aligned(elf: Path, command: str, room: int, padded: int) -> None:
    seen = scenario(elf, command)
    assert seen[1] == room
    assert seen[9] == padded
    assert seen[11] == 0


def test_a_handler_that_uses_the_fpu_leaves_no_context_in_a_thread_that_does_not(elf: Path) -> None:
    assert scenario(elf, "g") == [THREAD_MAIN, 0, THREAD_MAIN]


# --- priorities ---------------------------------------------------------------------------------------------------------------------


def test_an_interrupt_of_higher_priority_interrupts_a_handler(elf: Path) -> None:
    assert scenario(elf, "n") == [14, THREAD_MAIN, NMI_LIKE + 8, HANDLER]


def test_pending_exceptions_are_taken_by_priority_and_then_by_number(elf: Path) -> None:
    assert scenario(elf, "o") == [0, NMI_LIKE + 8, 14, NMI_LIKE + 7, NMI_LIKE + 9]


@pytest.mark.parametrize(
    ("command", "preempts"),
    [("p410", True), ("p140", False), ("p440", False), ("p323", True), ("p324", False), ("p424", True)],
)
def test_the_group_priority_decides_who_interrupts_whom(elf: Path, command: str, preempts: bool) -> None:
    # two priorities and PRIGROUP: with 4, the lowest priority bit in use is a sub-priority
    first, second, inside = NMI_LIKE + 8, NMI_LIKE + 9, 0xA
    assert scenario(elf, command) == ([first, second, inside] if preempts else [first, inside, second])


def test_basepri_holds_back_its_own_priority_and_those_below(elf: Path) -> None:
    assert scenario(elf, "b") == [NMI_LIKE + 8, 1, NMI_LIKE + 9]


def test_faultmask_holds_back_everything(elf: Path) -> None:
    assert scenario(elf, "k") == [1, NMI_LIKE + 8]


def test_faultmask_set_in_a_handler_ends_with_it(elf: Path) -> None:
    assert scenario(elf, "K") == [1, 0]


def test_a_second_handler_is_chained_to_the_first_without_unstacking(elf: Path) -> None:
    cycles, same_exc_return, same_frame, handled = scenario(elf, "t")
    assert (same_exc_return, same_frame, handled) == (1, 1, 2)
    assert cycles < 138  # 130 with both handlers' own instructions, loads after stores among them; return and entry would take 16 more


def test_registers_of_the_interrupt_controller_read_back(elf: Path) -> None:
    priority, pending, vector_pending, cleared, by_software, active, disabled = scenario(elf, "iv")
    assert (priority, pending, cleared, disabled) == (0xF0, 1, 0, 0)
    assert vector_pending == 0  # pending, but not enabled
    assert (by_software, active) == (NMI_LIKE + 8, 0)


# --- SVC and sleep ------------------------------------------------------------------------------------------------------------------


def test_svc_calls_the_handler_and_returns_behind_it(elf: Path) -> None:
    assert scenario(elf, "s") == [11, 0xDF00 | 66]


def test_svc_with_interrupts_masked_becomes_a_hard_fault(elf: Path) -> None:
    exception, cfsr, hfsr, *_ = scenario(elf, "sm")
    assert (exception, cfsr, hfsr) == (HARD_FAULT, 0, FORCED)


def test_wfi_sleeps_up_to_the_next_interrupt(elf: Path) -> None:
    ticks, thousand_cycles = scenario(elf, "iw")
    assert ticks == 1
    assert 9 <= thousand_cycles <= 10


def test_wfi_wakes_for_an_interrupt_that_primask_holds_back(elf: Path) -> None:
    assert scenario(elf, "im") == [0, 1]


def test_sev_lets_the_next_wfe_pass(elf: Path) -> None:
    assert scenario(elf, "ie") == [1, 1, 1]


def test_sleep_on_exit_goes_back_to_sleep_after_each_handler(elf: Path) -> None:
    assert scenario(elf, "ix") == [3]  # the third tick's handler clears SLEEPONEXIT


# --- faults -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("letter", "exception", "status"),
    [
        ("u", USAGE_FAULT, 1 << 16),
        ("n", USAGE_FAULT, 1 << 19),
        ("d", USAGE_FAULT, 1 << 25),
        ("m", USAGE_FAULT, 1 << 24),
        ("s", USAGE_FAULT, 1 << 17),
        ("r", BUS_FAULT, 0x8200),
        ("w", BUS_FAULT, 0x8200),
        ("X", BUS_FAULT, 0x100),
        ("x", MEM_MANAGE, 1),
    ],
)
def test_an_enabled_fault_goes_to_its_own_handler_with_its_status(elf: Path, letter: str, exception: int, status: int) -> None:
    assert scenario(elf, "e" + letter)[:3] == [exception, status, 0]


@pytest.mark.parametrize(("letter", "status"), [("u", 1 << 16), ("n", 1 << 19), ("r", 0x8200), ("x", 1)])
def test_a_fault_that_is_not_enabled_escalates_to_hard_fault(elf: Path, letter: str, status: int) -> None:
    assert scenario(elf, "E" + letter)[:3] == [HARD_FAULT, status, FORCED]


def test_a_fault_that_may_not_interrupt_its_handler_escalates(elf: Path) -> None:
    assert scenario(elf, "q")[:3] == [HARD_FAULT, 1 << 16, FORCED]  # both have priority 0


def test_a_breakpoint_without_a_debugger_is_a_hard_fault(elf: Path) -> None:
    assert scenario(elf, "Eb")[:3] == [HARD_FAULT, 0, 1 << 31]


def test_the_fault_address_is_that_of_the_access_and_the_register_keeps_its_value(elf: Path) -> None:
    assert scenario(elf, "er")[4:] == [0x9000_0000, 0x55]
    assert scenario(elf, "ew")[4:] == [0x9000_0004]
    assert scenario(elf, "em")[4:] == [1]


def test_division_by_zero_gives_zero_unless_it_shall_fault(elf: Path) -> None:
    assert scenario(elf, "eD") == [0]


def test_an_invalid_return_is_a_usage_fault_on_the_same_frame(elf: Path) -> None:
    assert scenario(elf, "r") == [1, 1]


def test_a_fault_that_was_dealt_with_leaves_a_note(elf: Path) -> None:
    with VirtualBoard(elf) as board:
        read_until(board, READY)
        answer(board, "eu")
        assert [note for note in board.statistics().notes if "its handler went on" in note and "faults" in note]


# --- the end ------------------------------------------------------------------------------------------------------------------------


def crash(elf: Path, command: str, seconds: float = 2.0) -> DeviceFaultError:
    with VirtualBoard(elf) as board:
        read_until(board, READY)
        board.link.write(command.encode() + b"%")
        deadline = Deadline(seconds, board.link.clock)
        with pytest.raises(DeviceFaultError) as caught:
            while board.link.read(deadline):
                pass
        return caught.value


def test_a_fault_in_the_hard_fault_handler_locks_the_core_up(elf: Path) -> None:
    error = crash(elf, "zh")
    assert "invalid instruction" in str(error)
    assert "taken as HardFault (CFSR=0x00010000 HFSR=0x40000000), and the core locked up there" in error.why


def test_a_vector_that_is_no_code_locks_up_and_names_the_interrupt(elf: Path) -> None:
    error = crash(elf, "zp")
    assert "jump to Arm code at 0x00000000" in str(error)
    assert "in the handler of interrupt 8" in error.why


def test_an_exception_without_a_stack_is_reported_with_the_stack_pointer(elf: Path) -> None:
    assert "no stack for an exception: the stack pointer is 0xfffffff0" in str(crash(elf, "zt"))


def test_a_fault_handler_that_loops_in_silence_is_reported_at_the_deadline(elf: Path) -> None:
    error = crash(elf, "zL")
    assert "invalid instruction" in str(error)
    assert "taken as HardFault" in error.why
    assert "locked up" not in error.why


@pytest.mark.parametrize(("command", "noted"), [("zo", True), ("zw", True), ("zl", False)])
def test_firmware_that_ends_silently_is_quiet_to_the_deadline(elf: Path, command: str, noted: bool) -> None:
    with VirtualBoard(elf) as board:
        read_until(board, READY)
        board.link.write(command.encode() + b"%")
        assert board.link.read(Deadline(0.2, board.link.clock)) == b"m-["
        assert board.link.read(Deadline(0.2, board.link.clock)) == b""
        assert ("endless loop" in "".join(board.statistics().notes)) is noted
        assert "reset" in board.position()
