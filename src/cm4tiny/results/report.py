# SPDX-License-Identifier: Apache-2.0
"""The report of a reproduce run: ``report.json`` (schema: ``report.schema.json``) and ``report.md``.

A report is a plain JSON-able dictionary, so that a file of another machine or version is read by the same code as one just made; it is
checked against the schema whenever it is read or written. It holds no time and no path, so that equal runs give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cm4tiny.boards.catalogue import NOT_STRICT
from cm4tiny.errors import ResultsError
from cm4tiny.files import write_atomically
from cm4tiny.firmware.engines.catalogue import ENGINES, published_folders
from cm4tiny.results.conditions import EMBEDDED, HOME_BOARD, OWN, Conditions, differences, run_conditions
from cm4tiny.results.published import PublishedResult, published_conditions, published_for
from cm4tiny.results.summary import markdown

Report = dict[str, Any]
SCHEMA_NAME = "cm4tiny-report-1"
SCHEMA_FILE = Path(__file__).parent / "report.schema.json"
_ADDED = ("labels", "judged")
"""Keys of an entry that follow from the others and are written here."""
REPORT_JSON = "report.json"
REPORT_MD = "report.md"

EMBEDDED_NOTICE = (
    "These figures come from models and samples that this project made (embedded assets): they are not MLPerf Tiny's and not an "
    "MLPerf result. The variation _mlcommons takes MLPerf Tiny's own models and data."
)
OWN_NOTICE = (
    "These figures come from a model of the user's instead of the benchmark's: they are not MLPerf Tiny's and not an MLPerf result. "
    "The benchmark's data and protocol are as the labels say."
)
SIMULATED_NOTICE = f"Throughput and energy are simulated: predicted on the virtual {HOME_BOARD}, not measured on a board."


def _verification_notice(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Says which images were never compared with a reference."""
    names = sorted({str(entry["benchmark"]) for entry in entries if entry.get("verified") is False})
    return [f"The images of {', '.join(names)} were not verified against a reference (docs/verification.md)."] if names else []


