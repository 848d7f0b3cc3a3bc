# SPDX-License-Identifier: Apache-2.0
"""A clock tree as rows of ``description.h``, for ``clock_tree.c``."""

from __future__ import annotations

from cm4tiny.boards.chips.clock_tree import NOTHING, OWN_BUS, SYSTEM, ClockTree, Field

_CODES = {NOTHING: "TREE_NONE", OWN_BUS: "TREE_BUS", SYSTEM: "TREE_SYSCLK"}


def tree_rows(tree: ClockTree) -> list[tuple[str, str]]:
    """Oscillators are numbered as they stand, the PLL comes after them."""
    names = [*(one.name for one in tree.oscillators), tree.pll.name]
    numbers = {**_CODES, **{name: f"{i}u" for i, name in enumerate(names)}}
    pll = tree.pll
    oscillators = " ".join(
        f"X({_field(one.range or Field(0, 0, 0))[1:-1]}, {', '.join(f'{hz}u' for hz in one.hz)})" for one in tree.oscillators
    )
    return [
        ("TREE_OSCILLATORS", f"{len(tree.oscillators)}u"),
        ("TREE_OSCILLATOR_ROWS(X)", oscillators),
        ("TREE_PLL_SOURCE", _field(pll.source)),
        ("TREE_PLL_INPUTS", _codes(numbers, pll.inputs, pll.source)),
        ("TREE_PLL_M", f"{_field(pll.m)}, {pll.m_add}u"),
        ("TREE_PLL_N", f"{_field(pll.n)}, {pll.n_add}u"),
        ("TREE_PLL_R", f"{_field(pll.r)}, {pll.r_add}u"),
        ("TREE_PLL_R_FACTOR", f"{pll.r_factor}u"),
        ("TREE_SYSTEM", _field(tree.system)),
        ("TREE_SYSTEM_INPUTS", _codes(numbers, tree.system_inputs, tree.system)),
        ("TREE_CORE_ROWS(X)", " ".join(f"X({_field(one)})" for one in tree.core)),
        ("TREE_MATRIX_ROWS(X)", " ".join(f"X({_field(one)})" for one in tree.matrix)),
        ("TREE_BUS_ROWS(X)", " ".join(f"X({name[-1]}u, {_field(one)})" for name, one in sorted(tree.buses.items()))),
        ("TREE_KERNEL_INPUTS", _codes(numbers, tree.kernel_inputs, Field(0, 0, 3))),
    ]


def _field(field: Field) -> str:
    return f"{{{field.offset}u, {field.bit}u, {field.width}u}}"


def _codes(numbers: dict[str, str], names: tuple[str, ...], field: Field) -> str:
    """One for each value of the field; reserved values are no clock."""
    return ", ".join([*(numbers[name] for name in names), *["TREE_NONE"] * ((1 << field.width) - len(names))])
