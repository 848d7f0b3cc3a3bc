# SPDX-License-Identifier: Apache-2.0
"""Figures that lose their labels, and published figures that change: tables, reports, records, drafts."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support import session_maker as maker
from support.labelled import outcome
from support.profiles import profile
from support.report_files import read_report

from cm4tiny.profiling.text import table as profile_text
from cm4tiny.results.conditions import model_errors
from cm4tiny.results.dashboard import collect as dashboard_table
from cm4tiny.results.dashboard import judged, pareto
from cm4tiny.results.experiments.own_runs import own_records
from cm4tiny.results.experiments.records import make_record, published_records
from cm4tiny.results.experiments.rounds import round_records
from cm4tiny.results.published import TABLE, published_results, published_systems
from cm4tiny.results.published_digests import DIGESTS
from cm4tiny.results.report import make_report, write_report
from cm4tiny.results.summary import summary
from cm4tiny.results.tables import final_tables, summary_rows, write_tables
from ledger.outcome import Outcome, attempt


def damaged_table(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """One change of a packaged table: ``table``, the row whose source ends with ``row``, and ``column`` with ``value`` or ``times``.

    ``action`` ``lost`` or ``twice`` removes or doubles the row instead.
    """
    path = folder / inputs["table"]
    shutil.copy(TABLE.with_name(DIGESTS), folder / DIGESTS)
    with TABLE.with_name(path.name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    at = next(n for n, row in enumerate(rows) if row["source"].endswith(inputs["row"]))
    match inputs.get("action"):
        case "lost":
            del rows[at]
        case "twice":
            rows.insert(at, rows[at])
        case _:
            column = inputs["column"]
            rows[at][column] = str(inputs["value"]) if "value" in inputs else f"{float(rows[at][column]) * inputs['times']:g}"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    load: Any = published_results if path.name == TABLE.name else published_systems
    return attempt(lambda: Outcome("wrong", "accepted", f"{len(load(path))} rows"))


def published_figure(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A figure of a published record: ``row``, ``figure``, and the ``stated`` one (null: none)."""
    record = next(r for r in published_records() if r.text("source").endswith(inputs["row"]))
    found = record.figure(inputs["figure"])
    return Outcome("correct" if found == inputs["stated"] else "wrong", inputs["figure"], f"{inputs['figure']} is {found}")


def streaming_checkout(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A streaming result on disk whose sessions print ``performance`` and ``energy``."""
    result = folder / "tiny_results_v1.3" / "closed" / "A" / "results" / "S" / "sww"
    for mode in ("performance", "energy"):
        (result / mode).mkdir(parents=True)
        (result / mode / "log.txt").write_text("", encoding="utf-8")
        text = f"Average duty cycle: 0.5\nEstimated throughput: {inputs[mode]} inf./sec.\n"
        (result / mode / "results.txt").write_text(text, encoding="utf-8")
    (record,) = round_records(folder / "tiny_results_v1.3")
    found = record.figure("throughput_inf_per_s")
    return Outcome("correct" if found == inputs["performance"] else "wrong", "throughput", str(found))


def edited_report(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A written report, one place of which was edited: ``entry`` (fields) or ``labels`` (labels) of the first result."""
    path, _ = write_report(make_report(**outcome()), folder)
    made = json.loads(path.read_text(encoding="utf-8"))
    made["results"][0].update(inputs.get("entry", {}))
    made["results"][0]["labels"].update(inputs.get("labels", {}))
    path.write_text(json.dumps(made), encoding="utf-8")
    return attempt(lambda: Outcome("wrong", "accepted", read_report(path)["results"][0]["labels"]["text"]))


def run_summary(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The end of a run, with ``changes`` to its entries and its ``assets``; wrong if a line holds one of ``never``."""
    made = make_report(**{**outcome(**inputs.get("changes", {})), "assets": inputs.get("assets", "embedded")})
    text = " ".join(summary(made).split())
    return Outcome("wrong" if any(word in text for word in inputs.get("never", ())) else "noted", "summary", text)


def own_row(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """An own run on the dashboard: the texts of its row; ``only`` keeps the entries of one mode, without what the run recorded."""
    content = outcome()
    if "only" in inputs:
        kept = [entry for entry in content["results"] if entry["mode"] == inputs["only"]]
        content["results"] = [{k: v for k, v in entry.items() if k not in ("supply_v", "clock_mhz")} for entry in kept]
    (folder / "outcome.json").write_text(json.dumps(content), encoding="utf-8")
    record = own_records(folder)[0]
    return Outcome("noted", record.text("label"), "; ".join([record.text("conditions"), record.text("board"), *record.notes]))


def beside_a_run(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """What the dashboard says of the published result ``row`` next to an own run."""
    (folder / "outcome.json").write_text(json.dumps(outcome()), encoding="utf-8")
    row = next(r for r in dashboard_table(runs=[folder]).rows if str(r["source"]).endswith(inputs["row"]))
    return Outcome("noted" if row.get("differs") else "wrong", "differs", str(row.get("differs", "")))


def front(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The default front of two results: the faster one misses the quality target."""
    values = {"benchmark": "kws", "throughput_inf_per_s": 100.0, "quality_target_met": "no"}
    fast = make_record("fast", values)
    good = make_record("good", {**values, "throughput_inf_per_s": 50.0, "quality_target_met": inputs.get("met", "yes")})
    rows = pareto(judged([fast.values, good.values]), [("throughput_inf_per_s", "more")])
    names = [str(row["source"]) for row in rows]
    return Outcome("correct" if names == ["good"] else "wrong", "front", str(names))


def draft(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A draft made of simulated sessions, as ``record`` (dashboard and experiments) or in a ``file`` of the final report."""
    tree = folder / "tiny_results_v1.4"
    maker.performance(tree / "closed" / "A" / "results" / "S" / "kws" / "performance", simulated="virtual NUCLEO-L4R5ZI")
    if "file" not in inputs:
        (record,) = round_records(tree)
        return Outcome("noted" if "simulated" in record.text("label") else "wrong", record.text("label"), record.text("conditions"))
    from cm4tiny.results.replay import replay

    rows = summary_rows(replay([tree], maker.small_lists(), round_id="v1.4", jobs=1).results)
    write_tables(rows, final_tables(rows, "1.4", "tiny_results_v1.4"), folder / "out", formats=[inputs["file"]])
    text = (folder / "out" / f"summary.{inputs['file']}").read_text(encoding="utf-8")
    return Outcome("noted" if "simulated" in text else "wrong", inputs["file"], text)


def unknown_model(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The profile of an image whose model nothing names."""
    return Outcome("noted", "profile", profile_text(profile(assets="")))


def damaged_errors(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The table of the virtual board's stated error with other ``text``."""
    (folder / "model_error.yaml").write_text(inputs["text"], encoding="utf-8")
    return attempt(lambda: Outcome("wrong", "accepted", str(model_errors(folder / "model_error.yaml"))))