def _division_notice(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Says which figures belong to the open division, and why."""
    reasons = {str(entry["benchmark"]): str(entry.get("division_reason", "")) for entry in entries if entry.get("division") == "open"}
    return [
        f"Figures of {benchmark} belong to the open division and are not figures of the closed one"
        + (f": {reason}." if reason else ".")
        + " (docs/closed-division.md)"
        for benchmark, reason in reasons.items()
    ]


def _strict_notice(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Says whose firmware was let run where the chip would not have run it."""
    names = sorted({str(entry["benchmark"]) for entry in entries if entry.get("strict") is False})
    if not names:
        return []
    return [
        f"The runs of {', '.join(names)} were {NOT_STRICT}: where the chip would not run the firmware, the virtual board noted it and went "
        "on (board_notes; docs/virtual-board.md)."
    ]


def _periodic_notice(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Says whose inferences were not all executed."""
    counts = {str(entry["benchmark"]): entry["inferences"] for entry in entries if entry.get("inferences")}
    if not counts:
        return []
    texts = [f"{benchmark} {count['executed']} of {count['total']}" for benchmark, count in counts.items()]
    return [
        f"Inferences that were executed: {', '.join(texts)}; the rest was proven periodic, and --full_windows executes it as well "
        "(docs/virtual-board.md)."
    ]


def _inputs_notice(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Says where a run with MLPerf Tiny's model had to do without its data."""
    lacking = list(dict.fromkeys(str(entry["benchmark"]) for entry in entries if entry.get("inputs") == "embedded"))
    if not lacking:
        return []
    return [
        f"MLPerf Tiny's own inputs for {', '.join(lacking)} are not here: the runs used this project's samples of the same format, "
        "which is good for time and energy only (docs/official-assets.md says how to get the data)."
    ]


def make_report(
    *,
    board: str,
    engine: str,
    assets: str,
    results: Iterable[Mapping[str, Any]],
    files: Iterable[Mapping[str, Any]],
    tools: Mapping[str, str],
    lock: str = "",
    made_with: Mapping[str, Any] | None = None,
) -> Report:
    """Assembles and checks a report.

    Args:
        board: ``"virtual"`` or ``"NUCLEO"``.
        engine: ``"microtvm"``, ...
        assets: ``"embedded"`` or ``"mlcommons"``.
        results, files, tools: as the schema says.
        lock: path of the run's lock file, relative to the report.
        made_with: ``emulator`` and ``packages``, as the schema says.

    Raises:
        ResultsError: an entry breaks the schema.
    """
    entries = [{key: value for key, value in entry.items() if key not in _ADDED} for entry in results]
    about = {"board": board, "assets": assets, "results": entries}
    simulated = any(entry.get("simulated", False) for entry in entries)
    own = [entry.get("model") == OWN for entry in entries]
    notices = ([SIMULATED_NOTICE] if simulated else []) + ([OWN_NOTICE] if any(own) else [])
    notices += [EMBEDDED_NOTICE] if assets == "embedded" and not all(own) else []
    notices += [
        *_inputs_notice(entries),
        *_division_notice(entries),
        *_strict_notice(entries),
        *_periodic_notice(entries),
        *_verification_notice(entries),
    ]
    benchmarks = list(dict.fromkeys(str(entry.get("benchmark")) for entry in entries))
    report: Report = {
        "schema": SCHEMA_NAME,
        "board": board,
        "engine": engine,
        "assets": assets,
        "simulated": simulated,
        "notice": " ".join(notices),
        "results": entries,
        "files": sorted((dict(file) for file in files), key=lambda file: (file["role"], file["name"])),
        "tools": dict(sorted(tools.items())),
        "published": [],
    }
    report.update(made_with or {})
    if lock:
        report["lock"] = lock
    check_report(report, "the new report")
    report["results"] = [_labelled(entry, about) for entry in entries]
    for benchmark in benchmarks:
        ours = run_conditions(about, [entry for entry in entries if entry["benchmark"] == benchmark])
        report["published"] += [_published(row, engine, ours) for row in published_for(benchmark, ours.board, variants=True)]
    check_report(report, "the new report")
    return report


def _labelled(entry: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with its labels; an accuracy of embedded models and samples, or of the user's model, is not judged."""
    other = about["assets"] == EMBEDDED or entry.get("model") == OWN
    judged = {"judged": False} if entry["mode"] == "accuracy" and other else {}
    return {**entry, **judged, "labels": run_conditions(about, entry).as_json()}


def _published(row: PublishedResult, engine: str, ours: Conditions) -> dict[str, Any]:
    conditions = published_conditions(row)
    folders = published_folders(engine) if engine in ENGINES else ()
    same_code = any(row.source.startswith(f"{folder}/") for folder in folders)
    return ({"same_code": True} if same_code else {}) | {
        "benchmark": row.benchmark,
        "round": row.round,
        "submitter": row.submitter,
        "system": row.system,
        "framework": row.framework,
        "throughput_inf_per_s": row.throughput_inf_per_s,
        "accuracy": row.accuracy,
        "metric": row.metric,
        "energy_uj_per_inf": row.energy_uj_per_inf,
        "source": row.source,
        "labels": conditions.as_json(),
        "differs": list(differences(ours, conditions, energy=row.energy_uj_per_inf is not None)),
    }


def check_report(report: Any, name: str) -> None:
    """Checks a report against the schema.

    Raises:
        ResultsError: it breaks the schema; says where.
    """
    import jsonschema

    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    error = next(iter(jsonschema.Draft202012Validator(schema).iter_errors(report)), None)
    if error is not None:
        raise ResultsError(
            f"{name} is not a valid report",
            why=f"at {error.json_path}: {error.message[:300]}",
            hint="see docs/report.md for the format; run the step again for a new report",
        )
    for entry in report["results"]:
        _check_labels(report, entry, name)


def _check_labels(report: Report, entry: Mapping[str, Any], name: str) -> None:
    """Labels that an entry carries must be those that follow from it; the model's error is that of the version which wrote them."""
    labels, expected = entry.get("labels"), run_conditions(report, entry).as_json()
    wrong = [key for key in expected if key not in ("model_error", "text") and labels is not None and labels[key] != expected[key]]
    if wrong:
        said = ", ".join(f"{key} {labels[key]!r} for {expected[key]!r}" for key in wrong if labels)
        raise ResultsError(
            f"{name} is not a valid report",
            why=f"the labels of {entry['benchmark']} {entry['mode']} contradict the figures that they belong to: {said}",
            hint="do not edit a report by hand; run the step again for a new one",
        )


def write_report(report: Report, folder: Path) -> tuple[Path, Path]:
    """Writes ``report.json`` and ``report.md`` into ``folder``; each appears whole or not at all.

    Raises:
        ResultsError: the report breaks the schema, or the folder cannot be written.
    """
    check_report(report, "the report")
    texts = {REPORT_JSON: json.dumps(report, indent=1, ensure_ascii=False) + "\n", REPORT_MD: markdown(report)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_atomically(folder / name, text)
    except OSError as error:
        raise ResultsError(
            f"the report cannot be written to {folder}",
            why=error.strerror or str(error),
            hint="free disk space or choose another directory with --outdirname=DIR; finished sessions are kept",
        ) from error
    return folder / REPORT_JSON, folder / REPORT_MD
