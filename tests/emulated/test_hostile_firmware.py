# SPDX-License-Identifier: Apache-2.0
"""No firmware can break the host: each value that a guest can give is bounded before it is used, and no list grows for ever."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.hostile_firmware import RAM, ROOT, constant, run_benchmarks, sanitizer_environment
from support.hostile_programs import GPIOF, LOOP, LPUART1, PARK, PROGRAMS, RCC, TIM3, poke, repeated, write_program

from cm4tiny.boards import VirtualBoard
from cm4tiny.deadline import Deadline
from cm4tiny.errors import BoardError

SECOND = 1.0


def run_for_a_second(board: VirtualBoard, seconds: float = SECOND) -> bytes:
    """What the board says in a virtual second."""
    deadline, output = Deadline(seconds, board.link.clock), b""
    while not deadline.expired:
        output += board.link.read(deadline)
    return output


@pytest.mark.parametrize("baud", [None, 115200])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_virtual_second_of_it_passes_and_is_a_second(tmp_path: Path, name: str, baud: int | None) -> None:
    with VirtualBoard(write_program(tmp_path, PROGRAMS[name]), baud=baud, strict=False) as board:
        board.link.write(b"bytes to receive%")
        if "SAI" in name:
            import numpy

            board.play(numpy.zeros(4000, numpy.int16), 16000)
        run_for_a_second(board)
        assert board.time_s == pytest.approx(SECOND, abs=0.01) or "PLL" in name


def test_items_of_the_reserved_size_are_words_and_noted(tmp_path: Path) -> None:
    with VirtualBoard(write_program(tmp_path, PROGRAMS["items of the reserved size"]), strict=False) as board:
        board.write_memory(RAM, bytes(0x200))
        run_for_a_second(board, 0.001)
        assert struct.unpack("<3I", board.read_memory(RAM + 0x100, 12)) == (0x41414141, 0x42424242, 0)
        assert any("DMA1+0x08" in note for note in board.statistics().notes)


def test_a_circle_to_the_uart_is_paced_without_a_baud_rate(tmp_path: Path) -> None:
    with VirtualBoard(write_program(tmp_path, PROGRAMS["a circle to the UART"]), strict=False) as board:
        board.write_memory(RAM, bytes(16))
        output = run_for_a_second(board)
        assert len(output) == pytest.approx(board.cycles / 200, rel=0.02)  # the pace of a line without a baud rate
        assert output.startswith(b"A" + bytes(15) + b"A")


@pytest.mark.parametrize("name", ["a divider of zero by eight", "a divider of zero"])
def test_a_uart_without_a_baud_rate_sends_at_the_hosts(tmp_path: Path, name: str) -> None:
    with VirtualBoard(write_program(tmp_path, PROGRAMS[name]), baud=115200, strict=False) as board:
        assert run_for_a_second(board, 0.01) == b"\n"


def test_a_counter_above_its_end_counts_on_to_its_top(tmp_path: Path) -> None:
    """TIM3 stands at 0xFFF0 with ARR 9: after 16 counts it is 0, then 0 to 9. The delay is a loop of some sixty cycles."""
    program = [*poke((TIM3 + 0x2C, 9), (TIM3 + 0x24, 0xFFF0)), *constant(0, TIM3), 0x2101, 0x6001, 0x2214, 0x3A01, 0xD1FD, 0x6A42]
    with VirtualBoard(write_program(tmp_path, [*program, *constant(3, RAM), 0x601A, PARK]), strict=False) as board:
        run_for_a_second(board, 0.001)
        assert struct.unpack("<I", board.read_memory(RAM, 4))[0] < 10


# --- lists ----------------------------------------------------------------------------------------------------------------------------


def test_edges_of_the_time_stamp_pin_are_kept_up_to_a_limit_and_that_is_said(tmp_path: Path) -> None:
    setup = poke((RCC + 0x4C, 0x20), (GPIOF, 0x04000000))
    toggle = repeated([(GPIOF + 0x18, 1 << 13), (GPIOF + 0x18, 1 << 29)])
    with VirtualBoard(write_program(tmp_path, [*setup, *toggle]), strict=False) as board:
        run_for_a_second(board, 1.6)
        notes = " ".join(board.statistics().notes)
        assert len(board.timestamp_edges_s()) == 1 << 20
        assert "falling edges" in notes and "changes of output pins" in notes


def test_changes_of_the_clock_are_kept_up_to_a_limit_and_that_is_said(tmp_path: Path) -> None:
    with VirtualBoard(write_program(tmp_path, repeated([(RCC + 8, 0x80), (RCC + 8, 0)])), strict=False) as board:
        run_for_a_second(board, 0.3)
        assert any("changes of the clock" in note for note in board.statistics().notes)
        assert board.time_s == pytest.approx(0.3, abs=1e-5)
        assert len(board.guard.machine.clock_changes()) == 1 << 16


def test_output_that_nobody_takes_comes_in_pieces(tmp_path: Path) -> None:
    """A byte every three cycles without a line feed: a read returns before the host's memory is full."""
    with VirtualBoard(
        write_program(tmp_path, [*poke((LPUART1, 0xD)), *repeated([(LPUART1 + 0x28, 65), (LPUART1 + 0x28, 66)])]), strict=False
    ) as board:
        assert board.link.read(Deadline(10, board.link.clock)).startswith(b"ABAB")
        assert board.time_s < 0.1


