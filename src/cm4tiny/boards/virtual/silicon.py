# SPDX-License-Identifier: Apache-2.0
"""The rules of silicon: their table, what the C code is given of it, and a broken rule as a human-readable text.

The rules themselves are checked in C (``rules.c``, ``rcc.c`` and the peripherals), at the access; text, manual section and hint stand in
``silicon.yaml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import capstone

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.boards.chips import ChipDescription
from cm4tiny.boards.virtual.peripheral_map import enable_name, region_at, regions
from cm4tiny.boards.virtual.peripheral_rows import uart_order
from cm4tiny.errors import BoardError, SiliconRuleError

if TYPE_CHECKING:
    from cm4tiny.boards.virtual.loader import LoadedElf

_FOLDER = Path(__file__).resolve().parent
_REGISTERS = 15
_MOST_BLOCK_BYTES = 65536
_COMMON = ("GPIO", "USART", "TIM", "CRC")
"""Peripherals whose registers are the same in all series."""
_OF_THE_L4 = "as on an STM32L4+, "
_WITH_CLOCK = ("ready-unread", "pll-source", "sysclk-source")


@dataclass(frozen=True)
class SiliconRule:
    """One row of ``silicon.yaml``.

    Attributes:
        severity: ``"refused"``: the chip does something else than the firmware means; ``"fragile"``: luck decides.
    """

    id: str
    text: str
    section: str
    severity: str
    hint: str


@dataclass(frozen=True)
class BrokenRule:
    """A rule that firmware broke, with the access that did it.

    Attributes:
        address, value: the register, and what was written to it (0 for a read).
        detail, limit: what the rule measures, and what it may be; see the rule's text.
        block, block_bytes: the basic block of the access.
        registers: r0 to r12, SP and LR at the access.
        hclk_hz: the core's clock then.
    """

    rule: str
    address: int
    value: int
    detail: int
    limit: int
    is_store: bool
    block: int
    block_bytes: bytes
    registers: tuple[int, ...]
    hclk_hz: int


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    return load_table(_FOLDER / "silicon.yaml", _FOLDER / "silicon.schema.json")


@lru_cache(maxsize=1)
def rules() -> Mapping[str, SiliconRule]:
    """All rules by their id."""
    return {row["id"]: SiliconRule(**row) for row in _table()["rules"]}


def checked(value: object) -> BrokenRule:
    """The value, which another process sent: not trusted, as firmware may have taken that process over.

    Raises:
        BoardError: it is not a broken rule.
    """
    if isinstance(value, BrokenRule) and isinstance(value.rule, str) and value.rule in rules() and isinstance(value.registers, tuple):
        numbers = (value.address, value.value, value.detail, value.limit, value.block, value.hclk_hz, *value.registers)
        plain = isinstance(value.block_bytes, bytes) and len(value.block_bytes) <= _MOST_BLOCK_BYTES and isinstance(value.is_store, bool)
        if plain and len(value.registers) == _REGISTERS and all(type(n) is int and 0 <= n < 2**64 for n in numbers):
            return value
    raise malformed("a rule of silicon that the table does not hold")


def malformed(what: str) -> BoardError:
    """The error for an answer that the board's process would not give."""
    return BoardError(
        f"the process that emulates the board sent {what}",
        why="the firmware may have made the emulator write where it must not",
        hint="do not trust this run; report it with the firmware",
    )


def clock_gates(chip: ChipDescription) -> tuple[tuple[int, int, int, int], ...]:
    """(base, size, offset of RCC's enable register, mask of the bit) of every peripheral with a clock of its own."""
    return tuple((r.base, r.size, r.enable_offset, 1 << r.enable_bit) for r in regions(chip) if r.enable_offset)


def pin_functions(chip: ChipDescription) -> tuple[tuple[int, int, int, int], ...]:
    """(UART by the order of uart.c, 1 for its output, port * 16 + pin, alternate function)."""
    uarts = uart_order(chip)
    return tuple(
        (uarts.index(uart), int(end == "tx"), (ord(pin[0]) - ord("A")) * 16 + int(pin[1:]), function)
        for uart, ends in chip.uart_pins.items()
        if uart in uarts
        for end in ("tx", "rx")
        for pin, function in ends[end].items()
    )


@lru_cache(maxsize=1)
def _register_names() -> Mapping[str, Mapping[int, str]]:
    names: Mapping[str, Mapping[int, str]] = _table()["registers"]
    return names


