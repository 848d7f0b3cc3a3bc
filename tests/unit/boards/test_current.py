# SPDX-License-Identifier: Apache-2.0
"""Current from registers: what is read from them, what the chip would not survive, and that each constant has a source."""

from __future__ import annotations

import pytest

from cm4tiny.boards.energy import Activity, PowerSettings, current_ma, energy_uj, settings_of
from cm4tiny.boards.energy.table import current_table
from cm4tiny.errors import PowerError
from pages.energies import ports

CR1, CR5, ACR, CFGR, RCC_CR, PLLCFGR = 0x4000_7000, 0x4000_7080, 0x4002_2000, 0x4002_1008, 0x4002_1000, 0x4002_100C
BOOST = {RCC_CR: 1 << 24, CR1: 0x200, CR5: 0, ACR: 0x605}


def test_the_registers_of_an_own_image_are_read_whole() -> None:
    settings = ports()["cm4tiny"].settings
    assert settings.words == "LDO, boost, clocked: GPIO F G, TIM2, LPUART1"
    assert (settings.hclk_mhz, settings.pll, settings.bus_blocks, settings.kernel_blocks, settings.apb1_divider) == (120, True, 2, 2.0, 1)
    assert not settings.refusal


def test_a_divided_bus_makes_its_blocks_cheaper_and_doubles_timers() -> None:
    registers = BOOST | {CFGR: 0x3F0F, 0x4002_1058: 1 << 18 | 1 << 3}  # USART3 and TIM5, both APB at HCLK/16
    assert settings_of(registers, 120e6).kernel_blocks == pytest.approx(1 / 16 + 2 / 16)
    assert settings_of(registers | {CFGR: 0xF}, 120e6).kernel_blocks == 2.0


@pytest.mark.parametrize("register, bit", [(0x4002_104C, 6), (0x4002_1048, 12), (0x4002_105C, 0), (0x4002_1060, 14), (PLLCFGR, 20)])
def test_each_clocked_block_takes_current(register: int, bit: int) -> None:
    bare, more = settings_of(BOOST, 120e6), settings_of(BOOST | {register: 1 << bit}, 120e6)
    assert current_ma(more, Activity.RUN, 1.8) > current_ma(bare, Activity.RUN, 1.8)


def test_the_flash_and_registers_alone_are_not_counted() -> None:
    registers = BOOST | {0x4002_1048: 0x100, 0x4002_1058: 1 << 28, 0x4002_1060: 1}
    assert settings_of(registers, 120e6).clocked == ()


@pytest.mark.parametrize("moder, odr, kind", [(0x0440_0000, 0x2800, "smps"), (0x0440_0000, 0x0800, "range_2"), (0, 0x2800, "range_2")])
def test_an_external_smps_is_seen_by_its_pins(moder: int, odr: int, kind: str) -> None:
    registers = BOOST | {CR1: 0x400, 0x4800_1800: moder, 0x4800_1814: odr}
    settings = settings_of(registers, 24e6)
    assert settings.range == kind
    assert settings_of(registers | {CR1: 0x200}, 120e6).range == "boost"


def test_behind_an_smps_the_current_falls_with_the_voltage_and_the_power_does_not_change() -> None:
    settings = PowerSettings(120.0, "smps", True, 2, 0.0)
    powers = [volts * current_ma(settings, Activity.RUN, volts) for volts in (1.8, 3.0)]
    assert powers[0] == pytest.approx(powers[1])
    ldo = PowerSettings(120.0, "boost", True, 2, 0.0)
    assert current_ma(ldo, Activity.RUN, 1.8) == current_ma(ldo, Activity.RUN, 3.0)


@pytest.mark.parametrize(
    "changes, hclk_mhz, says",
    [
        ({CR5: 0x100}, 120, "range 1 without boost allows 80 MHz"),
        ({ACR: 0x604}, 120, "4 wait states are good for 100 MHz"),
        ({ACR: 0x600}, 48, "0 wait states are good for 20 MHz"),
        ({CR1: 0x400}, 48, "range 2 allows 26 MHz"),
        ({}, 121, "boost allows 120 MHz"),
        ({CR5: 0x100, ACR: 0x600}, 24, "0 wait states"),
        ({CR1: 0x400, ACR: 0x601}, 24, "1 wait states"),
        ({CR1: 0x4400, ACR: 0x600}, 2, "low-power mode"),
    ],
)
def test_settings_that_the_chip_would_not_survive_have_no_current(changes: dict[int, int], hclk_mhz: float, says: str) -> None:
    settings = settings_of(BOOST | changes, hclk_mhz * 1e6)
    assert says in settings.refusal
    with pytest.raises(PowerError, match="no energy can be given") as error:
        energy_uj(settings, 1e6, 1.8)
    assert says in (error.value.why or "") and error.value.hint


@pytest.mark.parametrize("hclk_mhz, latency, changes", [(120, 5, {}), (80, 3, {CR5: 0x100}), (26, 2, {CR1: 0x400}), (20, 0, {})])
def test_settings_at_their_limit_have_one(hclk_mhz: float, latency: int, changes: dict[int, int]) -> None:
    assert energy_uj(settings_of(BOOST | changes | {ACR: 0x600 | latency}, hclk_mhz * 1e6), 1e6, 1.8) > 0


def test_deep_sleep_has_no_figure() -> None:
    with pytest.raises(PowerError, match="Stop, Standby or Shutdown"):
        current_ma(settings_of(BOOST, 120e6), Activity.DEEP_SLEEP, 1.8)


def test_each_activity_takes_its_own_current() -> None:
    settings = ports()["st-v1.2"].settings
    current = {activity: current_ma(settings, activity, 1.8) for activity in Activity if activity is not Activity.DEEP_SLEEP}
    assert current[Activity.SLEEP] < current[Activity.POLL] < current[Activity.LOOP] < current[Activity.RUN]
    assert current[Activity.POLL] == pytest.approx(11.9, rel=0.03)  # while the published image prints
    assert current[Activity.LOOP] == pytest.approx(18.7, rel=0.03)  # its wait for a command, ad and kws
    mbed = ports()["mbed"].settings
    assert current_ma(mbed, Activity.POLL, 1.8) == pytest.approx(19.3, rel=0.1)
    slow = PowerSettings(24.0, "range_2", False, 0, 0.0)
    assert current_ma(slow, Activity.RUN, 1.8, 0.0) == pytest.approx(4.14, rel=0.05)


def test_energy_is_voltage_times_current_times_time() -> None:
    settings = settings_of(BOOST, 120e6)
    assert energy_uj(settings, 120e6, 1.8, 0.0) == pytest.approx(1.8 * current_ma(settings, Activity.RUN, 1.8, 0.0) * 1e3)


def test_the_table_has_every_constant_and_no_block_twice() -> None:
    table = current_table()
    names = [block.name for block in table.blocks]
    assert len(names) == len(set(names)) and len({(block.register, block.bit) for block in table.blocks}) == len(names)
    assert sorted(table.polling_less.values()) == [table.polling_less[divider] for divider in (1, 2, 4, 8, 16)]
