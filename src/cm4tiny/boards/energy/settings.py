# SPDX-License-Identifier: Apache-2.0
"""What the chip's current depends on, read from its registers: voltage range, supply, PLL, clocked blocks.

Sources: RM0432 sections 5.4 (PWR), 6.4 (RCC), 3.7.1 (FLASH_ACR); the board's description for the pins that switch an external SMPS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cm4tiny.boards.boards import BoardDescription, default_board
from cm4tiny.boards.energy.table import ClockEnable, current_table

PWR_CR1, PWR_CR5 = 0x4000_7000, 0x4000_7080
RCC_CR, RCC_CFGR = 0x4002_1000, 0x4002_1008
FLASH_ACR = 0x4002_2000
_MODER, _ODR = 0x00, 0x14
_VOS_2, _R1MODE, _LPR = 2, 1 << 8, 1 << 14
_PORTS = "GPIO"


@dataclass(frozen=True)
class PowerSettings:
    """The chip's state, as far as its current depends on it.

    Attributes:
        hclk_mhz: the core's clock.
        range: ``"boost"``, ``"range_1"``, ``"range_2"``, or ``"smps"`` where an external SMPS feeds the core.
        pll: whether the PLL runs.
        bus_blocks: blocks that the AHB clocks.
        kernel_blocks: blocks whose own clock runs, each by its clock as a part of HCLK.
        apb1_divider: what HCLK is divided by for the UARTs' bus.
        clocked: names of the blocks, for labels; empty where they are not known one by one.
        refusal: why no current is known; empty where one is.
    """

    hclk_mhz: float
    range: str
    pll: bool
    bus_blocks: float
    kernel_blocks: float
    apb1_divider: int = 1
    clocked: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def words(self) -> str:
        """For labels: ``"LDO, boost, clocked: GPIO F G, LPUART1, TIM2"``."""
        supply = "external SMPS" if self.range == "smps" else f"LDO, {self.range.replace('_', ' ')}"
        ports = [name.removeprefix(_PORTS) for name in self.clocked if name.startswith(_PORTS)]
        others = [name for name in self.clocked if not name.startswith(_PORTS)]
        listed = ([f"{_PORTS} {' '.join(ports)}"] if ports else []) + others
        if not self.clocked:
            listed = [f"{self.bus_blocks:g} blocks on the bus, {self.kernel_blocks:g} with a clock of their own"]
        return f"{supply}, clocked: {', '.join(listed)}"


def settings_of(registers: Mapping[int, int], hclk_hz: float, board: BoardDescription | None = None) -> PowerSettings:
    """The settings that these registers mean.

    Args:
        registers: value by address; what is missing is 0.
        hclk_hz: the core's clock, which the board knows.
        board: whose pins may switch an external SMPS; None: the default board.
    """

    def get(address: int) -> int:
        return registers.get(address, 0)

    cfgr, hclk_mhz = get(RCC_CFGR), hclk_hz / 1e6
    dividers = {"": 1, "apb1": _apb_divider(cfgr >> 8 & 7), "apb2": _apb_divider(cfgr >> 11 & 7)}
    on = [block for block in current_table().blocks if get(block.register) >> block.bit & 1]
    kind = _range(get(PWR_CR1), get(PWR_CR5), _smps_driven(registers, board or default_board()))
    return PowerSettings(
        hclk_mhz,
        kind,
        bool(get(RCC_CR) >> 24 & 1),
        sum(block.kind == "bus" for block in on),
        sum(_share(block, dividers[block.divider]) for block in on if block.kind != "bus"),
        dividers["apb1"],
        tuple(block.name for block in on),
        _refusal(kind, hclk_mhz, get(FLASH_ACR) & 15, get(PWR_CR1)),
    )


def _apb_divider(bits: int) -> int:
    return 1 if bits < 4 else 1 << bits - 3


def _share(block: ClockEnable, divider: int) -> float:
    doubled = block.kind == "timer" and divider > 1  # RM0432 section 6.2.15
    return (2.0 if doubled else 1.0) / divider


def _smps_driven(registers: Mapping[int, int], board: BoardDescription) -> bool:
    """Whether the pins that enable an SMPS and connect it to the core are outputs and high."""
    if board.smps is None:
        return False
    for pin in (board.smps.enable, board.smps.switch):
        base = board.chip.peripheral(pin.port_name).base
        moder, odr = registers.get(base + _MODER, 0), registers.get(base + _ODR, 0)
        if moder >> 2 * pin.number & 3 != 1 or not odr >> pin.number & 1:
            return False
    return True


def _range(cr1: int, cr5: int, smps: bool) -> str:
    if (cr1 >> 9 & 3) != _VOS_2:
        return "range_1" if cr5 & _R1MODE else "boost"
    return "smps" if smps else "range_2"


def _refusal(kind: str, hclk_mhz: float, latency: int, cr1: int) -> str:
    limit = current_table().limits[kind]
    name = {"boost": "range 1 with boost", "range_1": "range 1 without boost", "range_2": "range 2", "smps": "the external SMPS"}[kind]
    if cr1 & _LPR and kind != "smps":  # behind an SMPS the regulator feeds nothing: ST's streaming images set it at 120 MHz
        return "the regulator is in low-power mode (PWR_CR1.LPR), for which no current is known; it allows 2 MHz"
    if hclk_mhz > limit.max_mhz:
        return f"HCLK is {hclk_mhz:g} MHz, and {name} allows {limit.max_mhz:g} MHz (RM0432 section 5.1.8): the chip would not run"
    allowed = limit.wait_states.get(latency, limit.max_mhz)
    if hclk_mhz > allowed:
        states = f"{latency} wait states are good for {allowed:g} MHz"
        return f"{states}, and HCLK is {hclk_mhz:g} MHz (RM0432 section 3.3.3): the chip would not run"
    return ""