def test_notes_end_with_one_that_says_so(tmp_path: Path) -> None:
    walk = [*constant(6, 0x40030000), *constant(5, 400), 0x6837, 0x3604, 0x3D01, 0xD1FB, PARK]
    with VirtualBoard(write_program(tmp_path, walk), strict=False) as board:
        run_for_a_second(board)
        notes = board.statistics().notes
        assert len(notes) == 256 and "different things that are noted" in notes[-1]


def test_watched_instructions_are_bounded(tmp_path: Path) -> None:
    divisions = [0xFBB0, 0xF1F2] * 5500
    start = [*poke((0xE000ED14, 0x210)), 0x2207, *divisions, PARK]
    with VirtualBoard(write_program(tmp_path, start), strict=False) as board:
        run_for_a_second(board)
        assert any("may fault" in note for note in board.statistics().notes)


def test_code_that_changes_under_its_watch_does_not_make_another(tmp_path: Path) -> None:
    """A division in RAM that is rewritten two thousand times; each time the block has another size."""
    place = RAM + 0x100
    write = [h for i, half in enumerate((0xFBB0, 0xF1F2, 0x4770)) for h in (*constant(7, half), 0x8037 | i << 6)]
    other = [*constant(7, 0xBF00), 0x80B7, *constant(7, 0x4770), 0x80F7]
    round_ = [*write, *constant(5, place | 1), 0x47A8, *other, 0x47A8, 0x3C01, 0xD000]
    program = [*poke((0xE000ED14, 0x210)), 0x2207, *constant(4, 2000), *constant(6, place), *round_]
    with VirtualBoard(write_program(tmp_path, [*program, 0xE000 | -(len(round_) + 2) & 0x7FF, PARK]), strict=False) as board:
        run_for_a_second(board)
        assert not any("may fault" in note for note in board.statistics().notes)


# --- the host stays in charge ---------------------------------------------------------------------------------------------------------

_ENDLESS = {
    "a loop": [*LOOP],
    "a circle of DMA": PROGRAMS["a circle for the UART that does not reach it"],
    "channels that start each other": [*PROGRAMS["channels that start each other, one item at a time"][:-1], *LOOP],
    "sleep with a fast timer": [*poke((0xE000E014, 1), (0xE000ED04, 0), (0xE000E010, 7)), 0xB672, 0xBF30, 0xE7FD],
    "faults that are handled": [0xDE00, 0xE7FD],
}


@pytest.mark.parametrize("name", _ENDLESS)
def test_ctrl_c_ends_a_read_of_an_hour_within_a_second(tmp_path: Path, name: str) -> None:
    elf = write_program(tmp_path, _ENDLESS[name])
    script = (
        "import sys; from pathlib import Path; from cm4tiny.boards import VirtualBoard; from cm4tiny.deadline import Deadline\n"
        "with VirtualBoard(Path(sys.argv[1]), strict=False) as board:\n"
        "    print('running', flush=True)\n"
        "    deadline = Deadline(1e9, board.link.clock)\n"
        "    while True: board.link.read(deadline)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(elf)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == b"running\n"
        time.sleep(0.3)
        asked = time.monotonic()
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=20)
    assert b"KeyboardInterrupt" in errors or b"DeviceFaultError" in errors, errors
    assert time.monotonic() - asked < 3  # a second, and what a loaded machine adds


def test_closing_a_board_ends_its_run_in_another_thread(tmp_path: Path) -> None:
    board = VirtualBoard(write_program(tmp_path, LOOP), strict=False)
    caught: list[BaseException] = []

    def read() -> None:
        try:
            board.link.read(Deadline(1e9, board.link.clock))
        except BoardError as error:
            caught.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.1)
    board.close()
    thread.join(10)
    assert not thread.is_alive() and "was stopped" in str(caught[0])


# --- campaigns ---------------------------------------------------------------------------------------------------------------------------


def _campaign(first: int, count: int, jobs: int) -> None:
    if sanitizer_environment() is None:
        pytest.skip("gcc with libasan is not installed")
    campaign = run_benchmarks(first, count, jobs=jobs, sanitize=True)
    assert not campaign.failures, "\n".join(campaign.failures[:3])
    assert campaign.tried == count
    assert campaign.endings.get("FAULT", 0) > count / 20 and campaign.endings.get("LIMIT", 0) > count / 5, campaign.endings


@pytest.mark.parametrize("first", range(0, 1000, 250))
def test_a_thousand_random_firmwares_under_the_sanitizers(first: int) -> None:
    _campaign(first, 250, 1)


@pytest.mark.long
@pytest.mark.timeout(4 * 3600)
def test_a_hundred_thousand_random_firmwares_under_the_sanitizers() -> None:
    _campaign(1_000_000, 100_000, os.cpu_count() or 1)
