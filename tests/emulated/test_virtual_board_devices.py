# SPDX-License-Identifier: Apache-2.0
"""Peripherals by interrupt and DMA, against the same small firmware as the exception model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from exception_programs import answer, build_exception_firmware, read_until, scenario
from virtual_board_programs import ECHO_LOOP, READY, UART_READY, load, move_wide, movs, store, stores, write_elf

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.commands import CommandProtocol
from cm4tiny.boards.virtual.peripheral_map import regions, register_name
from cm4tiny.deadline import Deadline
from cm4tiny.errors import LinkError, UsageError


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_exception_firmware(tmp_path_factory.mktemp("devices"))


def second_command(elf: Path, command: str, text: bytes, **options: object) -> bytes:
    """Starts a scenario that listens by itself, says something to it, returns what it then says."""
    with VirtualBoard(elf, **options) as board:  # type: ignore[arg-type]
        read_until(board, READY)
        board.link.write(command.encode() + b"%")
        read_until(board, b"listening\r\n" + READY)
        board.link.write(text)
        return read_until(board, READY)


# --- timers -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["it", "i8"])
def test_systick_counts_the_core_clock_or_an_eighth_of_it(elf: Path, command: str) -> None:
    assert scenario(elf, command) == [10]


def test_a_timer_counts_twice_its_divided_bus_clock(elf: Path) -> None:
    assert scenario(elf, "i5") == [10]  # APB1 /8: the timer runs at HCLK/4; 10 * 100 counts of 4 cycles


def test_looking_at_a_timer_does_not_slow_it_down(elf: Path) -> None:
    (counts,) = scenario(elf, "ip")
    assert 1000 <= counts <= 1001  # 100,000 cycles by 100


def test_one_pulse_mode_stops_and_the_compare_interrupts_on_the_way(elf: Path) -> None:
    assert scenario(elf, "i1") == [2, 0]


# --- UART ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("baud", [None, 115200])
def test_a_line_is_collected_by_the_receive_interrupt_while_the_core_sleeps(elf: Path, baud: int | None) -> None:
    assert second_command(elf, "iu", b"hello%", baud=baud).startswith(b"m-[hello 6 ]")


def test_a_main_loop_that_never_sleeps_is_told_its_commands_too(elf: Path) -> None:
    assert second_command(elf, "ib", b"hello%").startswith(b"m-[hello ]")


@pytest.mark.parametrize(("prompt", "waits_s"), [(READY, 0.0), (b"ready\r\n", 0.0), (b"", 1.0), (b"listening\r\n", 1.0)])
def test_a_main_loop_is_spoken_to_after_its_prompt_or_a_second_of_silence(elf: Path, prompt: bytes, waits_s: float) -> None:
    """Only the last line counts as a prompt."""
    with VirtualBoard(elf, commands=CommandProtocol(b"%", prompt)) as board:
        board.link.write(b"ib%")
        read_until(board, b"listening\r\n" + READY)
        begin_s = board.time_s
        board.link.write(b"hello%")
        assert b"hello" in read_until(board, READY)
        assert waits_s < board.time_s - begin_s < waits_s + 0.01


def test_a_line_without_a_terminator_passes_bytes_as_they_are_written(elf: Path) -> None:
    with VirtualBoard(elf, commands=None) as board:
        read_until(board, READY)  # by its polls
        for part in (b"iu", b"%", b"", b"he", b"llo%"):
            board.link.write(part)
        read_until(board, b"listening\r\n" + READY)
        assert b"hello" in read_until(board, READY)


@pytest.mark.parametrize("prompt", [b"17 bytes and more\n", b"m-ready"])
def test_a_prompt_is_the_end_of_a_line(prompt: bytes) -> None:
    with pytest.raises(UsageError, match="cannot be a prompt") as caught:
        CommandProtocol(b"%", prompt)
    assert caught.value.hint


def test_silence_of_a_listening_firmware_costs_no_host_time(elf: Path) -> None:
    with VirtualBoard(elf) as board:
        read_until(board, READY)
        board.link.write(b"ib%")
        read_until(board, b"listening\r\n" + READY)
        before = board.statistics().skipped_cycles
        assert board.link.read(Deadline(1.0, board.link.clock)) == b""
        assert board.statistics().skipped_cycles - before > 3_900_000  # of 4,000,000


def test_an_interrupt_whose_cause_stays_comes_again(elf: Path) -> None:
    assert scenario(elf, "il") == [5]  # until the handler takes the cause away


def test_the_end_of_a_transmission_asks_until_it_is_cleared(elf: Path) -> None:
    with VirtualBoard(elf, baud=115200) as board:
        read_until(board, READY)
        assert answer(board, "ic") == [0, 1, 0, 0]  # flag cleared; pending; no longer pending, flag cleared


def test_a_buffer_is_sent_by_dma(elf: Path) -> None:
    with VirtualBoard(elf, baud=115200) as board:
        read_until(board, READY)
        board.link.write(b"dt%")
        before = board.time_s
        text = read_until(board, READY)
        took_s = board.time_s - before
    assert b"sent by DMA\r\n" in text
    assert text.partition(b"DMA\r\n")[2].split()[:2] == [b"7", b"0"]  # complete, half, global; nothing left
    assert took_s > 13 * 10 / 115200


def test_bytes_are_received_into_a_ring_by_dma(elf: Path) -> None:
    first, last, left, flags = second_command(elf, "dr", b"abc%").partition(b"[")[2].split()[:4]
    assert (int(first, 16), int(last, 16), int(left, 16)) == (ord("a"), ord("%"), 4)
    assert int(flags, 16) == 5  # half of eight


def lpuart_at(brr: int, source: int) -> list[object]:
    """Echo firmware that sets BRR and the kernel clock of LPUART1."""
    clock = stores((0x40021000, 0x163), (0x40021088, source << 10))
    wait = [*move_wide(1, 0x40021000), load(2, 1), 0x0552, 0xD5FC]  # lsls r2, #21; bpl: HSI is not ready
    return [*UART_READY, *clock, *wait, *stores((0x4000800C, brr)), *ECHO_LOOP]


@pytest.mark.parametrize(
    ("brr", "source", "baud"),
    [(256 * 16_000_000 // 9600, 2, 9600), (256 * 4_000_000 // 115200, 0, 115200), (256 * 16_000_000 // 921600, 2, 921600)],
)
def test_bytes_take_the_time_that_the_registers_give_them(tmp_path: Path, brr: int, source: int, baud: int) -> None:
    elf = write_elf(tmp_path, *lpuart_at(brr, source))
    with VirtualBoard(elf, baud=baud) as board:
        board.link.write(b"x" * 99 + b"%")
        output, before = b"", board.time_s
        while len(output) < 100:
            output += board.link.read(Deadline(1.0, board.link.clock))
        assert board.time_s - before == pytest.approx(100 * 10 / baud, rel=0.015, abs=4e-4)  # and what the program does before and after


def test_a_host_with_another_baud_rate_is_told_so(tmp_path: Path) -> None:
    elf = write_elf(tmp_path, *lpuart_at(256 * 16_000_000 // 9600, 2))
    with VirtualBoard(elf, baud=115200) as board:
        board.link.write(b"x%")
        with pytest.raises(LinkError, match="sends at 9600 baud") as caught:
            board.link.read(Deadline(1.0, board.link.clock))
        assert "baud rate" in caught.value.hint


# --- DMA, audio, units --------------------------------------------------------------------------------------------------------------


def test_dma_copies_memory_and_reports_an_address_it_cannot_write(elf: Path) -> None:
    assert scenario(elf, "dm") == [ord("s"), ord("t"), 0, 7]
    assert scenario(elf, "de")[0] & 8


def test_audio_comes_in_as_stereo_frames_by_dma(elf: Path) -> None:
    samples = np.arange(1, 65, dtype=np.int16) * 100
    with VirtualBoard(elf) as board:
        read_until(board, READY)
        board.link.write(b"da%")
        read_until(board, b"listening\r\n")
        before = board.time_s
        board.play(samples, 16000)
        numbers = [int(word, 16) for word in read_until(board, READY).partition(b"]")[0].split()]
        assert numbers == [100, 100, 3200, 3200]
        assert board.time_s - before == pytest.approx(32 / 16000, abs=3e-4)


def test_the_checksum_unit_computes_crc_32(elf: Path) -> None:
    assert scenario(elf, "dc") == [0xCBF43926, 0x0376E6E7]  # with and without reversed bits, of "123456789"


def test_random_numbers_differ_and_are_the_same_in_each_run(elf: Path) -> None:
    assert scenario(elf, "dn") == [1]


def test_bit_band_aliases_reach_single_bits(elf: Path) -> None:
    assert scenario(elf, "db") == [0x20, 1, 0]


def test_the_power_supply_answers_that_it_is_good(elf: Path) -> None:
    assert scenario(elf, "ds") == [0, 1]


def test_a_port_without_its_clock_hears_nothing_and_that_is_noted(elf: Path) -> None:
    with VirtualBoard(elf, strict=False) as board:
        read_until(board, READY)
        assert answer(board, "dg") == [0, 1]
        assert [note for note in board.statistics().notes if "GPIOF_ODR was used while its clock is off" in note]
        ((on, level),) = board.pin_changes("F", 0)
        assert level == 1 and on > 0
    with VirtualBoard(elf) as board, pytest.raises(UsageError, match="no pin PX99"):
        board.pin_changes("X", 99)


def test_the_factory_values_say_who_the_chip_is(elf: Path) -> None:
    assert scenario(elf, "di") == [1, 2048]


def test_an_unmodelled_register_is_reported_by_its_name(elf: Path) -> None:
    with VirtualBoard(elf) as board:
        read_until(board, READY)
        answer(board, "du")
        notes = board.statistics().notes
    assert len(notes) == 2
    assert "read of I2C1+0x00 (0x40005400)" in notes[0]
    assert "write to I2C1+0x04 (0x40005404)" in notes[1]


def test_the_peripheral_map_has_no_overlaps_and_knows_reserved_addresses() -> None:
    assert len(regions()) > 60
    assert register_name(0x4000_8010) == "LPUART1+0x10"
    assert register_name(0x5800_0000) == "a reserved address"


# --- determinism --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_interrupt_driven_firmware_counts_the_same_whatever_the_size_of_the_writes(elf: Path, chunk: int) -> None:
    def cycles(size: int) -> int:
        with VirtualBoard(elf) as board:
            read_until(board, READY)
            board.link.write(b"ib%")
            read_until(board, b"listening\r\n" + READY)
            text = b"a longer line%"
            for start in range(0, len(text), size):
                board.link.write(text[start : start + size])
            read_until(board, READY)
            return board.cycles

    assert cycles(chunk) == cycles(50)


def test_idle_firmware_with_a_running_systick_lets_time_pass_cheaply(tmp_path: Path) -> None:
    # SysTick every 4000 cycles into a handler that returns; main program: b .
    handler = [0x4770]
    start = [*move_wide(0, 0xE000E014), *move_wide(1, 3999), store(1, 0), movs(1, 7), *move_wide(0, 0xE000E010), store(1, 0), 0xE7FE]
    vectors = [0] * 2 * 14
    body = [*vectors, *start, *handler]
    elf = write_elf(tmp_path, *body)
    data = bytearray(elf.read_bytes())
    at = data.index(b"\x00" * 50) - 8
    code = 0x0800_0008 + 2 * len(vectors)
    data[at + 4 : at + 8] = (code | 1).to_bytes(4, "little")
    data[at + 60 : at + 64] = (code + 2 * len(start) | 1).to_bytes(4, "little")
    elf.write_bytes(bytes(data))
    with VirtualBoard(elf) as board:
        assert board.link.read(Deadline(1.0, board.link.clock)) == b""
        statistics = board.statistics()
        assert board.time_s == pytest.approx(1.0)
    assert 995 <= statistics.exceptions <= 1001
    assert statistics.skipped_cycles > 3_900_000
