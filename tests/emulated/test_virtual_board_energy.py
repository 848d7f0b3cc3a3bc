# SPDX-License-Identifier: Apache-2.0
"""Energy on the virtual board: what is read from registers, per activity and over time, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.firmware_stubs import load_commands
from test_firmware_build import INPUT, build, chain, gcc, talk  # noqa: F401 - two are fixtures
from virtual_board_programs import ECHO, PARK, START, WFI, branch_wide, move_wide, store, write_elf

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.energy import Activity, current_ma
from cm4tiny.deadline import Deadline
from cm4tiny.errors import PowerError
from cm4tiny.firmware.toolchain import Toolchain
from pages.energies import own_settings

RCC, FLASH_ACR, PWR_CR5, SCR = 0x4002_1000, 0x4002_2000, 0x4000_7080, 0xE000_ED10


def put(address: int, value: int) -> list[int]:
    return [*move_wide(7, address), *move_wide(6, value), store(6, 7)]


BOOST = [
    put(RCC + 0x58, 1 << 28),
    put(PWR_CR5, 0),
    put(FLASH_ACR, 0x605),
    put(RCC, 0x563),
    put(RCC + 0xC, 0x1001E12),
    put(RCC, 0x1000563),
    put(RCC + 8, 3),
]
"""120 MHz from HSI16 and the PLL, as this project's firmware sets them."""


def recorded(elf: Path, seconds: float = 0.2) -> tuple[np.ndarray, VirtualBoard]:
    """Samples in watts of a while after the start, and the board."""
    board = VirtualBoard(elf, strict=False)
    board.link.read(Deadline(0.01, board.link.clock))
    board.power.start()
    board.link.read(Deadline(seconds, board.link.clock))
    return board.power.stop().joules / 1e-3, board


@pytest.mark.parametrize("mode", ["performance", "energy"])
def test_own_firmware_clocks_what_the_tables_say(tmp_path: Path, gcc: Toolchain, mode: str) -> None:  # noqa: F811
    with VirtualBoard(build(tmp_path, gcc, mode=mode).elf) as board:
        talk(board)
        for command in load_commands(INPUT, 490):
            talk(board, f"{command}%")
        talk(board, "infer 2 0%")
        assert board.power_settings() == own_settings()
        assert not board.power_settings().refusal


def test_waiting_and_loading_are_not_charged_like_inference(tmp_path: Path, gcc: Toolchain) -> None:  # noqa: F811
    with VirtualBoard(build(tmp_path, gcc, mode="energy").elf) as board:
        talk(board)
        for command in load_commands(INPUT, 490):
            talk(board, f"{command}%")
        board.power.start()
        board.link.read(Deadline(0.1, board.link.clock))
        waiting = board.power.stop().joules / 1e-3
        board.power.start()
        talk(board, "infer 100000 0%")
        trace = board.power.stop()
        first, last = (int(at / 0.001) for at in trace.timestamps_s[-2:])
        working = trace.joules[first + 1 : last] / 1e-3
        stalled, worked = board.stalled_and_worked()  # hardly anything else has waited
        settings = board.power_settings()
    assert waiting == pytest.approx(1.8e-3 * current_ma(settings, Activity.POLL, 1.8), rel=1e-3)
    assert working.mean() == pytest.approx(1.8e-3 * current_ma(settings, Activity.RUN, 1.8, stalled / worked), rel=0.02)
    assert waiting.mean() < 0.9 * working.mean()


def test_each_activity_takes_its_own_current(tmp_path: Path) -> None:
    length = sum(len(part) for part in BOOST)
    sleep = [WFI, *branch_wide(START + 2 * (length + 1), START + 2 * length)]
    for program, activity in (([PARK], Activity.LOOP), (sleep, Activity.SLEEP), (ECHO, Activity.POLL)):
        watts, board = recorded(write_elf(tmp_path, *BOOST, program))
        with board:
            assert watts == pytest.approx(1.8e-3 * current_ma(board.power_settings(), activity, 1.8), rel=1e-3), activity


def test_a_change_of_the_clocks_shows_from_its_moment_on(tmp_path: Path) -> None:
    count = [0x3D01, 0xD1FD]  # subs r5, #1; bne to it
    slower = [*put(RCC + 0x4C, 0x1FF), *move_wide(5, 400_000), *count, PARK]
    watts, board = recorded(write_elf(tmp_path, *BOOST, move_wide(5, 3_000_000), count, slower), 0.15)
    with board:
        phases = board.power_phases(0.0)
        ports = current_ma(phases[-1][1], Activity.RUN, 1.8, 0.0) - current_ma(phases[-2][1], Activity.RUN, 1.8, 0.0)
        assert ports == pytest.approx(9 * 0.92 * 0.12)
        at = int((phases[-1][0] - 0.01) / 0.001)
        assert 0 < at < 130
        assert watts[at + 2] - watts[at - 2] == pytest.approx(1.8e-3 * ports, rel=1e-3)


@pytest.mark.parametrize(
    "program, says",
    [
        ([BOOST[0], put(PWR_CR5, 0x100), *BOOST[2:], [PARK]], "without boost"),
        ([*BOOST[:2], put(FLASH_ACR, 0x603), *BOOST[3:], [PARK]], "3 wait states"),
    ],
)
def test_clocks_that_the_chip_would_not_survive_have_no_energy(tmp_path: Path, program: list[list[int]], says: str) -> None:
    with pytest.raises(PowerError, match="no energy can be given") as error:
        recorded(write_elf(tmp_path, *program))
    assert says in (error.value.why or "")


def test_deep_sleep_has_no_energy(tmp_path: Path) -> None:
    start = [*BOOST, put(SCR, 4)]
    length = sum(len(part) for part in start)
    with pytest.raises(PowerError, match="Stop, Standby or Shutdown"):
        recorded(write_elf(tmp_path, *start, [WFI, *branch_wide(START + 2 * (length + 1), START + 2 * length)]))


def test_more_changes_than_are_kept_have_no_energy(tmp_path: Path) -> None:
    body = [*put(RCC + 0x4C, 1), 0x2600, store(6, 7)]
    length = sum(len(part) for part in BOOST) + len(body)
    loop = [*body, *branch_wide(START + 2 * length, START + 2 * (length - len(body)))]
    with pytest.raises(PowerError, match="more than 65536 changes of clocks and power"):
        recorded(write_elf(tmp_path, *BOOST, loop), 0.5)
