# SPDX-License-Identifier: Apache-2.0
"""The virtual board as a device: link, time, reset, faults, pins, determinism."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import virtual_board_programs as programs
from support.tiny_elf import EM_386, FLASH, RAM, VECTORS, Load, tiny_elf
from virtual_board_programs import ECHO, NOP, PARK, ask, build_test_firmware, load, move_wide, movs, numbers, store, write_elf

from cm4tiny.boards import VirtualBoard, energy_uj
from cm4tiny.boards.virtual import CycleModel
from cm4tiny.deadline import Deadline
from cm4tiny.errors import (
    BoardError,
    DeviceFaultError,
    FirmwareError,
    ImageTooLargeError,
    LinkError,
    UsageError,
    WrongTargetError,
)
from cm4tiny.events import Event, EventStream, Message

SHORT_PROFILE = CycleModel(profile_min=3_000_000, profile_max=12_000_000)


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_test_firmware(tmp_path_factory.mktemp("firmware"))


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    return write_elf(tmp_path, *ECHO)


def in_a_second(board: VirtualBoard) -> Deadline:
    return Deadline(1.0, board.link.clock)


# --- link and time ------------------------------------------------------------------------------------------------------------------


def test_a_command_comes_back_from_an_echo(echo: Path) -> None:
    with VirtualBoard(echo) as board:
        board.link.write(b"hello%")
        assert board.link.read(in_a_second(board)) == b"hello%"


def test_an_unterminated_rest_is_let_go_when_the_board_would_wait(echo: Path) -> None:
    with VirtualBoard(echo) as board:
        board.link.write(b"no end")
        assert board.link.read(in_a_second(board)) == b"no end"


def test_an_idle_board_lets_virtual_time_run_to_the_deadline_at_once(echo: Path) -> None:
    with VirtualBoard(echo) as board:
        before = board.time_s
        assert board.link.read(Deadline(3600.0, board.link.clock)) == b""
        assert board.time_s - before == pytest.approx(3600.0)
        assert board.cycles == pytest.approx(3600 * 4_000_000, rel=1e-6)
        assert board.statistics().skipped_cycles > 3599 * 4_000_000


def test_virtual_time_stands_still_while_nobody_reads(echo: Path) -> None:
    with VirtualBoard(echo) as board:
        board.link.read(in_a_second(board))
        before = board.cycles
        board.link.write(b"hello%")
        assert board.cycles == before


def test_a_board_that_works_in_silence_uses_up_the_deadline(tmp_path: Path) -> None:
    endless = write_elf(tmp_path, NOP, 0xE7FD)  # nop; b back
    with VirtualBoard(endless) as board:
        assert board.link.read(Deadline(0.01, board.link.clock)) == b""
        assert board.time_s == pytest.approx(0.01, abs=1e-5)
        assert board.statistics().skipped_cycles == 0


def test_firmware_that_sleeps_without_a_wake_up_call_sleeps_for_ever(tmp_path: Path) -> None:
    sleeper = write_elf(tmp_path, *ECHO[:6], programs.WFI, *ECHO[6:8], 0xD5FB, *ECHO[9:11], 0xE7F8)
    with VirtualBoard(sleeper) as board:
        board.link.write(b"up%")
        assert board.link.read(in_a_second(board)) == b""
        assert board.time_s == pytest.approx(1.0)
        assert any("endless loop" in note for note in board.statistics().notes)


def test_bytes_take_ten_bit_times_when_a_baud_rate_is_given(echo: Path) -> None:
    def seconds(baud: int | None) -> float:
        with VirtualBoard(echo, baud=baud) as board:
            board.link.write(b"x" * 99 + b"%")
            output, before = b"", board.time_s
            while len(output) < 100:
                output += board.link.read(in_a_second(board))
            return board.time_s - before

    assert seconds(115200) == pytest.approx(100 * 10 / 115200, rel=0.05)
    assert seconds(None) < 0.007


def test_closed_boards_and_links_say_so(echo: Path) -> None:
    board = VirtualBoard(echo)
    board.close()
    board.close()
    with pytest.raises(LinkError, match="is closed"):
        board.link.write(b"x")


def test_time_adds_up_over_a_clock_switch(firmware: Path) -> None:
    with VirtualBoard(firmware) as board:
        ask(board, b"")
        changes = board.guard.machine.clock_changes()
        rates = [change.hclk_hz for change in changes]
        assert rates == [4_000_000, 60_000_000, 120_000_000]
        at = [change.ticks / 1000 for change in changes] + [board.guard.machine.ticks / 1000]
        spent = sum((at[i + 1] - at[i]) / rate for i, rate in enumerate(rates))
        assert board.time_s == pytest.approx(spent, rel=1e-6)


def test_timer_and_cycle_counter_agree_with_the_boards_cycles(firmware: Path) -> None:
    with VirtualBoard(firmware) as board:
        ask(board, b"")
        before = board.cycles
        cycles, micros, _ = numbers(ask(board, b"w%"))
        assert micros == pytest.approx(cycles / 120, abs=5)  # the first number is printed before the second is read
        assert board.cycles - before == pytest.approx(cycles, rel=0.001)
        _, micros, _ = numbers(ask(board, b"d%"))
        assert 1000 <= micros <= 1003


# --- reset --------------------------------------------------------------------------------------------------------------------------


def test_reset_starts_the_firmware_anew_while_time_goes_on(firmware: Path) -> None:
    with VirtualBoard(firmware) as board:
        ask(board, b"")
        before = board.time_s
        board.link.write(b"w%")
        board.reset()
        assert ask(board, b"") == b"m-ready\r\n"
        assert board.time_s > before
        assert board.statistics().resets == 2


def test_firmware_resets_itself(firmware: Path) -> None:
    with VirtualBoard(firmware) as board:
        ask(board, b"")
        assert ask(board, b"r%") == b"m-ready\r\n"
        assert board.statistics().resets == 2
        assert numbers(ask(board, b"x%"))[2] == 0


# --- faults -------------------------------------------------------------------------------------------------------------------------


def crash(elf: Path) -> DeviceFaultError:
    with VirtualBoard(elf) as board:
        with pytest.raises(DeviceFaultError) as caught:
            board.link.read(in_a_second(board))
        with pytest.raises(DeviceFaultError):  # and continues to say so
            board.link.read(in_a_second(board))
        return caught.value


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ([programs.BKPT], "BKPT"),
        ([programs.UDF], "invalid instruction"),
        ([programs.SVC], "SVC"),
        ([*move_wide(0, 0x90000000), load(1, 0)], "read of an address where nothing is: 0x90000000"),
        ([*move_wide(0, 0x90000000), store(1, 0)], "write to an address where nothing is: 0x90000000"),
        ([*move_wide(0, FLASH + 0x100), store(1, 0)], "write to flash at 0x08000100"),
        ([*move_wide(0, 0x60000001), 0x4700], "jump to an address where no code can be: 0x60000000"),
        ([0xEE30, 0x0A00, PARK], "while the FPU is off"),
    ],
)
def test_crashes_are_reported_with_their_cause(tmp_path: Path, program: list[int], message: str) -> None:
    error = crash(write_elf(tmp_path, *program))
    assert message in str(error)
    assert error.hint


def test_a_crash_names_program_counter_and_registers(tmp_path: Path) -> None:
    elf = write_elf(tmp_path, movs(4, 77), NOP, programs.BKPT)
    text = str(crash(elf))
    assert f"PC 0x{programs.START + 4:08x}" in text
    assert "r4=0x0000004d" in text


def test_a_crash_names_the_function(firmware: Path) -> None:
    with VirtualBoard(firmware, name="board 7") as board:
        ask(board, b"")
        board.link.write(b"c%")
        with pytest.raises(DeviceFaultError, match=r"on board 7 crashed.*0x90000000") as caught:
            ask(board, b"")
        assert "(crash" in caught.value.why or "(command" in caught.value.why or "(reset" in caught.value.why
        board.reset()
        ask(board, b"")


def test_the_fpu_may_be_used_once_it_is_on(tmp_path: Path) -> None:
    enable = [*move_wide(0, programs.CPACR), *move_wide(1, 0x00F00000), store(1, 0)]
    elf = write_elf(tmp_path, *enable, 0xEE30, 0x0A00, PARK)
    programs.run_parked(elf)


# --- things that are not modelled ---------------------------------------------------------------------------------------------------


def test_an_unmodelled_register_is_reported_once_by_its_address(firmware: Path) -> None:
    heard: list[Event] = []
    with VirtualBoard(firmware, events=EventStream(heard.append)) as board:
        ask(board, b"")
        ask(board, b"p%")
        ask(board, b"p%")
        notes = board.statistics().notes
    assert len([note for note in notes if "0x50000004" in note]) == 1
    assert len([note for note in notes if "write" in note and "0x50000000" in note]) == 1
    assert [event.text for event in heard if isinstance(event, Message)] == list(notes)


# --- pins and power -----------------------------------------------------------------------------------------------------------------


def test_falling_edges_of_the_time_stamp_pin_are_recorded(firmware: Path) -> None:
    with VirtualBoard(firmware) as board:
        ask(board, b"")
        before = board.time_s
        board.power.start()
        ask(board, b"g%")
        trace = board.power.stop()
    assert len(trace.timestamps_s) == 2
    first, second = trace.timestamps_s
    assert second - first == pytest.approx(500e-6, abs=5e-6)
    assert 0 < first < 1e-3
    assert board.closed and before > 0


def test_energy_follows_from_clock_settings_and_work(firmware: Path) -> None:
    with VirtualBoard(firmware) as board:
        ask(board, b"")
        board.power.start()
        before = board.cycles
        ask(board, b"w%")
        cycles = board.cycles - before
        trace = board.power.stop()
        board_settings = board.power_settings(), board.stalled_and_worked()
    assert board.power.simulated
    assert trace.sample_period_s == 0.001
    assert len(trace.joules) == int(cycles / 120e3)
    settings, (stalled, worked) = board_settings
    each = energy_uj(settings, 120_000, 1.8, stalled / worked) * 1e-6
    assert trace.joules[3] == pytest.approx(each, rel=0.01)
    assert trace.joules.sum() == pytest.approx(cycles / 120_000 * each, rel=0.05)


# --- determinism --------------------------------------------------------------------------------------------------------------------

COMMANDS = (b"x%", b"w%", b"i%", b"v%", b"v%", b"w%", b"d%")


def _fingerprint(firmware: Path, chunk: int | None, **options: object) -> tuple[object, ...]:
    """Everything that must not depend on how commands are written."""
    answers = []
    with VirtualBoard(firmware, model=SHORT_PROFILE, **options) as board:  # type: ignore[arg-type]
        ask(board, b"")
        for command in COMMANDS:
            for start in range(0, len(command), chunk or len(command)):
                board.link.write(command[start : start + (chunk or len(command))])
            answers.append((ask(board, b""), board.cycles))
        return (*answers, board.statistics())


@pytest.mark.parametrize("options", [{}, {"exact": True}, {"baud": 115200}])
def test_two_boards_count_the_same_whatever_the_size_of_the_writes(firmware: Path, options: dict[str, object]) -> None:
    whole = _fingerprint(firmware, None, **options)
    assert _fingerprint(firmware, None, **options) == whole
    assert _fingerprint(firmware, 1, **options) == whole


def test_commands_written_ahead_cost_the_same(firmware: Path) -> None:
    with VirtualBoard(firmware, model=SHORT_PROFILE) as board:
        board.link.write(b"".join(COMMANDS))
        ask(board, b"", answers=1 + len(COMMANDS))
        board.link.read(Deadline(1e-9, board.link.clock))
        ahead = board.statistics()
    with VirtualBoard(firmware, model=SHORT_PROFILE) as board:
        ask(board, b"")
        for command in COMMANDS:
            ask(board, command)
        board.link.read(Deadline(1e-9, board.link.clock))
        one_by_one = board.statistics()
    assert ahead.instructions == one_by_one.instructions


def test_boards_run_side_by_side_in_threads(firmware: Path) -> None:
    alone = _fingerprint(firmware, None)
    results: list[tuple[object, ...]] = []
    threads = [threading.Thread(target=lambda: results.append(_fingerprint(firmware, None))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [alone] * 3


# --- phases -------------------------------------------------------------------------------------------------------------------------


def test_means_after_profiling_count_what_the_exact_simulation_counts(firmware: Path) -> None:
    def cycles(exact: bool) -> int:
        with VirtualBoard(firmware, exact=exact, model=SHORT_PROFILE) as board:
            ask(board, b"")
            for _ in range(2):
                ask(board, b"w%")
            before = board.cycles
            for _ in range(3):
                ask(board, b"w%")
            assert board.statistics().profile_phases == 1
            assert (board.statistics().profiled_cycles < board.cycles) is not exact
            return board.cycles - before

    assert cycles(exact=False) == pytest.approx(cycles(exact=True), rel=0.002)


def test_work_that_was_never_profiled_is_profiled_when_it_comes(firmware: Path) -> None:
    with VirtualBoard(firmware, model=SHORT_PROFILE) as board:
        ask(board, b"")
        for _ in range(4):
            ask(board, b"d%" * 8, answers=8)  # only waiting: the first phase ends without work()
        assert board.statistics().profiled_cycles < board.cycles
        for _ in range(4):
            ask(board, b"w%")
        statistics = board.statistics()
        assert statistics.profile_phases == 2
    with VirtualBoard(firmware, exact=True) as board:
        ask(board, b"")
        for _ in range(4):
            ask(board, b"d%" * 8, answers=8)
        for _ in range(4):
            ask(board, b"w%")
        assert statistics.cycles == pytest.approx(board.cycles, rel=0.002)


def test_a_mean_of_few_cold_runs_is_not_trusted_for_long(firmware: Path) -> None:
    """Profiled in a few runs of which most missed, then run by the hundred thousand: the board goes back to profiling."""
    with VirtualBoard(firmware, model=SHORT_PROFILE) as board:
        ask(board, b"")
        ask(board, b"s%")
        for _ in range(4):
            ask(board, b"w%")
        assert board.statistics().profile_phases == 1
        for _ in range(8):
            ask(board, b"S%")
        assert board.statistics().profile_phases == 2
        corrected = numbers(ask(board, b"S%"))[0]
    with VirtualBoard(firmware, exact=True) as board:
        ask(board, b"")
        assert corrected == pytest.approx(numbers(ask(board, b"S%"))[0], rel=0.002)


def test_loads_in_conditional_instructions_give_the_same_results_in_both_phases(firmware: Path) -> None:
    expected = 50 * 3 + 50 * 5  # odd rounds: weights[1] + 1, even rounds: 5
    with VirtualBoard(firmware, model=SHORT_PROFILE) as board:
        ask(board, b"")
        assert numbers(ask(board, b"i%"))[2] == expected
        for _ in range(3):
            ask(board, b"w%")
        assert board.statistics().profiled_cycles < board.cycles
        assert numbers(ask(board, b"i%"))[2] == expected


# --- wrong use ----------------------------------------------------------------------------------------------------------------------


def test_an_elf_for_another_processor_or_chip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.elf"
    path.write_bytes(tiny_elf(machine=EM_386))
    with pytest.raises(WrongTargetError, match="another processor"):
        VirtualBoard(path)
    path.write_bytes(tiny_elf(Load(VECTORS, 0x10000)))
    with pytest.raises(WrongTargetError, match="linked for another chip"):
        VirtualBoard(path)
    path.write_bytes(tiny_elf(Load(VECTORS, FLASH), Load(bytes(700 * 1024), RAM)))
    with pytest.raises(ImageTooLargeError, match="does not fit into RAM"):
        VirtualBoard(path)
    with pytest.raises(FirmwareError, match="cannot be read"):
        VirtualBoard(tmp_path / "absent.elf")


def test_impossible_baud_rates_are_refused(echo: Path) -> None:
    with pytest.raises(UsageError, match="baud"):
        VirtualBoard(echo, baud=0)


def test_the_machine_in_python_is_refused_with_what_to_do_instead(echo: Path) -> None:
    for asked in ("auto", "native"):
        VirtualBoard(echo, backend=asked).close()
    with pytest.raises(UsageError, match="no backend 'python'") as caught:
        VirtualBoard(echo, backend="python")
    assert "one machine, in C" in caught.value.why and "get,tiny,board" in caught.value.hint


def test_memory_that_is_not_there_cannot_be_read(echo: Path) -> None:
    with VirtualBoard(echo) as board, pytest.raises(BoardError, match="is not memory of this chip"):
        board.read_memory(0x9000_0000, 4)


# --- power-on -----------------------------------------------------------------------------------------------------------------------


def test_ram_and_registers_hold_a_pattern_at_power_on_and_ram_survives_a_reset(tmp_path: Path) -> None:
    elf = write_elf(tmp_path, *move_wide(7, RAM + 64), store(3, 7), PARK)
    seen = []
    for _ in range(2):
        with VirtualBoard(elf) as board:
            whole = board.read_memory(RAM, 640 * 1024)
            assert len({whole[at : at + 8] for at in range(0, len(whole), 8)}) > 80_000  # hardly a word twice
            assert abs(sum(byte.bit_count() for byte in whole) / (8 * len(whole)) - 0.5) < 0.01
            board.link.read(in_a_second(board))
            assert board.read_memory(RAM + 64, 4) not in (bytes(4), whole[64:68])  # r3
            board.write_memory(RAM, b"kept")
            board.reset()
            board.link.read(in_a_second(board))
            assert board.read_memory(RAM, 4) == b"kept"
            seen.append((whole, board.read_memory(RAM, 1024)))
    assert seen[0] == seen[1]
