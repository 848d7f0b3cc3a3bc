# SPDX-License-Identifier: Apache-2.0
"""The compilers' part of the performance page."""

from __future__ import annotations

from collections.abc import Sequence

from pages.performance.rows import BENCHMARKS, Compiled

LIMIT = 0.05
"""Share of the reference compiler's cycles that another one may lose."""


def loss(row: Compiled, rows: Sequence[Compiled]) -> float | None:
    """Cycles beyond the reference compiler's, as a share of them; negative where it is faster; None without a reference."""
    reference = next((other for other in rows if other.reference and other.benchmark == row.benchmark), None)
    return row.cycles / reference.cycles - 1.0 if reference else None


def worst_loss(rows: Sequence[Compiled]) -> tuple[float, Compiled] | None:
    """The largest loss and whose it is; None where nothing can be compared."""
    losses = [(share, row) for row in rows if not row.reference and (share := loss(row, rows)) is not None]
    return max(losses, key=lambda item: item[0], default=None)


def compilers_section(rows: Sequence[Compiled]) -> list[str]:
    """Lines of Markdown, without a heading; none if there are no rows."""
    if not rows:
        return []
    compilers = list(dict.fromkeys(row.compiler for row in rows))
    versions = {row.compiler: row.version for row in rows}
    reference = next((row.compiler for row in rows if row.reference), compilers[0])
    lines = [
        f"The same generated C, built by each compiler; cycles of an inference, and beyond those of {reference} in per cent.",
        "",
        "| benchmark | " + " | ".join(compilers) + " |",
        "|---" * (len(compilers) + 1) + "|",
    ]
    for benchmark in BENCHMARKS:
        cells = {row.compiler: _cell(row, rows) for row in rows if row.benchmark == benchmark}
        if cells:
            lines.append(f"| {benchmark} | " + " | ".join(cells.get(name, "") for name in compilers) + " |")
    lines += ["", *(f"- {name}: {versions[name]}" for name in compilers), "", *_verdict(rows, reference)]
    return lines


def _cell(row: Compiled, rows: Sequence[Compiled]) -> str:
    share = loss(row, rows)
    return f"{row.cycles:,.0f}" if row.reference or share is None else f"{row.cycles:,.0f} ({_per_cent(share)})"


def _per_cent(share: float) -> str:
    return f"{round(100 * share, 1) + 0.0:+.1f} %"  # adding zero turns -0.0 into 0.0


def _verdict(rows: Sequence[Compiled], reference: str) -> list[str]:
    others = [row for row in rows if not row.reference]
    equal, compared = sum(row.equal for row in others), sum(row.compared for row in others)
    worst = worst_loss(rows)
    if worst is None:
        return []
    share, row = worst
    text = f"Outputs: {equal} of {compared} output tensors equal those of {reference}, byte for byte. "
    slower = sorted({other.compiler for other in others if (loss(other, rows) or 0.0) > LIMIT})
    most = f"{row.compiler} in {row.benchmark}, {_per_cent(share)}"
    if slower:
        return [f"{text}More than {100 * LIMIT:g} % slower somewhere: {', '.join(slower)}; most of all {most}."]
    return [f"{text}No compiler loses more than {100 * LIMIT:g} %; the most is {most}."]
