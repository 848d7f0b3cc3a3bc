# SPDX-License-Identifier: Apache-2.0
"""A report as text: the table at the end of a run and ``report.md``.

Pure functions from a report to text.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cm4tiny.results.conditions import NOT_JUDGED, Conditions, run_conditions

Rows = list[list[str]]
HEADER = ["benchmark", "", "inf/s", "accuracy", "energy uJ/inf", "by", "labels"]
"""The last column holds a row's labels as a text; on a terminal it holds the number of that text in the list below the table."""
LABELS = HEADER.index("labels")
TARGET = "quality target of MLPerf Tiny, for its own model and data"


def _entry(report: Mapping[str, Any], benchmark: str, mode: str) -> Mapping[str, Any] | None:
    return next((e for e in report["results"] if e["benchmark"] == benchmark and e["mode"] == mode), None)


def benchmarks(report: Mapping[str, Any]) -> list[str]:
    """The benchmarks of a report, in its order."""
    return list(dict.fromkeys(entry["benchmark"] for entry in report["results"]))


def accuracy_text(metric: str, value: float) -> str:
    """``"93.5 %"`` for top-1, ``"0.917"`` for AUC."""
    return f"{value:.1f} %" if metric == "top-1" else f"AUC {value:.3g}"


def throughput_text(value: float) -> str:
    """Three decimals, as the runners print it."""
    return f"{value:.3f}"


def summary_rows(report: Mapping[str, Any]) -> Rows:
    """Rows under ``HEADER``: for each benchmark this run, the official target, the fastest and the lowest-energy published result.

    Published results are compared only where nothing sets them apart from the run: another board or clock leaves a result out, another
    supply voltage leaves out its energy. :func:`notes` says how many were left out.
    """
    return [row for benchmark in benchmarks(report) for row in _rows_of(report, benchmark)]


def _rows_of(report: Mapping[str, Any], benchmark: str) -> Iterator[list[str]]:
    performance, accuracy, energy = (_entry(report, benchmark, mode) for mode in ("performance", "accuracy", "energy"))
    ours = _conditions(report, benchmark)
    yield [
        benchmark,
        f"{ours.origin} run" + _division(ours),
        throughput_text(performance["throughput_inf_per_s"]) if performance else "-",
        _accuracy(accuracy) if accuracy else "-",
        _energy(energy) if energy else "-",
        f"{report['engine']}, {ours.model}",
        ours.text,
    ]
    if accuracy:
        judged = accuracy.get("judged", True)
        name, by = ("target", "MLPerf Tiny, closed division") if judged else ("official target", "does not judge this run")
        yield ["", name, "", accuracy_text(accuracy["metric"], accuracy["quality_target"]), "", by, TARGET]
    published = [row for row in report.get("published", []) if row["benchmark"] == benchmark and _speed_compares(row)]
    for row in published:
        if row.get("same_code"):
            yield _published(_ratio(performance, row), row)
    if published:
        yield _published("fastest", max(published, key=lambda row: row["throughput_inf_per_s"]))
    measured = [row for row in published if row["energy_uj_per_inf"] and not row["differs"]]
    if measured:
        yield _published("least energy", min(measured, key=lambda row: row["energy_uj_per_inf"]))


def _conditions(report: Mapping[str, Any], benchmark: str) -> Conditions:
    return run_conditions(report, [entry for entry in report["results"] if entry["benchmark"] == benchmark])


def _speed_compares(row: Mapping[str, Any]) -> bool:
    """Whether a published throughput holds for the run's board and clock; the supply voltage does not matter to it."""
    return not any(word.startswith(("another board", "another clock")) for word in row["differs"])


def _division(ours: Conditions) -> str:
    """A mark for what does not belong to the closed division."""
    return " (open)" if ours.division == "open" else ""


def _ratio(performance: Mapping[str, Any] | None, row: Mapping[str, Any]) -> str:
    """How a prediction relates to the same code on the real board."""
    if not performance:
        return "same code"
    ratio = performance["throughput_inf_per_s"] / row["throughput_inf_per_s"]
    return f"same code ({100 * (ratio - 1):+.1f} %)"


