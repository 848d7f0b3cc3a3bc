# SPDX-License-Identifier: Apache-2.0
"""An embedded, simulated run and everything that is made of it, element by element: what is read with a figure in it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from support import session_maker as maker
from support.profiles import profile
from support.xlsx import sheets

from cm4tiny.profiling.page import page as profile_page
from cm4tiny.profiling.plot import svg
from cm4tiny.profiling.text import table
from cm4tiny.results.collect import collect
from cm4tiny.results.dashboard import collect as dashboard_table
from cm4tiny.results.dashboard.data import site_data
from cm4tiny.results.experiments.entries import make_entries
from cm4tiny.results.experiments.own_runs import own_records
from cm4tiny.results.replay import replay
from cm4tiny.results.tables import final_tables, summary_rows, write_tables
from pages.performance.page import Evidence
from pages.performance.page import page as performance_page
from pages.performance.rows import MeasuredRow
from pages.performance.variants import DEFAULT

EXPECTED = ("simulated", "embedded model", "NUCLEO-L4R5ZI", "1.8 V", "120 MHz", "no division claimed", "model error: ")
"""The labels of every figure of the run."""
Element = tuple[str, str]
"""Where it stands, and its text with everything that belongs to it."""


def outcome(**changes: Any) -> dict[str, Any]:
    """The outcome of an embedded run on the virtual board, two benchmarks in all modes."""
    results: list[dict[str, Any]] = []
    for benchmark, speed, metric, value, target in (("kws", 38.8, "top-1", 88.0, 90.0), ("ad", 345.6, "auc", 0.91, 0.85)):
        common = {"benchmark": benchmark, "simulated": True, "supply_v": 1.8, "clock_mhz": 120.0, **changes}
        window = {"file": "emb_0.bin", "iterations": 400, "elapsed_us": 10_300_000, "throughput_inf_per_s": speed}
        judged = {"samples": 200, "quality_target": target, "quality_target_met": value >= target, "broken_rules": []}
        results += [
            {**common, "mode": "performance", "throughput_inf_per_s": speed, "windows": [window], "cycles_per_inference": 120e6 / speed},
            {**common, "mode": "accuracy", "metric": metric, "value": value, **judged},
            {**common, "mode": "energy", "energy_uj_per_inf": 1500.0, "derived": True},
        ]
    return {"board": "virtual", "engine": "microtvm", "assets": "embedded", "results": results, "files": [], "tools": {}}


def written(folder: Path) -> tuple[Path, str]:
    """The run's folder with its report, and the summary for the terminal."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "outcome.json").write_text(json.dumps(outcome()), encoding="utf-8")
    return folder, collect(str(folder / "outcome.json")).summary


# --- the outputs: each yields the elements that hold a figure of the run ------------------------------------------------------------------


def report_json(run: Path) -> Iterator[Element]:
    for entry in json.loads((run / "report.json").read_text(encoding="utf-8"))["results"]:
        labels = entry["labels"]
        fields = f"{labels['figures']}, {labels['model']} model, {labels['board']}, {labels['supply_v']} V, {labels['clock_mhz']:g} MHz, "
        fields += f"no division claimed ({labels['division']}), model error: {labels['model_error']}"
        yield f"report.json {entry['benchmark']} {entry['mode']} text", labels["text"]
        yield f"report.json {entry['benchmark']} {entry['mode']} fields", fields if labels["model_error"] else ""


_FIGURES = {"inf/s", "accuracy", "energy uJ/inf", "seconds"}


def report_md(run: Path) -> Iterator[Element]:
    """Rows of every table whose header names a figure, but those of published results and targets; and sentences with cycles."""
    header: list[str] = []
    for line in (run / "report.md").read_text(encoding="utf-8").splitlines():
        if "cycles per inference" in line:
            yield "report.md cycles", line
        if not line.startswith("|"):
            header = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not header:
            header = cells
            continue
        if set(cells) <= {"---"} or not _FIGURES & set(header):
            continue
        labels = cells[header.index("labels")] if "labels" in header else ""
        if "measured by the submitter" not in labels and "quality target of MLPerf Tiny" not in labels:
            yield f"report.md row {cells[:2]}", labels


def terminal(summary: str) -> Iterator[Element]:
    """Rows of the run in the table on the terminal, each with the labels that its number stands for."""
    whole = " ".join(summary.split())
    for line in summary.splitlines():
        if " run " in line and re.search(r"\d\.\d{3}", line):
            number = re.search(r"\[(\d+)\]$", line)
            texts = re.findall(rf"\[{number[1]}\] (.*?)(?= \[\d+\] | Throughput and energy)", whole) if number else []
            yield f"terminal {line.split()[0]}", texts[-1] if texts else ""


