# SPDX-License-Identifier: Apache-2.0
"""``docs/performance.md`` and its chart from rows; every figure on it is measured or computed, none is typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cm4tiny.boards.power import SUPPLY_V
from cm4tiny.images.fidelity import Row, errors_of
from cm4tiny.results.conditions import (
    HOME_BOARD,
    OFFICIAL,
    SIMULATED,
    Conditions,
    board_key,
    differences,
    model_error,
    model_errors,
    same_board,
)
from cm4tiny.results.published import PublishedResult, published_conditions, published_for, published_systems
from pages.energies import own_settings
from pages.performance.chart import Bar, BarGroup, bar_chart
from pages.performance.compilers import compilers_section
from pages.performance.energy import CLOCK_HZ, energy_lines, own_energy_uj
from pages.performance.freshness import UNKNOWN, Code, banner, outdated
from pages.performance.ours import again_section, harsher_section
from pages.performance.rows import BENCHMARKS, Again, Compiled, Harsher, MeasuredRow
from pages.performance.targets import targets_section
from pages.performance.variants import DEFAULT, VARIANTS, Variant, variant

CHART = "performance.svg"
STREAMING = "sww"
"""Its published throughput counts the audio's features too, so it is not a measure of an engine."""
_TITLE = "Inferences per second, relative to the fastest published result"

_CONDITIONS = Conditions(
    HOME_BOARD, SIMULATED, OFFICIAL, supply_v=SUPPLY_V, clock_mhz=CLOCK_HZ / 1e6, figures=("throughput",), clocked=own_settings().words
)
"""Of every predicted figure on the page; the division is that of its plan."""
_LABELS = f"Labels: {', '.join(word for word in _CONDITIONS.words if 'division' not in word)}; the division is that of the plan."
_HEAD = """# Performance

How fast MLPerf Tiny's own models are with each engine, and how much memory and energy they take: one firmware image each, **predicted
on the virtual board** at 120 MHz: nothing of ours on this page was measured on a real board. Rows marked *published* are results of
past rounds on the real NUCLEO-L4R5ZI and on the NUCLEO-L4R5ZI-P, which is another board, as their submitters measured them; the
fastest ones come from closed engines. The last column has the labels of each row's figures. RAM is static data with the protocol's
buffers, without the stack of 8 KB. The page is written by `python benchmarks/engines.py`.
"""


@dataclass(frozen=True)
class Evidence:
    """All that the page is made of: rows of the engines, of the compilers, of the fidelity report, of harsher cores and of the embedded
    models; and the sources of today, which tell whether the rows are still of theirs."""

    measured: Sequence[MeasuredRow]
    compiled: Sequence[Compiled] = ()
    fidelity: Sequence[Row] = ()
    harsher: Sequence[Harsher] = ()
    again: Sequence[Again] = ()
    code: Code = UNKNOWN

    def row(self, name: str, benchmark: str) -> MeasuredRow | None:
        """The row of a variant."""
        return next((row for row in self.measured if (row.engine, row.benchmark) == (name, benchmark)), None)

    def same_as_default(self, benchmark: str) -> list[Variant]:
        """Our plans that came out as the default plan does: the figures are equal, so they are shown once."""
        default = self.row(DEFAULT, benchmark)
        rows = [(one, self.row(one.id, benchmark)) for one in VARIANTS if one.own and one.id != DEFAULT]
        return [one for one, row in rows if default and row and _figures(row) == _figures(default)]

    def shown(self, benchmark: str) -> list[tuple[Variant, MeasuredRow]]:
        """The variants with a row of their own in tables and in the chart."""
        hidden = self.same_as_default(benchmark)
        return [(one, row) for one in VARIANTS if one not in hidden and (row := self.row(one.id, benchmark)) is not None]

    @property
    def worst_error(self) -> float:
        """The largest error of throughput stated for code that the model was not made with, without sign."""
        stated = model_errors()["throughput"]
        return max(abs(stated["lowest_pct"]), abs(stated["highest_pct"])) / 100


