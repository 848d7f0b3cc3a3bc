# SPDX-License-Identifier: Apache-2.0
"""The parts of the performance page that are about this project's engine alone: harsher cores, and what each checkout measures again."""

from __future__ import annotations

from collections.abc import Sequence

from cm4tiny.boards.power import SUPPLY_V
from cm4tiny.results.conditions import EMBEDDED, HOME_BOARD, SIMULATED, Conditions
from pages.performance.energy import CLOCK_HZ
from pages.performance.rows import BENCHMARKS, Again, Harsher


def harsher_section(rows: Sequence[Harsher]) -> list[str]:
    """Lines of Markdown with heading; none if there are no rows."""
    if not rows:
        return []
    names = [name for name in BENCHMARKS if any(row.benchmark == name for row in rows)]
    lines = [
        "## Harsher cores",
        "",
        "The default plans on cores that are slower in one respect than the virtual board's; predicted inferences per second.",
        "[What rests on the timing model](kernels.md#how-much-rests-on-the-timing-model).",
        "",
        f"| core | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
    ]
    for core in dict.fromkeys(row.core for row in rows):
        found = {row.benchmark: row.inf_per_s for row in rows if row.core == core}
        lines.append(f"| {core} | " + " | ".join(f"{found[name]:.1f}" if name in found else "" for name in names) + " |")
    return [*lines, ""]


def again_section(rows: Sequence[Again]) -> list[str]:
    """Lines of Markdown with heading; none if there are no rows."""
    if not rows:
        return []
    conditions = Conditions(HOME_BOARD, SIMULATED, EMBEDDED, supply_v=SUPPLY_V, clock_mhz=CLOCK_HZ / 1e6, figures=("throughput",))
    words = [word for word in conditions.words if "division" not in word]
    lines = [
        "## Embedded models",
        "",
        "Rows that every checkout can measure: the models that come with the package, under the default plan. The tests measure them",
        "again and compare each figure exactly (`tests/emulated/test_performance_again.py`).",
        "",
        f"Labels: {', '.join(words)}. Compiler: {', '.join(sorted({row.compiler for row in rows}))}.",
        "",
        "| model | cycles | instructions | flash, bytes | RAM, bytes |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(f"| {row.benchmark} | {row.cycles:,.0f} | {row.instructions:,.0f} | {row.flash_bytes:,} | {row.ram_bytes:,} |")
    return [*lines, ""]