def dashboard_data(run: Path) -> Iterator[Element]:
    """Every own row of the page's data, with the columns that the table, the tip, the front and the CSV show."""
    data = site_data(dashboard_table(runs=[run]))
    columns = {column["id"]: column for column in data["columns"]}

    def text(name: str, row: int) -> str:
        column = columns[name]
        if "values" in column:
            return "" if column["values"][row] is None else f"{column['values'][row]:g}"
        return str(column["dictionary"][column["index"][row]])

    for row in range(len(data["ids"])):
        if text("origin", row) == "own run":
            yield f"dashboard {text('benchmark', row)} labels", text("conditions", row)
            parts = [text("label", row), text("model", row), text("board", row), f"{text('supply_v', row)} V"]
            parts += [f"{text('frequency_mhz', row)} MHz", f"no division claimed ({text('division', row)})"]
            yield f"dashboard {text('benchmark', row)} columns", ", ".join(parts) + f", model error: {text('model_error', row)}"


def experiments(run: Path) -> Iterator[Element]:
    for name, results in make_entries(own_records(run)).items():
        for result in results:
            assert result["simulated"] is True and "simulated-embedded-model" in name
            yield f"experiment {name} labels", result["labels"]
            fields = f"{result['label']}, {result['Board Name']}, {result['supply_v']} V, {result['frequency_mhz']:g} MHz, "
            yield f"experiment {name} fields", fields + f"no division claimed ({result['Division']}), model error: {result['model_error']}"


class _Tables(HTMLParser):
    """The caption of each table of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.captions: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.captions.append("")
        self._inside = tag == "caption"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.captions[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = False


def profiles(_run: Path) -> Iterator[Element]:
    one = profile()
    labels = one.as_json()["labels"]
    yield "profile.json", labels["text"]
    yield "profile.txt", table(one).split("\n\n")[0]
    tree = ElementTree.fromstring(svg(one))
    name_space = "{http://www.w3.org/2000/svg}"
    yield "profile.svg picture", " ".join(node.text or "" for node in tree.findall(f"{name_space}text"))
    yield from ((f"profile.svg bar {n}", group[0].text or "") for n, group in enumerate(tree.findall(f"{name_space}g")))
    reader = _Tables()
    reader.feed(profile_page(one))
    yield from ((f"profile.html table {n}", caption) for n, caption in enumerate(reader.captions))


def draft_tables(run: Path) -> Iterator[Element]:
    """A draft of simulated sessions of embedded samples: its system's name in CSV, Markdown and the workbook."""
    tree = run / "draft"
    session = maker.performance(tree / "closed" / "A" / "results" / "S" / "kws" / "performance", simulated="virtual board")
    for path in session.iterdir():
        path.write_text(path.read_text(encoding="utf-8").replace(maker.NAMES["kws"][0], "emb_0000.bin"), encoding="utf-8")
    system = {"Board Name": "NUCLEO-L4R5ZI", "Processor(s) Frequencies": "120 MHz", "Status": "available"}
    (tree / "closed" / "A" / "systems").mkdir(parents=True)
    (tree / "closed" / "A" / "systems" / "S.json").write_text(json.dumps(system), encoding="utf-8")
    found = summary_rows(replay([tree], maker.small_lists(), round_id="v1.4", jobs=1).results)
    write_tables(found, final_tables(found, "1.4", "tiny_results_v1.4"), run / "tables")
    known = "supply voltage not stated", "1.8 V"  # a performance session does not tell; the division is the draft's
    texts = [" ".join(cells.values()) for cells in sheets(run / "tables" / "summary.xlsx").values()]
    with (run / "tables" / "summary.csv").open(newline="", encoding="utf-8") as file:
        texts += [row["SystemDesc"] for row in csv.DictReader(file)]
    texts += [(run / "tables" / "summary.md").read_text(encoding="utf-8").rpartition("|---|")[2]]
    for number, text in enumerate(texts):
        yield f"draft table {number}", text.replace(*known).replace("closed division", "no division claimed")


def performance(_run: Path) -> Iterator[Element]:
    """Rows of the page of engines; its models are official and the division is the plan's."""
    text = performance_page(Evidence([MeasuredRow(DEFAULT, "kws", 4e6, 3e6, 30.0, 50_000, 60_000)]))
    for line in text.splitlines():
        if line.startswith("| **cm4tiny**"):
            labels = line.removesuffix(" |").rpartition("| ")[2]
            yield "performance.md row", labels.replace("official model", "embedded model").replace("closed division", "no division claimed")


OUTPUTS = {one.__name__: one for one in (report_json, report_md, dashboard_data, experiments, profiles, draft_tables, performance)}


def elements(name: str, folder: Path) -> list[Element]:
    """All elements of one output of a fresh run; ``"terminal"`` is one too."""
    run, summary = written(folder)
    return list(terminal(summary) if name == "terminal" else OUTPUTS[name](run))


def missing(found: list[Element]) -> list[str]:
    """Each label that an element lacks; ``NUCLEO-L4R5ZI-P`` is not ``NUCLEO-L4R5ZI``."""
    return [
        f"{where}: no '{label}'" for where, text in found for label in EXPECTED if not re.search(rf"{re.escape(label)}(?![-\w]*P\b)", text)
    ]
