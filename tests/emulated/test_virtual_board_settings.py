# SPDX-License-Identifier: Apache-2.0
"""What the board records of its clocks and of its core's time, and registers that the host looks at."""

from __future__ import annotations

from pathlib import Path

import pytest
from exception_programs import answer, build_exception_firmware, read_until
from virtual_board_programs import ECHO, PARK, READY, START, WFI, branch_wide, move_wide, movs, store, write_elf

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.virtual.machine import MAX_SETTING_CHANGES, SpanKind
from cm4tiny.boards.virtual.peripheral_map import regions
from cm4tiny.deadline import Deadline
from cm4tiny.errors import BoardError

RCC, FLASH_ACR, SCR = 0x4002_1000, 0x4002_2000, 0xE000_ED10


def put(address: int, value: int) -> list[int]:
    return [*move_wide(7, address), *move_wide(6, value), store(6, 7)]


def waited(elf: Path, seconds: float = 1.0, strict: bool = True) -> VirtualBoard:
    board = VirtualBoard(elf, strict=strict)
    board.link.read(Deadline(seconds, board.link.clock))
    return board


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_exception_firmware(tmp_path_factory.mktemp("settings"))


# --- a look at registers ------------------------------------------------------------------------------------------------------------


def test_registers_read_as_the_firmware_would_read_them(tmp_path: Path) -> None:
    with waited(
        write_elf(
            tmp_path, put(FLASH_ACR, 0x605), put(RCC + 0x4C, 0x48), put(RCC, 0x163), put(RCC + 0xC, 0x1E12), put(RCC, 0x1000163), PARK
        ),
        strict=False,
    ) as board:
        assert board.peek(FLASH_ACR) == 0x605
        assert board.peek(RCC + 0x4C) == 0x48
        assert board.peek(RCC) == 0x3000563  # MSI, HSI and PLL are on, and ready
        assert board.peek(0xE000_ED00) == 0x410F_C241  # CPUID


def test_a_port_without_its_clock_can_be_looked_at(tmp_path: Path) -> None:
    with waited(write_elf(tmp_path, put(RCC + 0x4C, 0x20), put(0x4800_1400, 0xFFFF_FFFD), put(RCC + 0x4C, 0), PARK)) as board:
        assert board.peek(0x4800_1400) == 0xFFFF_FFFD


@pytest.mark.parametrize("address", [0x4000_5400, 0x4002_2002, 0x0800_0000, -4, 1 << 33])
def test_what_is_no_register_is_an_error(tmp_path: Path, address: int) -> None:
    with VirtualBoard(write_elf(tmp_path, PARK)) as board, pytest.raises(BoardError, match="is not a register") as error:
        board.peek(address)
    assert error.value.hint


def everything(board: VirtualBoard) -> int:
    """Looks at every register of every peripheral; how many there are."""
    found = 0
    for region in regions():
        for offset in range(0, min(region.size, 0x400), 4):
            try:
                board.peek(region.base + offset)
            except BoardError:
                break  # not modelled
            found += 1
    return found


def receiver(board: VirtualBoard) -> None:
    """Looks at every register of the UART that the commands come by, the one that a read takes the byte from among them."""
    (uart,) = (region for region in regions() if region.name == "LPUART1")
    for offset in range(0, 0x30, 4):
        board.peek(uart.base + offset)


@pytest.mark.parametrize("command", ["it", "ip", "i1", "dn", "ds", "dc", "dm"])
def test_to_look_changes_nothing(scenarios: Path, command: str) -> None:
    seen = []
    for looks in (False, True):
        with VirtualBoard(scenarios, exact=True) as board:
            read_until(board, READY)
            if looks:
                assert everything(board) > 5000
            board.link.write(command.encode() + b"%")
            text = b""
            while not text.endswith(READY):
                text += board.link.read(Deadline(5.0, board.link.clock))
                if looks:
                    everything(board)
            seen.append((text, board.cycles))
    assert seen[0] == seen[1]


def test_bytes_that_came_stay_where_they_are(scenarios: Path) -> None:
    with VirtualBoard(scenarios) as board:
        read_until(board, READY)
        board.link.write(b"iu%")
        read_until(board, b"listening\r\n" + READY)
        board.link.write(b"hello%")
        for i in range(20):
            board.link.read(Deadline(1e-6, board.link.clock))
            receiver(board)
            if i % 8 == 0:
                everything(board)
        assert b"hello 6" in read_until(board, READY)


# --- clocks and power -----------------------------------------------------------------------------------------------------------------


