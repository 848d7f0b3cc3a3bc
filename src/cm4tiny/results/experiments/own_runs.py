# SPDX-License-Identifier: Apache-2.0
"""Own runs as records: ``report.json`` or ``outcome.json`` of a reproduce run, one record per benchmark.

Figures of the virtual board are labelled simulated, models and samples of this project embedded, here as everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cm4tiny.errors import ResultsError
from cm4tiny.results.conditions import EMBEDDED, NOT_JUDGED, run_conditions
from cm4tiny.results.derived import Value
from cm4tiny.results.experiments.records import OWN_RUN, Record, accuracy_pct, labels, make_record
from cm4tiny.results.report import REPORT_JSON, SCHEMA_NAME, Report, check_report, make_report
from cm4tiny.results.summary import benchmarks

OUTCOME_JSON = "outcome.json"
_PARTS = ("board", "engine", "assets", "results", "files", "tools")
_HINT = "give report.json or outcome.json of a reproduce run, or the folder that holds it"


def find_runs(place: Path) -> tuple[Path, ...]:
    """The report or outcome that ``place`` is or holds, itself or one folder further down; a report is taken before its outcome.

    Raises:
        ResultsError: there is none.
    """
    if place.is_file():
        return (place,)
    folders = [place, *sorted(p for p in place.iterdir() if p.is_dir())] if place.is_dir() else []
    found = [next((folder / name for name in (REPORT_JSON, OUTCOME_JSON) if (folder / name).is_file()), None) for folder in folders]
    runs = tuple(path for path in found if path)
    if not runs:
        raise ResultsError(f"there is no run in {place}", hint=_HINT)
    return runs


def read_run(path: Path) -> Report:
    """A report, checked; of an outcome, the report that it becomes.

    Raises:
        ResultsError: the file cannot be read or is neither.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.get("schema") == SCHEMA_NAME:
            check_report(content, str(path))
            return content
        parts: dict[str, Any] = {key: content[key] for key in _PARTS}
        return make_report(**parts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ResultsError(f"{path} is not a run's report", why=f"{type(error).__name__}: {error}", hint=_HINT) from error


def own_records(place: Path) -> tuple[Record, ...]:
    """The records of all runs in ``place`` (see :func:`find_runs`).

    Raises:
        ResultsError: there is none, or one cannot be read.
    """
    return tuple(record for path in find_runs(place) for record in run_records(read_run(path), path))


def run_records(report: Report, path: Path) -> tuple[Record, ...]:
    """One record per benchmark of a report that lies at ``path``."""
    notice = (str(report["notice"]),) if report["notice"] else ()
    return tuple(_record(report, benchmark, path, notice) for benchmark in benchmarks(report))


def _record(report: Report, benchmark: str, path: Path, notice: tuple[str, ...]) -> Record:
    entries: dict[str, Mapping[str, Any]] = {e["mode"]: e for e in report["results"] if e["benchmark"] == benchmark}
    performance, accuracy, energy = (entries.get(mode, {}) for mode in ("performance", "accuracy", "energy"))
    conditions = run_conditions(report, list(entries.values()))
    judged = report["assets"] != EMBEDDED and accuracy.get("judged", True)
    values: dict[str, Value] = {
        "benchmark": benchmark,
        "origin": OWN_RUN,
        **labels(conditions),
        "round": OWN_RUN,
        "submitter": OWN_RUN,
        "system": f"{'virtual ' if conditions.simulated else ''}{conditions.board}, {report['engine']}",
        "soc": "STM32L4R5ZIT6",
        "core": "Cortex-M4",
        "processor": "Arm Cortex-M4",
        "framework_family": report["engine"],
        "framework": report["engine"],
        "metric": accuracy.get("metric", ""),
        "runner": "cm4tiny",
        "quality_target_met": {True: "yes", False: "no", None: ""}[accuracy.get("quality_target_met") if judged else None],
        "throughput_inf_per_s": performance.get("throughput_inf_per_s"),
        "accuracy_pct": accuracy_pct(accuracy.get("metric", ""), accuracy.get("value")),
        "energy_uj_per_inf": energy.get("energy_uj_per_inf"),
        "cycles_per_inference": performance.get("cycles_per_inference"),
    }
    if accuracy:
        values["top1" if accuracy["metric"] == "top-1" else "auc"] = accuracy["value"]
    notes = notice + tuple(rule for entry in entries.values() for rule in entry.get("broken_rules", ()) if judged or entry is not accuracy)
    if accuracy and not judged:
        notes += (f"Accuracy is {NOT_JUDGED}.",)
    if energy.get("derived"):
        notes += ("Energy is computed from the performance windows' cycles, not from an energy run.",)
    sessions = {f"{mode} session": _inside(path.parent, entry.get("session", "")) for mode, entry in entries.items()}
    links = {"report": path.resolve().as_uri(), **{title: link for title, link in sessions.items() if link}}
    return make_record(f"{path.resolve()}#{benchmark}", values, links=links, notes=notes)


def _inside(folder: Path, relative: str) -> str:
    """Address of a session's folder; empty if the text leads out of the run's folder or to nothing."""
    root = folder.resolve()
    target = (root / relative).resolve() if relative and "\0" not in relative else root
    return target.as_uri() if target != root and target.is_relative_to(root) and target.is_dir() else ""