def page(evidence: Evidence) -> str:
    """The page as Markdown."""
    lines = [
        _HEAD,
        *banner(outdated(evidence.code, evidence.measured, evidence.compiled, evidence.harsher)),
        *_errors(evidence),
        f"![{_TITLE}]({CHART})",
        "",
        "## To reach",
        "",
        _LABELS,
        "",
        *targets_section(evidence.measured),
        "",
    ]
    lines += ["## Our plans", "", "All of them compute the same bits. [What the divisions allow](closed-division.md).", ""]
    lines += [*(f"- **{one.label}** ({one.division} division): {one.note}." for one in VARIANTS if one.own), ""]
    for benchmark in BENCHMARKS:
        lines += [f"## {benchmark}", "", *_lead(evidence, benchmark), *_table(evidence, benchmark), "", *_same(evidence, benchmark)]
    lines += _accuracy(evidence.measured)
    if evidence.compiled:
        lines += ["## Compilers", "", _LABELS, "", *compilers_section(evidence.compiled), ""]
    lines += [*harsher_section(evidence.harsher), *again_section(evidence.again)]
    return "\n".join(lines)


def chart(evidence: Evidence) -> str:
    """The chart as SVG."""
    worst = evidence.worst_error
    subtitle = ", ".join(_CONDITIONS.words[:5]) + f"; whiskers: the model's worst error on code of others, {100 * worst:.1f} %"
    groups = [BarGroup(benchmark, _bars(evidence, benchmark)) for benchmark in BENCHMARKS]
    return bar_chart([group for group in groups if group.bars], title=_TITLE, subtitle=subtitle, error=worst)


# --- the errors -----------------------------------------------------------------------------------------------------------------------


def _errors(evidence: Evidence) -> list[str]:
    lines = ["## How far to trust it", ""]
    lines.append(
        f"- Throughput of code that the model was not made with: error {model_error('throughput')}, over "
        f"{model_errors()['throughput']['rows']:.0f} results that others measured. This is the error that every figure here carries. "
        "[How it was obtained](fidelity.md#code-that-no-constant-was-fitted-to)."
    )
    images, builds = (errors_of(row for row in evidence.fidelity if row.kind == kind) for kind in ("image", "build"))
    for name, errors in (("published images, run byte for byte", images), ("builds of published sources", builds)):
        if errors:
            lines.append(
                f"- Throughput predicted for {errors.rows} {name}: error {100 * errors.rms:.1f} % rms, worst {100 * errors.worst:+.1f} % "
                f"({errors.worst_id}). [All rows](fidelity.md)."
            )
    lines.append(
        "- None of our kernels is among the code that the model was compared with. Hand-written assembly of others is, with its error by "
        "family. Only a real board can tell."
    )
    return [*lines, *energy_lines(), ""]


# --- a benchmark ----------------------------------------------------------------------------------------------------------------------


def fastest(benchmark: str) -> PublishedResult | None:
    """The fastest published result of the board that an engine can be compared with."""
    return None if benchmark == STREAMING else next(iter(published_for(benchmark)), None)


def _lead(evidence: Evidence, benchmark: str) -> list[str]:
    if benchmark == STREAMING:
        return [
            "The model alone, one inference after another. The published throughput follows from the duty cycle of the streaming",
            "benchmark, whose work includes the features of the audio, so the two cannot be compared.",
            "",
        ]
    row, best, worst = evidence.row(DEFAULT, benchmark), fastest(benchmark), evidence.worst_error
    if row is None or best is None:
        return []
    ratio = row.inf_per_s / best.throughput_inf_per_s
    text = f"The default plan is predicted at {ratio:.2f} times the fastest published result ({best.label})"
    low, high = ratio / (1 + worst), ratio / (1 - worst)
    word = "ahead of it" if low > 1 else "behind it" if high < 1 else "a difference within the model's worst error"
    return [f"{text}, {low:.2f} to {high:.2f} times with the model's worst error: {word}.", ""]


