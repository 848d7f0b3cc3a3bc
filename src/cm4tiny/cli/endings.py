# SPDX-License-Identifier: Apache-2.0
"""The end of a run, for a person: its figures with error and labels, what they say, what to do next."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cm4tiny.cli.hints import translated
from cm4tiny.cli.runs import FinishedRun
from cm4tiny.results.conditions import model_errors
from cm4tiny.results.summary import accuracy_text, benchmarks, summary, throughput_text
from cm4tiny.runner.benchmark_run import MODES

REPORT_KEY = "CM_TINY_REPORT_JSON"
WIDEST = 100


def report_of(run: FinishedRun) -> dict[str, Any] | None:
    """The report that a run wrote; None if it wrote none, or was given a folder to look into."""
    name = run.new_env.get(REPORT_KEY)
    if not name or Path(str(name)).is_dir():
        return None
    report: dict[str, Any] = json.loads(Path(str(name)).read_text(encoding="utf-8"))
    return report


def ending(run: FinishedRun, width: int = 0) -> str:
    """What is printed at the end of a run."""
    width = min(WIDEST, width or shutil.get_terminal_size((WIDEST, 24)).columns)
    report = report_of(run)
    if report is None:
        parts = [text.strip("\n") for text in run.texts]
    else:
        told = summary(report)
        parts = [text.strip("\n") for text in run.texts if told not in text]
        parts += ["\n".join(_figures(report, width)), "\n".join(_wrapped(verdicts(report), width))]
        parts.append("\n".join([f"Report: {run.new_env[REPORT_KEY]} (and report.md)", *_wrapped(_next_steps(run, report), width)]))
    parts += [f"lock file: {run.lock}"] if run.lock else []
    return "\n\n".join([*filter(None, parts), f"Done in {run.summary}." if run.summary else ""]).rstrip()


def _wrapped(lines: Sequence[str], width: int) -> Iterator[str]:
    for line in lines:
        yield from textwrap.wrap(line, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False) or [""]


# --- figures ---------------------------------------------------------------------------------------------------------------------------
def _entry(report: Mapping[str, Any], benchmark: str, mode: str) -> Mapping[str, Any] | None:
    return next((entry for entry in report["results"] if (entry["benchmark"], entry["mode"]) == (benchmark, mode)), None)


def _figures(report: Mapping[str, Any], width: int) -> Iterator[str]:
    """For each benchmark its figures and the fastest published ones, then the labels that all figures of the run carry."""
    yield f"{'':5}{'inf/s':>9}  {'accuracy':>9}  {'uJ/inf':>8}"
    texts: dict[str, list[str]] = {}
    for benchmark in benchmarks(report):
        entries = {mode: _entry(report, benchmark, mode) for mode in ("performance", "accuracy", "energy")}
        energy = entries["energy"]
        by = "this run" + (", energy derived from its cycles" if energy and energy.get("derived") else "")
        yield _row(benchmark, _speed(entries["performance"]), _answer(entries["accuracy"]), _energy(energy), by)
        for entry in entries.values():
            if entry is not None:
                texts.setdefault(entry["labels"]["text"], []).append(f"{benchmark} {entry['mode']}")
        yield from _published(report, benchmark)
    yield ""
    for text, names in texts.items():
        yield from _wrapped([f"{', '.join(names)}: {text}"], width)


def _row(name: str, speed: str, accuracy: str, energy: str, by: str) -> str:
    return f"{name:5}{speed:>9}  {accuracy:>9}  {energy:>8}  {by}".rstrip()


def _speed(entry: Mapping[str, Any] | None) -> str:
    return throughput_text(entry["throughput_inf_per_s"]) if entry else "-"


def _answer(entry: Mapping[str, Any] | None) -> str:
    return accuracy_text(entry["metric"], entry["value"]) if entry else "-"


def _energy(entry: Mapping[str, Any] | None) -> str:
    return f"{entry['energy_uj_per_inf']:.0f}" if entry else "-"


def _published(report: Mapping[str, Any], benchmark: str) -> Iterator[str]:
    rows = [row for row in report.get("published", ()) if row["benchmark"] == benchmark and not row["differs"]]
    if rows:
        row = max(rows, key=lambda row: row["throughput_inf_per_s"])
        accuracy = "-" if row["accuracy"] is None else accuracy_text(row["metric"], row["accuracy"])
        energy = f"{row['energy_uj_per_inf']:.0f}" if row["energy_uj_per_inf"] else "-"
        by = f"fastest published: {row['submitter']} {row['round']}"
        yield _row("", throughput_text(row["throughput_inf_per_s"]), accuracy, energy, by)


# --- what they say ---------------------------------------------------------------------------------------------------------------------
def verdicts(report: Mapping[str, Any]) -> list[str]:
    """What a run's report says about what was asked: only from what it holds."""
    found, others = [], []
    for benchmark in benchmarks(report):
        entry = _entry(report, benchmark, "performance")
        rows = [row for row in report.get("published", ()) if row["benchmark"] == benchmark and row.get("same_code")]
        if entry is None or not rows:
            others.append(benchmark)
        else:
            found += [_reproduced(entry, row) for row in rows]
    found += _outputs(report, others)
    for entry in report["results"]:
        if entry.get("judged", True):
            found += [f"{entry['benchmark']} {entry['mode']} breaks a rule: {rule}" for rule in entry.get("broken_rules", ())]
    return found


