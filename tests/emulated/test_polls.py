# SPDX-License-Identifier: Apache-2.0
"""Rounds in which firmware finds no byte are advanced instead of run: nothing that a host or a debugger sees may differ."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from virtual_board_programs import ECHO_LOOP, SOURCE, UART_READY, ask, build_test_firmware, load, move_wide, store, write_elf

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.virtual import CycleModel
from cm4tiny.boards.virtual.steps import step_of
from cm4tiny.deadline import Deadline

SHORT_PROFILE = CycleModel(profile_min=3_000_000, profile_max=20_000_000)


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_test_firmware(tmp_path_factory.mktemp("firmware"))


def all_that_is_seen(elf: Path, *, full: bool, baud: int | None = None, slice_s: float = 50.0) -> tuple[Any, ...]:
    said = b""
    with VirtualBoard(elf, full_windows=full, baud=baud, model=SHORT_PROFILE, in_process=True) as board:
        ask(board, b"")
        for command in (b"v%", b"w%", b"x" * 60 + b"%", b"g%", b"d%", b"i%", b"s" * 63 + b"%", b"v%"):
            board.link.write(command)
            deadline, answer = Deadline(50.0, board.link.clock), b""
            while not answer.endswith(b"m-ready\r\n"):
                answer += board.link.read(Deadline(slice_s, board.link.clock))
                assert not deadline.expired
            said += answer
        board.link.read(Deadline(0.01, board.link.clock))
        machine = board.guard.machine
        ram = hashlib.sha256(board.read_memory(0x20000000, 640 * 1024)).hexdigest()
        return said, machine.ticks, ram, board.statistics(), board.spans().tobytes(), board.timestamp_edges_s(), machine.program_counter()


@pytest.mark.parametrize("baud", [None, 115200])
def test_nothing_differs(firmware: Path, baud: int | None) -> None:
    assert all_that_is_seen(firmware, full=False, baud=baud) == all_that_is_seen(firmware, full=True, baud=baud)


def test_nothing_differs_however_the_host_reads(firmware: Path) -> None:
    assert all_that_is_seen(firmware, full=False, slice_s=0.0002) == all_that_is_seen(firmware, full=True, slice_s=0.0002)


def test_a_slow_line_costs_no_polls(firmware: Path) -> None:
    """At 115200 baud a byte takes ten thousand cycles, which the firmware polls away."""
    assert "while (!(R(UART + 0x1c) & 0x80))" in SOURCE
    spent = []
    for full in (False, True):
        with VirtualBoard(firmware, full_windows=full, baud=115200, model=SHORT_PROFILE) as board:
            ask(board, b"")
            for _ in range(6):  # loops are profiled before they can be known
                ask(board, b"s" * 60 + b"%")
            assert board.statistics().profile_phases == 1
            began = board.processor_s
            for _ in range(30):
                ask(board, b"s" * 60 + b"%")
            spent.append(board.processor_s - began)
    assert spent[0] < spent[1] / 4


COUNTS = [*move_wide(5, 0x20000100), load(4, 5), 0x3401, store(4, 5)]
"""Counts its rounds in RAM."""


def test_a_loop_that_does_more_than_to_poll_is_run(tmp_path: Path) -> None:
    begin, poll = ECHO_LOOP[:6], ECHO_LOOP[6:]
    loop = [*begin, *COUNTS, poll[0], poll[1], 0xD500 | (-(len(COUNTS) + 4)) & 0xFF, *poll[3:-1], 0xE000 | (-(len(COUNTS) + 8)) & 0x7FF]
    elf = write_elf(tmp_path, *UART_READY, *loop)
    counts = []
    for full in (False, True):
        with VirtualBoard(elf, full_windows=full, baud=115200, model=CycleModel(profile_min=1000, profile_max=3000)) as board:
            board.link.write(b"abc%")
            board.link.read(Deadline(0.1, board.link.clock))
            counts.append((board.read_memory(0x20000100, 4), board.cycles, board.statistics()))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("bl #0x10", 1), ("bx lr", 1), ("lsls r0, r3, #28", 1), ("uxtb r0, r3", 1), ("mvn r0, #1", 1), ("nop", 1),
        ("qadd r0, r1, r2", 0), ("uadd8 r0, r1, r2", 0), ("msr primask, r0", 0), ("mrs r0, apsr", 0), ("cpsid i", 0), ("svc #1", 0),
        ("wfi", 0), ("ldrb r0, [r1]", 0), ("strb r0, [r1]", 0), ("vmov r0, s0", 0), ("tbb [pc, r0]", 0), ("ldrex r0, [r1]", 0),
    ],
)  # fmt: skip
def test_what_a_round_may_hold(line: str, plain: int) -> None:
    mnemonic, _, operands = line.partition(" ")
    assert step_of(mnemonic, operands, 2).covers == plain
