# SPDX-License-Identifier: Apache-2.0
"""What this project's engine is to reach on the virtual board, and whether it does.

Throughput: ahead of the best results ever published for the board. Memory: the chip's 640 KB, and a plan that leaves most of it to the
application without being slower than TensorFlow Lite for Microcontrollers with CMSIS-NN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pages.performance.rows import BENCHMARKS, MeasuredRow
from pages.performance.variants import DEFAULT, LOW_RAM, NO_SKIP, TFLM_CMSIS_NN, variant

KB = 1024
BOARD_RAM = 640 * KB
SMALL_RAM = 128 * KB


@dataclass(frozen=True)
class PerformanceTarget:
    """One line of the table.

    Attributes:
        variant: id of the variant that is to reach it.
        quantity: ``"inf_per_s"`` (at least the limit) or ``"ram_bytes"`` (at most).
        limit: a figure, or the id of the variant whose figure it is.
    """

    benchmark: str
    variant: str
    quantity: str
    limit: float | str

    @property
    def unit(self) -> str:
        """As people read it."""
        return "inf/s" if self.quantity == "inf_per_s" else "bytes of static RAM"


TARGETS = (
    PerformanceTarget("kws", DEFAULT, "inf_per_s", 40.0),
    PerformanceTarget("ic", DEFAULT, "inf_per_s", 16.5),
    PerformanceTarget("vww", NO_SKIP, "inf_per_s", 14.0),
    PerformanceTarget("vww", DEFAULT, "inf_per_s", 23.0),
    PerformanceTarget("ad", DEFAULT, "inf_per_s", 350.0),
    *(PerformanceTarget(benchmark, DEFAULT, "ram_bytes", BOARD_RAM) for benchmark in BENCHMARKS),
    *(PerformanceTarget(benchmark, LOW_RAM, "ram_bytes", SMALL_RAM) for benchmark in ("kws", "ic")),
    *(PerformanceTarget(benchmark, LOW_RAM, "inf_per_s", TFLM_CMSIS_NN) for benchmark in ("kws", "ic")),
)


@dataclass(frozen=True)
class TargetVerdict:
    """A target and what was measured; None where a row is missing."""

    target: PerformanceTarget
    limit: float | None
    measured: float | None

    @property
    def met(self) -> bool | None:
        """None where something was not measured."""
        if self.limit is None or self.measured is None:
            return None
        return self.measured >= self.limit if self.target.quantity == "inf_per_s" else self.measured <= self.limit


def judge(rows: Sequence[MeasuredRow], targets: Sequence[PerformanceTarget] = TARGETS) -> list[TargetVerdict]:
    """Each target with the figures of the rows."""

    def figure(name: str, target: PerformanceTarget) -> float | None:
        row = next((row for row in rows if (row.engine, row.benchmark) == (name, target.benchmark)), None)
        return None if row is None else float(getattr(row, target.quantity))

    return [
        TargetVerdict(
            target, figure(target.limit, target) if isinstance(target.limit, str) else target.limit, figure(target.variant, target)
        )
        for target in targets
    ]


def targets_section(rows: Sequence[MeasuredRow], targets: Sequence[PerformanceTarget] = TARGETS) -> list[str]:
    """The table as Markdown."""
    lines = ["| benchmark | plan | to reach | predicted | met |", "|---|---|---|---|---|"]
    for verdict in judge(rows, targets):
        target = verdict.target
        cells = (target.benchmark, variant(target.variant).label, _wanted(verdict), _figure(target, verdict.measured), _word(verdict.met))
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _figure(target: PerformanceTarget, value: float | None) -> str:
    if value is None:
        return "not measured"
    return f"{value:.3f}" if target.quantity == "inf_per_s" else f"{value:,.0f}"


def _wanted(verdict: TargetVerdict) -> str:
    target = verdict.target
    if isinstance(target.limit, str):
        return f"as {variant(target.limit).label}: {_figure(target, verdict.limit)} {target.unit}"
    if target.quantity == "inf_per_s":
        return f"at least {target.limit:g} {target.unit}"
    return f"at most {target.limit:,.0f} {target.unit}"


def _word(met: bool | None) -> str:
    return {True: "yes", False: "**no**", None: ""}[met]
