# SPDX-License-Identifier: Apache-2.0
"""``docs/fidelity.md`` from rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cm4tiny.boards.virtual import CycleModel
from cm4tiny.images.fidelity import Errors, Fit, Row, errors_of, fit
from pages.foreign import ForeignRow, foreign_section, spread_of

_HEAD = """# Fidelity of the virtual board

How close the virtual board comes to what others measured on real ones. Everything predicted here is **simulated**; published figures
are those of the rounds' repositories (mlcommons/tiny_results_v1.0 to v1.3), measured on real boards by their submitters. An *image* is
the published file, byte for byte. A *build* is made here from the published sources, with another compiler than the submitter's, so
its layout differs. A *stream* is an image of the streaming wake-word benchmark that gets ten seconds of the benchmark's audio; its
throughput follows from the duty cycle of its work pin, as in the benchmark's runner. No such image was used for the cycle model.

Throughput is in inferences per second, by the device's own time stamps, over a window of two and a half virtual seconds. Counts are per
inference. "Outputs" compares the printed `m-results` with the published accuracy run's, string by string, over all inputs of the set.
The page is written by `python benchmarks/fidelity.py`.
"""


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _row(row: Row) -> str:
    outputs = f"{row.equal} of {row.compared}" if row.compared else ""
    cells = [
        row.id,
        row.kind,
        _number(row.predicted, ".3f"),
        _number(row.published, ".3f"),
        _number(row.ratio, ".3f"),
        *(_number(count if row.cycles else None, ",.0f") for count in (row.instructions, row.cycles, row.icache_misses, row.dcache_misses)),
        outputs,
        row.note,
    ]
    return "| " + " | ".join(cells) + " |"


def _table(rows: Sequence[Row]) -> list[str]:
    head = "| row | kind | predicted | published | ratio | instructions | cycles | I misses | D misses | outputs | note |"
    return [head, "|---" * 11 + "|", *(_row(row) for row in rows)]


def _error_line(name: str, errors: Errors | None) -> list[str]:
    if errors is None:
        return []
    return [f"| {name} | {errors.rows} | {100 * errors.rms:.1f} % | {100 * errors.worst:+.1f} % ({errors.worst_id}) |"]


def _foreign_line(foreign: Sequence[ForeignRow]) -> list[str]:
    errors = [(1 / (1 + row.error) - 1, f"{row.scheme}/{row.implementation} {row.operation}") for row in foreign]
    found = spread_of(error for error, _ in errors)
    if found is None:
        return []
    worst, name = max(errors, key=lambda item: abs(item[0]))
    return [f"| cryptography of pqm4 | {found.rows} | {100 * found.rms:.1f} % | {100 * worst:+.1f} % ({name}) |"]


def _fit_line(name: str, found: Fit) -> str:
    return (
        f"| {name} | {found.pair:.1f} | {100 * found.rms:.1f} % | {100 * found.worst:+.1f} % "
        f"| {100 * found.left_out_rms:.1f} % | {100 * found.left_out_worst:+.1f} % |"
    )


def _constants(rows: Sequence[Row]) -> list[str]:
    pair = CycleModel().pair_per_mille / 1000
    fits = [
        ("none: the manuals' timings alone", fit(rows, pair=(1.0,))),
        ("flash data path", fit(rows)),
        ("flash data path, as it is set", fit(rows, pair=(pair,))),
    ]
    return [
        "## The fitted constant",
        "",
        "Beyond the timings of the core's and the chip's manuals, and beyond what others measured on this core and this board, the cycle",
        "model has one constant that comes from published results of these images. It is physical and not tuned to a single result:",
        "",
        f"- **flash data path**: the second half of a 128-bit pair of flash words, read as data right after the first, costs {pair:g}",
        "  of a miss. The flash is read 128 bits at a time. Seen in ST's ad images, whose weights are one stream.",
        "",
        "Each line fits it to all images (grid search), and then to all but one, to predict that one (leave-one-out). The form of the",
        "effect was found on these images, so the left-out errors are optimistic.",
        "",
        "| fitted | share | rms | worst | left out: rms | left out: worst |",
        "|---|---|---|---|---|---|",
        *(_fit_line(name, found) for name, found in fits),
        "",
    ]


def render(rows: Iterable[Row], notes: Iterable[str] = (), foreign: Sequence[ForeignRow] = ()) -> str:
    """The page."""
    rows = list(rows)
    images = [row for row in rows if row.kind == "image"]
    builds = [row for row in rows if row.kind == "build"]
    lines = [_HEAD, "## Errors", "", "| rows | number | rms | worst |", "|---|---|---|---|"]
    lines += _error_line("published images", errors_of(images))
    lines += _error_line("builds of published sources", errors_of(builds))
    lines += _error_line("both", errors_of([*images, *builds])) if images and builds else []
    lines += _error_line("streaming images", errors_of(row for row in rows if row.kind == "stream"))
    lines += _foreign_line(foreign)
    compared = [row for row in rows if row.compared]
    if compared:
        equal, total = sum(row.equal or 0 for row in compared), sum(row.compared or 0 for row in compared)
        lines += ["", f"Outputs: {equal} of {total} equal the published accuracy runs', over {len(compared)} rows."]
    lines += ["", "## Rows", "", *_table(rows), ""]
    if len([row for row in images if row.pairs is not None]) >= 3:
        lines += _constants(images)
    if foreign:
        lines += foreign_section(foreign)
    extra = list(notes)
    if extra:
        lines += ["## Notes", "", *(f"- {note}" for note in extra), ""]
    return "\n".join(lines)