def _published(what: str, row: Mapping[str, Any]) -> list[str]:
    energy = row["energy_uj_per_inf"]
    return [
        "",
        what,
        throughput_text(row["throughput_inf_per_s"]),
        "-" if row["accuracy"] is None else accuracy_text(row["metric"], row["accuracy"]),
        "-" if not energy else f"{energy:.0f}" + (f" at {_volts(row)}" if row["differs"] else ""),
        f"{row['submitter']} {row['round']}",
        row["labels"]["text"],
    ]


def _volts(row: Mapping[str, Any]) -> str:
    volts = row["labels"]["supply_v"]
    return "? V" if volts is None else f"{volts:g} V"


def _accuracy(entry: Mapping[str, Any]) -> str:
    missed = entry.get("judged", True) and not entry["quality_target_met"]
    return accuracy_text(entry["metric"], entry["value"]) + (" MISSED" if missed else "")


def _energy(entry: Mapping[str, Any]) -> str:
    return f"{entry['energy_uj_per_inf']:.0f}{' (derived)' if entry['derived'] else ''}"


def notes(report: Mapping[str, Any]) -> list[str]:
    """What a reader must know about the figures: the notice, what was not compared, and every rule that a result does not meet."""
    found = [report["notice"]] if report["notice"] else []
    found += _not_compared(report)
    for entry in report["results"]:
        judged = "" if entry.get("judged", True) else f" ({NOT_JUDGED})"
        found += [f"{entry['benchmark']} {entry['mode']}{judged}: {rule}" for rule in entry.get("broken_rules", [])]
    if any(entry.get("derived") for entry in report["results"]):
        found.append("Energy marked (derived) is computed from the performance windows' cycles; _energy runs the energy rules.")
    return found


def _not_compared(report: Mapping[str, Any]) -> list[str]:
    """How many published results the table leaves out, or shows without comparing their energy, and why."""
    rows = [row for row in report.get("published", []) if row["differs"]]
    if not rows:
        return []
    counts = ", ".join(f"{benchmark} {sum(row['benchmark'] == benchmark for row in rows)}" for benchmark in benchmarks(report))
    reasons = ", ".join(dict.fromkeys(word for row in rows for word in row["differs"]))
    return [f"Published results that are not compared, or not in energy: {counts} ({reasons}). report.md lists them."]