def _reproduced(entry: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Whether code that someone published is as fast here as it was measured there."""
    ours, theirs = entry["throughput_inf_per_s"], row["throughput_inf_per_s"]
    off = 100 * (ours / theirs - 1)
    how = "predicted" if entry["simulated"] else "measured"
    name = f"{row['submitter']} {row['round']}"
    figures = f"{row['benchmark']} {ours:.4g} inf/s {how}, {theirs:.4g} published, {off:+.1f} %"
    verified = ""
    if "verified" in entry:
        verified = ", outputs equal those of the reference" if entry["verified"] else ", outputs not compared"
    if not entry["simulated"]:
        return f"{name}: {figures}{verified}"
    stated = model_errors()["throughput"]
    within = stated["lowest_pct"] <= off <= stated["highest_pct"]
    if row["differs"]:
        return f"{name} cannot be judged: {figures}; {'; '.join(row['differs'])}"
    error = f"{'within' if within else 'outside'} the model's error of {stated['lowest_pct']:+g} to {stated['highest_pct']:+g} %"
    return f"{name} {'reproduced' if within else 'NOT reproduced'}: {figures} ({error}){verified}"


def _outputs(report: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    """Whose outputs were compared with a reference when the image was built."""
    compared: dict[bool, list[str]] = {}
    for name in names:
        said = {entry["verified"] for entry in report["results"] if entry["benchmark"] == name and "verified" in entry}
        if said:
            compared.setdefault(all(said), []).append(name)
    if True in compared:
        yield f"{', '.join(compared[True])}: outputs equal those of the reference on the test inputs"
    if False in compared:
        yield f"{', '.join(compared[False])}: outputs were not compared with a reference"


def _next_steps(run: FinishedRun, report: Mapping[str, Any]) -> list[str]:
    folder = Path(str(run.new_env[REPORT_KEY])).parent
    measured = {entry["mode"] for entry in report["results"] if not entry.get("derived")}
    lines = []
    if report["assets"] == "embedded":
        lines.append(f"MLPerf Tiny's own models and data: {_again(run, '_mlcommons', '_embedded')}")
    missing = [mode for mode in ("accuracy", "energy") if mode not in measured]
    if missing:
        lines.append(f"Not measured: {' and '.join(missing)}. {_again(run, f'_{missing[0]}', *(f'_{mode}' for mode in MODES))}")
    lines.append(f"Next to all published results: cm4tiny view {_short(folder)}")
    return lines


def _again(run: FinishedRun, variation: str, *instead_of: str) -> str:
    """The command of the run with another variation."""
    tags = [tag for tag in str(run.flags["tags"]).split(",") if tag not in instead_of]
    return translated(f"cm run script --tags={','.join([*tags, variation])}")


def _short(folder: Path) -> str:
    """The folder as seen from here, if it is below."""
    here = Path.cwd()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)