def register_label(address: int, chip: ChipDescription | None = None) -> str:
    """``"PWR_CR1"``; ``"I2C1+0x18"`` where the register has no name in the table."""
    region = region_at(address, chip)
    if region is None:
        return "a reserved address"
    offset = (address - region.base) & ~3
    kind = next((k for k in _register_names() if region.name.startswith(k) or (k == "USART" and "UART" in region.name)), "")
    if chip is not None and chip.clock_tree is not None and kind not in _COMMON:
        kind = ""  # of another series: other registers at the same offsets
    name = _register_names().get(kind, {}).get(offset)
    return f"{region.name}_{name}" if name else f"{region.name}+0x{offset:02x}"


def rule_text(broken: BrokenRule, elf: LoadedElf) -> tuple[str, str, str]:
    """What happened, why (access, place, rule) and the hint."""
    rule, sources = rules()[broken.rule], _table()["sources"]
    frequency = broken.detail / 1e6
    words = {
        "register": register_label(broken.address, elf.chip),
        "enable": enable_name(broken.address, elf.chip),
        "value": broken.value,
        "detail": broken.detail,
        "limit": broken.limit,
        "mhz": f"{frequency:g}",
        "limit_mhz": f"{broken.limit / 1e6:g}",
        "hclk_mhz": f"{broken.hclk_hz / 1e6:g}",
        "clock": sources[min(broken.detail, len(sources) - 1)] if broken.rule in _WITH_CLOCK else "",
    }
    place = access_place(broken, elf)
    source = _OF_THE_L4 if elf.chip.clock_tree is not None else ""
    access = f"0x{broken.value:08x} was written to" if broken.is_store else "a read of"
    return (
        rule.text.format(**words),
        f"{access} {words['register']} (0x{broken.address:08x}) {place}; rule {rule.id} ({rule.severity}): {source}{rule.section}",
        rule.hint.format(**words),
    )


def rule_error(broken: BrokenRule, elf: LoadedElf, board: str) -> SiliconRuleError:
    """The error of strict mode; it carries the :class:`BrokenRule` as ``error.broken``."""
    what, why, hint = rule_text(broken, elf)
    error = SiliconRuleError(
        f"the chip would not run the firmware on {board}: {what}",
        why=why,
        hint=f"{hint}; to run it all the same, with a note: --no_strict, or VirtualBoard(elf, strict=False)",
    )
    error.broken = broken  # type: ignore[attr-defined]
    return error


def rule_note(broken: BrokenRule, elf: LoadedElf) -> str:
    """One line for a board that continues."""
    what, why, _ = rule_text(broken, elf)
    return f"the chip would not do this: {what}; {why}"


def access_place(broken: BrokenRule, elf: LoadedElf) -> str:
    """``"at PC 0x08000100 (clock_init+0x10)"``: the load or store of the block whose address fits; its start if none does."""
    found = _find_access(broken)
    address = broken.block if found is None else found
    function = elf.function_at(address)
    return f"{'near' if found is None else 'at'} PC 0x{address:08x}" + (f" ({function})" if function else "")


def _find_access(broken: BrokenRule) -> int | None:
    """The registers are those at the access; one that the block sets to a constant before an instruction has that value there."""
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    decoder.detail = True
    numbers = {code: i for i, code in enumerate(_capstone_registers())}
    constants: dict[int, int] = {}
    verb = "st" if broken.is_store else "ld"
    for instruction in decoder.disasm(broken.block_bytes, broken.block):
        for operand in instruction.operands if instruction.mnemonic.startswith(verb) else ():
            if operand.type != capstone.arm.ARM_OP_MEM or operand.mem.base not in numbers:
                continue
            address = constants.get(operand.mem.base, broken.registers[numbers[operand.mem.base]]) + operand.mem.disp
            if operand.mem.index in numbers:
                address += broken.registers[numbers[operand.mem.index]] << operand.shift.value
            if address & 0xFFFF_FFFC == broken.address & 0xFFFF_FFFC:
                return int(instruction.address)
        _follow(instruction, constants)
    return None


def _follow(instruction: Any, constants: dict[int, int]) -> None:
    """Keeps the constants up to date past one instruction."""
    immediate = next((operand.imm for operand in instruction.operands if operand.type == capstone.arm.ARM_OP_IMM), None)
    written = instruction.regs_access()[1]
    target = instruction.operands[0].reg if written and instruction.operands else 0
    if immediate is not None and instruction.mnemonic == "movt" and target in constants:
        constants[target] = constants[target] & 0xFFFF | immediate << 16
    elif immediate is not None and instruction.mnemonic.partition(".")[0] in ("mov", "movs", "movw"):
        constants[target] = immediate
    else:
        for register in written:
            constants.pop(register, None)


def _capstone_registers() -> tuple[int, ...]:
    arm = capstone.arm
    low = tuple(getattr(arm, f"ARM_REG_R{i}") for i in range(13))
    return (*low, arm.ARM_REG_SP, arm.ARM_REG_LR)