def plain_table(header: list[str], rows: Rows) -> str:
    """Columns padded with blanks, for a terminal or a log."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [header, *rows]]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def summary(report: Mapping[str, Any]) -> str:
    """The table, the labels of its rows and the notes that end a run."""
    title = f"MLPerf Tiny on {_board(report)}, engine {report['engine']}, {report['assets']} models and data"
    rows = summary_rows(report)
    texts = list(dict.fromkeys(row[LABELS] for row in rows if row[LABELS] != TARGET))
    numbered = [[*row[:LABELS], f"[{texts.index(row[LABELS]) + 1}]" if row[LABELS] in texts else ""] for row in rows]
    labels = [textwrap.fill(f"[{number}] {text}", 100, subsequent_indent="    ") for number, text in enumerate(texts, start=1)]
    wrapped = [textwrap.fill(note, 100) for note in notes(report)]
    return "\n".join([title, "", plain_table([*HEADER[:LABELS], ""], numbered), "", *labels, "", *wrapped])


def _board(report: Mapping[str, Any]) -> str:
    board = run_conditions(report, report["results"]).board
    return f"the virtual {board} (simulated)" if report["board"] == "virtual" else f"a {board}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _md_table(header: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(_cell(cell) for cell in row) + " |"


def markdown(report: Mapping[str, Any]) -> str:
    """``report.md``: summary, windows, comparison with every published result of the board, tools and hashes."""
    lines = [f"# MLPerf Tiny on {_board(report)}", "", f"Engine {report['engine']}, {report['assets']} models and data.", ""]
    lines += [f"> {note}" for note in notes(report)] + [""]
    lines += [*_md_table(HEADER, summary_rows(report)), ""]
    for benchmark in benchmarks(report):
        lines += [f"## {benchmark}", ""]
        lines += [*_windows(report, benchmark), *_comparison(report, benchmark)]
    if "lock" in report:
        lines += [f"Everything that this run used, down to hashes: `{report['lock']}` (`cm run script --locked=...` repeats it).", ""]
    lines += ["## Tools", "", *_md_table(["tool", "version"], [[k, v] for k, v in report["tools"].items()]), ""]
    lines += ["## Files", "", *_files(report), ""]
    return "\n".join(lines)


def _files(report: Mapping[str, Any]) -> list[str]:
    """Samples are many: the list that names them stands for them here, their own hashes are in ``report.json``."""
    samples = [f for f in report["files"] if f["role"] == "data set" and not f["name"].endswith("y_labels.csv")]
    rows = [[f["role"], f["name"], str(f["bytes"]), f"`{f['sha256']}`"] for f in report["files"] if f not in samples]
    lines = list(_md_table(["role", "file", "bytes", "sha256"], rows))
    return [*lines, "", f"The hashes of {len(samples)} samples are in report.json."] if samples else lines


def _windows(report: Mapping[str, Any], benchmark: str) -> list[str]:
    lines: list[str] = []
    for mode in ("performance", "energy"):
        entry = _entry(report, benchmark, mode)
        if entry and entry.get("windows"):
            labels = run_conditions(report, entry).text
            rows = [
                [
                    str(n),
                    w.get("file", ""),
                    str(w["iterations"]),
                    f"{w['elapsed_us'] / 1e6:.3f}",
                    throughput_text(w["throughput_inf_per_s"]),
                    labels,
                ]
                for n, w in enumerate(entry["windows"], start=1)
            ]
            head = ["window", "file", "inferences", "seconds", "inf/s", "labels"]
            lines += [f"{mode.capitalize()} windows:", "", *_md_table(head, rows), ""]
            if entry.get("cycles_per_inference"):
                lines += [f"{entry['cycles_per_inference']:,.0f} cycles per inference ({labels}).", ""]
    return lines


def _comparison(report: Mapping[str, Any], benchmark: str) -> list[str]:
    """Every published result of the board and of its variants, with the labels of each and what sets it apart from the run."""
    performance, accuracy, energy = (_entry(report, benchmark, mode) for mode in ("performance", "accuracy", "energy"))
    rows = [
        (
            row["throughput_inf_per_s"],
            [
                f"{row['submitter']} {row['round']}",
                row["framework"],
                throughput_text(row["throughput_inf_per_s"]),
                "-" if row["accuracy"] is None else accuracy_text(row["metric"], row["accuracy"]),
                "-" if not row["energy_uj_per_inf"] else f"{row['energy_uj_per_inf']:.0f}",
                row["labels"]["text"],
                "; ".join(row["differs"]) or "-",
            ],
        )
        for row in report.get("published", [])
        if row["benchmark"] == benchmark
    ]
    if performance:
        conditions = _conditions(report, benchmark)
        ours = [
            f"**this run** ({conditions.marks})",
            f"{report['engine']}, {conditions.model}",
            throughput_text(performance["throughput_inf_per_s"]),
            _accuracy(accuracy) if accuracy else "-",
            _energy(energy) if energy else "-",
            conditions.text,
            "",
        ]
        rows.append((performance["throughput_inf_per_s"], ours))
    ordered = [cells for _, cells in sorted(rows, key=lambda row: -row[0])]
    if not ordered:
        return []
    header = ["who", "framework", "inf/s", "accuracy", "energy uJ/inf", "labels", "differs from this run"]
    board = _conditions(report, benchmark).board
    title = f"Published results for {board} and boards of similar name; what differs cannot be compared directly:"
    return [title, "", *_md_table(header, ordered), ""]
