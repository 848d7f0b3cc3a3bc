# SPDX-License-Identifier: Apache-2.0
"""What silicon would not run: each rule broken on purpose, and the right order next to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from virtual_board_programs import GPIOG, LPUART1, PARK, PWR, RCC, UART_CLOCKS, UART_PINS, load, move_wide, stores, write_elf

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.boards import default_board
from cm4tiny.boards.virtual.build import native_library
from cm4tiny.boards.virtual.native import load_library
from cm4tiny.boards.virtual.peripheral_map import regions
from cm4tiny.boards.virtual.silicon import clock_gates, pin_functions, register_label, rules
from cm4tiny.deadline import Deadline
from cm4tiny.errors import SiliconRuleError

CHIP = default_board().chip
CR, CFGR, PLLCFGR, CCIPR, BDCR, CRRCR, ACR = RCC, RCC + 8, RCC + 0xC, RCC + 0x88, RCC + 0x90, RCC + 0x98, 0x40022000
TIM2, DMA1, SAI1, RNG = 0x40000000, 0x40020000, 0x40015400, 0x50060800
PWR_ON = (RCC + 0x58, 1 << 28)
HSI, PLL, REN = 1 << 8, 1 << 24, 1 << 24
FIT = 2 | 1 << 4 | 30 << 8  # HSI16 / 2 * 30 / 2
Step = tuple[int, int] | list[int]


def wait_for(address: int, bit: int) -> list[int]:
    """Polls until the bit is 1: ldr, lsls, bpl."""
    return [*move_wide(1, address), load(2, 1), 31 - bit << 6 | 2 << 3 | 2, 0xD5FC]


def wait_clear(address: int, bit: int) -> list[int]:
    return [*move_wide(1, address), load(2, 1), 31 - bit << 6 | 2 << 3 | 2, 0xD4FC]


def delay(rounds: int) -> list[int]:
    return [*move_wide(3, rounds), 0x3B01, 0xD1FD]


def look_at(address: int) -> list[int]:
    return [*move_wide(1, address), load(2, 1)]


def wait_states(acr: int) -> list[Step]:
    return [(ACR, acr), look_at(ACR)]


HSI_READY: list[Step] = [(CR, 0x63 | HSI), wait_for(CR, 10)]
PLL_READY: list[Step] = [*HSI_READY, (PLLCFGR, FIT), (CR, 0x63 | HSI | PLL), wait_for(CR, 25), (PLLCFGR, FIT | REN)]
BOOST: list[Step] = [PWR_ON, (PWR + 0x80, 0)]
FAST: list[Step] = [*BOOST, *wait_states(0x605), *PLL_READY, (CFGR, 0x80), (CFGR, 0x83), wait_for(CFGR, 3), delay(60), (CFGR, 3)]
UART: list[Step] = [*UART_CLOCKS, *UART_PINS, (LPUART1 + 0xC, 0x22B9)]
UART_ON: list[Step] = [*UART, (LPUART1, 1), (LPUART1, 0xD)]
DMA: list[Step] = [(RCC + 0x48, 0x107), (DMA1 + 0xC, 4), (DMA1 + 8, 1)]

BREAKS: dict[str, list[Step]] = {
    "clock-off": [(0x48000400, 0)],
    "backup-protected": [(BDCR, 1)],
    "oscillator-in-use": [(CR, 0x62)],
    "msi-range": [*HSI_READY, (CFGR, 1), (CR, 0x62 | HSI), (CR, 0x63 | HSI), (CR, 0x7B | HSI)],
    "ready-unread": [(CR, 0x63 | HSI), delay(100), (CFGR, 1)],
    "pll-running": [*PLL_READY, (PLLCFGR, FIT + (1 << 8) | REN)],
    "pll-source": [(PLLCFGR, FIT), (CR, 0x63 | PLL)],
    "pll-input": [(PLLCFGR, 1 | 1 << 4 | 60 << 8), (CR, 0x63 | PLL)],
    "pll-vco": [*HSI_READY, (PLLCFGR, 2 | 1 << 4 | 50 << 8), (CR, 0x63 | HSI | PLL)],
    "pll-output": [*HSI_READY, (PLLCFGR, 2 | 1 << 4 | 40 << 8 | REN), (CR, 0x63 | HSI | PLL)],
    "sysclk-source": [(CFGR, 1)],
    "sysclk-pll-output": [*PLL_READY, (PLLCFGR, FIT), (CFGR, 0x83)],
    "flash-latency": [*BOOST, *PLL_READY, (ACR, 0x601), (CFGR, 0x83)],
    "flash-latency-unread": [*BOOST, look_at(ACR), (ACR, 0x605), *PLL_READY, (CFGR, 0x83)],
    "flash-cache-reset": [(ACR, 0xE00)],
    "flash-cache-held": [(ACR, 0), (ACR, 0x1000), (ACR, 0x1600)],
    "flash-power-locked": [(ACR, 0x2600)],
    "flash-clock": [(RCC + 0x48, 0)],
    "range-reserved": [PWR_ON, (PWR, 0)],
    "range-2-too-fast": [PWR_ON, (PWR, 0x400), *wait_states(0x605), (CR, 0xBB)],
    "boost-missing": [*wait_states(0x605), *PLL_READY, (CFGR, 0x83), delay(60), (CFGR, 3)],
    "range-settling": [PWR_ON, (PWR, 0x400), *wait_states(0x605), (PWR, 0x200), (CR, 0xBB)],
    "ahb-step": [*BOOST, *wait_states(0x605), *PLL_READY, (CFGR, 3)],
    "io-supply": [(RCC + 0x4C, 1 << 6), (GPIOG, 0xFFFFFF7F & ~(3 << 6) | 1 << 6)],
    "uart-tx-pin": [*UART_CLOCKS, (PWR + 4, 1 << 9), (LPUART1 + 0xC, 0x22B9), (LPUART1, 0xD), (LPUART1 + 0x28, 10)],
    "uart-rx-pin": [*UART, (GPIOG, 0xFFFFBFFF), (LPUART1, 0xD), [*move_wide(1, LPUART1), load(2, 1, 0x1C), 0xE7FD]],
    "uart-enabled": [*UART_ON, (LPUART1 + 0xC, 0x22BA)],
    "uart-clock": [*UART, (CCIPR, 2 << 10), (LPUART1, 1)],
    "uart-divider": [*UART, (LPUART1 + 0xC, 0x200), (LPUART1, 1)],
    "uart-baud": [*UART, (LPUART1 + 0xC, 0x2000), (LPUART1, 1)],
    "uart-disabled": [*UART, (LPUART1, 1), (LPUART1 + 0x28, 10)],
    "uart-full": [*UART_ON, (LPUART1 + 0x28, 10), (LPUART1 + 0x28, 10), (LPUART1 + 0x28, 10)],
    "timer-prescaler": [(RCC + 0x58, 1), (TIM2 + 0x28, 119), (TIM2, 1)],
    "dma-enabled": [*DMA, (DMA1 + 0xC, 5)],
    "sai-enabled": [(RCC + 0x60, 1 << 21), (SAI1 + 4, 1 << 16 | 0x81), (SAI1 + 4, 1 << 16 | 0x61)],
    "rng-clock": [(RCC + 0x4C, 1 << 18), (RNG, 4)],
    "rng-not-ready": [(CRRCR, 1), wait_for(CRRCR, 1), (RCC + 0x4C, 1 << 18), (RNG, 4), [*move_wide(1, RNG), load(2, 1, 8)]],
}  # fmt: skip

RIGHT: dict[str, list[Step]] = {
    "120 MHz from HSI16 by the PLL": FAST,
    "and back by half the clock": [*FAST, (CFGR, 0x83), (CFGR, 0x80), wait_clear(CFGR, 3), (CFGR, 0), (ACR, 0x600), (CR, 0x63 | HSI)],
    "range 2 up to 26 MHz": [PWR_ON, *wait_states(0x602), (PWR, 0x400), (CR, 0x9B)],
    "range 1 again": [PWR_ON, *wait_states(0x605), (PWR, 0x400), (PWR, 0x200), wait_clear(PWR + 0x14, 10), (CR, 0xBB)],
    "a UART that sends": [*UART_ON, (LPUART1 + 0x28, 10)],
    "two bytes, one of them in the shifter": [*UART_ON, (LPUART1 + 0x28, 10), (LPUART1 + 0x28, 10)],
    "eight bytes and one in a FIFO": [*UART, (LPUART1, 1 << 29 | 0xD), *[(LPUART1 + 0x28, 10)] * 9],
    "a UART that is set up again": [*UART_ON, (LPUART1, 0), (LPUART1 + 0xC, 0x22BA), (LPUART1, 0xD)],
    "a timer with its prescaler": [(RCC + 0x58, 1), (TIM2 + 0x28, 119), (TIM2 + 0x14, 1), (TIM2, 1)],
    "caches that are off are reset": [(ACR, 0), (ACR, 0x1800), (ACR, 0), (ACR, 0x600)],
    "a DMA channel that is set up again": [*DMA, (DMA1 + 8, 0), (DMA1 + 0xC, 5), (DMA1 + 8, 1)],
    "a random number": [(CRRCR, 1), wait_for(CRRCR, 1), (RCC + 0x4C, 1 << 18), (RNG, 4), wait_for(RNG + 4, 0), [load(2, 1, 4)]],
    "the backup domain, opened": [PWR_ON, (PWR, 0x300), (BDCR, 1)],
}  # fmt: skip


def program(folder: Path, steps: list[Step]) -> Path:
    code: list[int] = []
    for step in steps:
        code += stores(step) if isinstance(step, tuple) else step
    return write_elf(folder, *code, PARK)


def run(elf: Path, *, strict: bool = True, said: bytes = b"") -> VirtualBoard:
    board = VirtualBoard(elf, strict=strict, baud=115200)
    try:
        board.link.write(said)
        board.link.read(Deadline(0.02, board.link.clock))
        board.link.read(Deadline(0.02, board.link.clock))
    except BaseException:
        board.close()
        raise
    return board


@pytest.mark.parametrize("rule", sorted(BREAKS))
def test_a_broken_rule_ends_the_run_and_says_what_the_manual_says(tmp_path: Path, rule: str) -> None:
    elf = program(tmp_path, BREAKS[rule])
    with pytest.raises(SiliconRuleError) as caught:
        run(elf, said=b"x%").close()
    row, error = rules()[rule], caught.value
    assert error.broken.rule == rule  # type: ignore[attr-defined]
    assert row.section in error.why and " PC 0x0800" in error.why
    assert error.hint.startswith(row.hint.partition("{")[0]) and "--no_strict" in error.hint and "strict=False" in error.hint
    assert "{" not in str(error)


@pytest.mark.parametrize("rule", sorted(BREAKS))
def test_without_strictness_it_is_a_note(tmp_path: Path, rule: str) -> None:
    with run(program(tmp_path, BREAKS[rule]), strict=False, said=b"x%") as board:
        statistics = board.statistics()
    assert statistics.strict is False
    assert any(f"rule {rule} (" in note for note in statistics.notes), statistics.notes


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_the_right_order_passes(tmp_path: Path, name: str) -> None:
    with run(program(tmp_path, RIGHT[name])) as board:
        assert board.statistics().notes[:-1] == () or all("endless loop" in note for note in board.statistics().notes)
        assert board.statistics().strict is True


def test_every_rule_of_the_code_has_its_row_and_its_test() -> None:
    library = load_library(native_library())
    names = []
    while name := library.cm4_rule_name(len(names) + 1).decode():
        names.append(name)
    assert sorted(names) == sorted(rules()) == sorted(BREAKS)


def test_every_peripheral_with_a_clock_is_gated_by_it(tmp_path: Path) -> None:
    """A read of each gives the rule while the clock is off, and none while it is on."""
    gated = {base: enable for base, _, enable, _ in clock_gates(CHIP)}
    assert len(gated) > 50 and all(region.base in gated for region in regions() if region.enable)
    for base, _, enable, mask in clock_gates(CHIP):
        if base >= 0xA000_0000:
            continue  # of memory that this board does not have: a fault
        look = [*move_wide(1, base), load(2, 1)]
        off = [(RCC + enable, 0x100 if enable == 0x48 else 0)]
        with run(program(tmp_path, [*off, look]), strict=False) as board:
            assert any("rule clock-off" in note for note in board.statistics().notes), hex(base)
        with run(program(tmp_path, [(RCC + enable, mask | (0x100 if enable == 0x48 else 0)), look]), strict=False) as board:
            assert not any("rule clock-off" in note for note in board.statistics().notes), hex(base)


def test_a_peripheral_without_its_clock_reads_zero_and_ignores_writes(tmp_path: Path) -> None:
    with run(program(tmp_path, [(TIM2 + 0x2C, 5)]), strict=False) as board:
        assert board.peek(TIM2 + 0x2C) == 0xFFFF_FFFF


def test_a_timer_stands_while_its_clock_is_off(tmp_path: Path) -> None:
    steps: list[Step] = [(RCC + 0x58, 1), (TIM2, 1), delay(100), (RCC + 0x58, 0), delay(5000)]
    with run(program(tmp_path, steps), strict=False) as board:
        assert 300 < board.peek(TIM2 + 0x24) < 600  # cycles of the first delay, at three a round


def test_the_switch_to_a_clock_that_is_not_ready_waits_for_it(tmp_path: Path) -> None:
    steps: list[Step] = [(CR, 0x63 | HSI), (CFGR, 1), delay(100)]
    with run(program(tmp_path, steps), strict=False) as board:
        _, second = board.guard.machine.clock_changes()
        assert second.hclk_hz == 16_000_000
        assert second.time_ps >= 5_000_000  # HSI16 takes 5 us
    with run(program(tmp_path, [(CFGR, 1)]), strict=False) as board:
        assert board.peek(CFGR) & 0xC == 0  # for ever on MSI


def test_flash_that_is_switched_off_with_its_key_is_named_as_not_modelled(tmp_path: Path) -> None:
    with run(program(tmp_path, [(ACR + 4, 0x04152637), (ACR + 4, 0xFAFBFCFD), (ACR, 0x2600)])) as board:
        assert any("RUN_PD" in note for note in board.statistics().notes), board.statistics().notes
        assert board.peek(ACR) == 0x2600


def test_option_bytes_keep_their_values(tmp_path: Path) -> None:
    with run(program(tmp_path, [(ACR + 0x20, 0)])) as board:
        assert any("option bytes" in note for note in board.statistics().notes), board.statistics().notes
        assert board.peek(ACR + 0x20) >> 22 & 1 == 1  # DBANK


def test_a_reset_ends_the_error_and_the_rule_is_found_again(tmp_path: Path) -> None:
    elf = program(tmp_path, BREAKS["sysclk-source"])
    with VirtualBoard(elf) as board:
        for _ in range(2):
            for _ in range(2):
                with pytest.raises(SiliconRuleError, match="HSI16"):
                    board.link.read(Deadline(0.01, board.link.clock))
            board.reset()


def test_registers_have_their_names_in_messages() -> None:
    assert register_label(0x4000_7080) == "PWR_CR5"
    assert register_label(0x4000_8000) == "LPUART1_CR1"
    assert register_label(0x4800_1824) == "GPIOG_AFRH"
    assert register_label(0x4000_5400) == "I2C1+0x00"
    assert register_label(0x5800_0000) == "a reserved address"


def test_the_boards_own_cable_is_in_the_table_of_pins() -> None:
    lpuart, tx, rx, usart3 = 0, 1, 0, 3
    assert (lpuart, tx, 6 * 16 + 7, 8) in pin_functions(CHIP)
    assert (lpuart, rx, 6 * 16 + 8, 8) in pin_functions(CHIP)
    assert (usart3, tx, 3 * 16 + 8, 7) in pin_functions(CHIP)


@pytest.mark.parametrize("damage", [lambda steps: steps[:1] + steps[2:], lambda steps: [steps[1], steps[0], *steps[2:]]])
def test_an_order_that_looks_harmless_is_found(tmp_path: Path, damage: Callable[[list[Step]], list[Step]]) -> None:
    """120 MHz with the boost left out, or asked for before PWR has its clock."""
    with pytest.raises(SiliconRuleError):
        run(program(tmp_path, damage(FAST))).close()


def test_the_instruction_is_found_among_others_that_look_alike(tmp_path: Path) -> None:
    steps: list[Step] = [(RCC + 0x4C, 1), (RCC + 0x4C, 2), (0x48000400, 1), (0x48000800, 1)]
    with pytest.raises(SiliconRuleError) as caught:
        run(program(tmp_path, steps)).close()
    each = 2 * len(stores((0, 0)))
    assert f"at PC 0x{0x08000008 + 4 * each - 2:08x};" in caught.value.why