def _table(evidence: Evidence, benchmark: str) -> list[str]:
    best = fastest(benchmark)
    lines = [
        "| engine | division | inf/s | of the fastest published | cycles | instructions | flash, bytes | RAM, bytes | energy, uJ "
        "| labels |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    entries = [(row.inf_per_s, True, _measured_cells(one, row)) for one, row in evidence.shown(benchmark)]
    for row in shown_published(benchmark):
        entries.append((row.throughput_inf_per_s, same_board(HOME_BOARD, row.board), _published_cells(row)))
    for value, comparable, (label, division, rest) in sorted(entries, key=lambda entry: -entry[0]):
        share = f"{value / best.throughput_inf_per_s:.2f}" if best and comparable else ""
        lines.append("| " + " | ".join((label, division, f"{value:.3f}", share, *rest)) + " |")
    return lines


def _same(evidence: Evidence, benchmark: str) -> list[str]:
    same = evidence.same_as_default(benchmark)
    return [f"The default plan's figures also hold for: {'; '.join(one.label for one in same)}.", ""] if same else []


def _figures(row: MeasuredRow) -> tuple[float, int, int]:
    return row.cycles, row.flash_bytes, row.ram_bytes


def _measured_cells(one: Variant, row: MeasuredRow) -> tuple[str, str, tuple[str, ...]]:
    label = f"**{one.label}**" if one.own else one.label
    counts = (f"{row.cycles:,.0f}", f"{row.instructions:,.0f}", f"{row.flash_bytes:,}", f"{row.ram_bytes:,}")
    labels = replace(_CONDITIONS, division=one.division, figures=("throughput", "energy")).text
    return label, one.division, (*counts, f"{own_energy_uj(row.cycles, row.stall_cycles):,.0f}", labels)


def _published_cells(row: PublishedResult) -> tuple[str, str, tuple[str, ...]]:
    return f"*published: {row.label}, {row.framework}*", row.division, ("", "", "", "", _published_energy(row), _published_labels(row))


def _published_labels(row: PublishedResult) -> str:
    conditions = published_conditions(row)
    apart = differences(_CONDITIONS, conditions, energy=row.energy_uj_per_inf is not None)
    return conditions.text + (f"; **{'; '.join(apart)}**" if apart else "")


def _published_energy(row: PublishedResult) -> str:
    if not row.energy_uj_per_inf:
        return ""
    system = published_systems().get(row.source)
    at = f" at {system.supply_mv / 1000:g} V" if system and system.supply_mv else ""
    return f"{row.energy_uj_per_inf:,.0f}{at}"


def shown_published(benchmark: str) -> list[PublishedResult]:
    """The fastest published result of each submitter on this board and on its variants, fastest first; all others are on the dashboard."""
    shown: dict[tuple[str, str], PublishedResult] = {}
    for row in published_for(benchmark, variants=True):
        shown.setdefault((row.submitter, board_key(row.board)), row)
    return list(shown.values())


def _bars(evidence: Evidence, benchmark: str) -> tuple[Bar, ...]:
    best, rows = fastest(benchmark), evidence.shown(benchmark)
    if best is None or not rows:
        return ()
    bars = [Bar(one.label, row.inf_per_s / best.throughput_inf_per_s, _kind(one)) for one, row in rows]
    return (*bars, Bar(f"published: {best.label}", 1.0, "published"))


def _kind(one: Variant) -> str:
    if not one.own:
        return "other"
    return "own" if one.id == DEFAULT else "plan"


def _accuracy(rows: Iterable[MeasuredRow]) -> list[str]:
    judged = [row for row in rows if row.top_1 is not None]
    if not judged:
        return []
    labels = f"Labels: {replace(_CONDITIONS, figures=('outputs',)).text}."
    lines = ["## All 1000 inputs of kws01", "", labels, "", "| engine | top-1 |", "|---|---|"]
    return [*lines, *(f"| {variant(row.engine).label} | {row.top_1:.1f} % |" for row in judged), ""]