def test_changes_of_clocks_and_power_are_recorded_with_their_time(tmp_path: Path) -> None:
    smps = [put(RCC + 0x4C, 0x40), put(0x4800_1800, 0xFFFF_FFFF & ~(3 << 22) | 1 << 22), put(0x4800_1818, 1 << 11 | 1 << 5)]
    twice = [put(FLASH_ACR, 0x605), put(FLASH_ACR, 0x605)]
    power = [put(RCC + 0x58, 1 << 28), put(0x4000_7000, 0x400), put(0x4000_7004, 1 << 9)]
    with waited(write_elf(tmp_path, *twice, *power, *smps, PARK)) as board:
        changes = board.setting_changes()
    values = [(change.address, change.value) for change in changes if change.ticks]
    assert values == [
        (FLASH_ACR, 0x605),
        (RCC + 0x58, 1 << 28),
        (0x4000_7000, 0x400),
        (0x4000_7004, 1 << 9),
        (RCC + 0x4C, 0x40),
        (0x4800_1800, 0x0F40_0000),  # of the pins that switch the SMPS only
        (0x4800_1814, 1 << 11),
    ]
    assert [change.time_ps for change in changes] == sorted(change.time_ps for change in changes)
    at_start = {change.address: change.value for change in changes if not change.ticks}
    assert at_start[RCC] == 0x63 and at_start[FLASH_ACR] == 0x600 and at_start[0x4000_7000] == 0x200


def test_a_reset_sets_them_back(tmp_path: Path) -> None:
    with waited(write_elf(tmp_path, put(FLASH_ACR, 0x605), PARK)) as board:
        board.reset()
        assert [change.value for change in board.setting_changes() if change.address == FLASH_ACR] == [0x600, 0x605, 0x600]


def test_their_list_has_a_limit_that_is_said(tmp_path: Path) -> None:
    body = [*put(RCC + 0x4C, 1), movs(6, 0), store(6, 7)]
    loop = [*body, *branch_wide(START + 2 * len(body), START)]
    with VirtualBoard(write_elf(tmp_path, loop)) as board:
        board.link.read(Deadline(0.5, board.link.clock))
        assert len(board.setting_changes()) == MAX_SETTING_CHANGES
        assert any("registers of clocks and power" in note for note in board.statistics().notes)


# --- the core's time ------------------------------------------------------------------------------------------------------------------


def shares(board: VirtualBoard) -> dict[SpanKind, float]:
    """Cycles of each kind by the spans; the counters must agree."""
    spans, statistics = board.spans(), board.statistics()
    cycles = {kind: sum(int(to) - int(begin) for begin, to, of in spans if of == kind) / 1000 for kind in SpanKind}
    named = (statistics.polling_cycles, statistics.sleeping_cycles, statistics.deep_sleep_cycles, statistics.looping_cycles)
    assert [int(cycles[kind]) for kind in SpanKind] == list(named)
    borders = [int(at) for span in spans for at in span[:2]]
    assert borders == sorted(borders)
    return {kind: value / statistics.cycles for kind, value in cycles.items()}


def test_polling_sleeping_and_looping_are_told_apart(tmp_path: Path) -> None:
    sleep = [WFI, *branch_wide(START + 2 * 31, START + 2 * 30)]
    for program, kind in (
        (ECHO, SpanKind.POLL),
        ([PARK], SpanKind.LOOP),
        ([*[0xBF00] * 30, *sleep], SpanKind.SLEEP),
        ([*put(SCR, 4), *[0xBF00] * (30 - len(put(SCR, 4))), *sleep], SpanKind.DEEP_SLEEP),
    ):
        with VirtualBoard(write_elf(tmp_path, program)) as board:
            board.link.read(Deadline(0.5, board.link.clock))
            assert shares(board)[kind] > 0.99, kind


def test_work_is_no_span_and_commands_are_polled_for(scenarios: Path) -> None:
    with VirtualBoard(scenarios) as board:
        read_until(board, READY)
        before = board.statistics()
        answer(board, "it")  # waits 40,000 cycles with the timer's interrupts, and prints
        after = board.statistics()
    worked = (after.cycles - after.polling_cycles) - (before.cycles - before.polling_cycles)
    assert 40_000 < worked < 60_000
    assert after.polling_cycles - before.polling_cycles > 200 * len("it%")


def test_sleep_up_to_an_interrupt_is_sleep(scenarios: Path) -> None:
    with VirtualBoard(scenarios) as board:
        read_until(board, READY)
        answer(board, "iw")
        assert shares(board)[SpanKind.SLEEP] * board.cycles > 1000
