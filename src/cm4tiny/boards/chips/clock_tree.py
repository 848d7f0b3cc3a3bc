# SPDX-License-Identifier: Apache-2.0
"""A chip's clock tree as data: oscillators, one PLL, the switch, prescalers, and what registers answer by themselves.

It says what follows from the registers, and not what silicon forbids: start-up times and limits are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.boards.description_files import refused

NOTHING, OWN_BUS, SYSTEM = "none", "PCLK", "SYSCLK"
"""Names that inputs may have besides those of oscillators and of the PLL: no clock, a peripheral's own bus, the system clock."""


@dataclass(frozen=True)
class Field:
    """Bits of a register of RCC: its offset, the lowest bit, how many."""

    offset: int
    bit: int
    width: int


@dataclass(frozen=True)
class Oscillator:
    """Its frequencies in hertz by the value of a field, or one."""

    name: str
    hz: tuple[int, ...]
    range: Field | None


@dataclass(frozen=True)
class Pll:
    """Output = input / (M + m_add) * (N + n_add) / ((R + r_add) * r_factor), each the value of a field."""

    name: str
    source: Field
    inputs: tuple[str, ...]
    m: Field
    n: Field
    r: Field
    m_add: int
    n_add: int
    r_add: int
    r_factor: int


@dataclass(frozen=True)
class ClockTree:
    """See the module.

    Attributes:
        system, system_inputs: the field that chooses the system clock, and what its values mean.
        core: prescalers from there to the core's clock.
        matrix: prescalers from there to HCLK, where that is another one.
        buses: prescaler of each bus, by its name.
        kernel_inputs: what the values of a UART's kernel clock field mean.
    """

    oscillators: tuple[Oscillator, ...]
    pll: Pll
    system: Field
    system_inputs: tuple[str, ...]
    core: tuple[Field, ...]
    matrix: tuple[Field, ...]
    buses: Mapping[str, Field]
    kernel_inputs: tuple[str, ...]


def clock_tree(path: Path, row: Mapping[str, Any] | None) -> ClockTree | None:
    """From a description's row, which a schema has checked.

    Raises:
        DescriptionError: an input is none of the clocks.
    """
    if row is None:
        return None
    oscillators = tuple(Oscillator(entry["name"], tuple(entry["hz"]), _field(entry.get("range"))) for entry in row["oscillators"])
    tree = ClockTree(
        oscillators,
        _pll(row["pll"]),
        Field(*row["system"]),
        tuple(row["system_inputs"]),
        tuple(Field(*entry) for entry in row["core"]),
        tuple(Field(*entry) for entry in row.get("matrix", ())),
        {name: Field(*entry) for name, entry in row["buses"].items()},
        tuple(row["kernel_inputs"]),
    )
    _check(path, tree)
    return tree


def _pll(row: Mapping[str, Any]) -> Pll:
    m, n, r = (Field(*row[name]) for name in ("m", "n", "r"))
    m_add, n_add, r_add = (int(row.get(name, 0)) for name in ("m_add", "n_add", "r_add"))
    return Pll(row["name"], Field(*row["source"]), tuple(row["inputs"]), m, n, r, m_add, n_add, r_add, int(row.get("r_factor", 1)))


def _field(entry: list[int] | None) -> Field | None:
    return None if entry is None else Field(*entry)


def _check(path: Path, tree: ClockTree) -> None:
    names = [oscillator.name for oscillator in tree.oscillators]
    for field, given, more in (
        ("pll/inputs", tree.pll.inputs, {NOTHING}),
        ("system_inputs", tree.system_inputs, {NOTHING, tree.pll.name}),
        ("kernel_inputs", tree.kernel_inputs, {NOTHING, tree.pll.name, OWN_BUS, SYSTEM}),
    ):
        unknown = [name for name in given if name not in names and name not in more]
        if unknown:
            allowed = ", ".join([*names, *sorted(more)])
            raise refused(path, f"clock_tree/{field}", f"'{unknown[0]}' is none of its clocks", f"use {allowed}")
    for oscillator in tree.oscillators:
        wanted = 1 if oscillator.range is None else 1 << oscillator.range.width
        if len(oscillator.hz) != wanted:
            raise refused(path, f"clock_tree/oscillators/{oscillator.name}", f"it has {len(oscillator.hz)} frequencies of {wanted}")
