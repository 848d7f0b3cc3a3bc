# SPDX-License-Identifier: Apache-2.0
"""Records as results of CM experiments, in the format of upstream's ``import-mlperf-tiny-to-experiment`` (mlcommons/cm4mlops).

An experiment is called ``mlperf-tiny--ROUND--DIVISION--BENCHMARK`` (and once more with ``all`` for the round); its ``cm-result.json`` is a
list of flat dictionaries with upstream's keys. Beside those a result here has every figure and derived metric under its name in this
project, and the labels of its figures. Own runs go into experiments of their own, ``mlperf-tiny--own--LABEL--BENCHMARK``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from cm4tiny.results.derived import BUILT_IN, Metric, apply
from cm4tiny.results.experiments.records import COLUMNS, OWN_RUN, Record

Result = dict[str, Any]
_SYSTEM_KEYS = {  # key of a system description -> column
    "Submitter": "submitter",
    "Status": "status",
    "Board Name": "board",
    "SoC Name": "soc",
    "Processor(s) Name": "processor",
    "Accelerator": "accelerator",
    "Inference Framework": "framework",
}


def experiment_names(record: Record) -> tuple[str, ...]:
    """The experiments that a record belongs to."""
    benchmark = record.text("benchmark")
    if record.text("origin") == OWN_RUN:
        return (_name("own", record.text("label"), benchmark),)
    division = record.text("division")
    return (_name("all", division, benchmark), _name(record.text("round"), division, benchmark))


def _name(*parts: str) -> str:
    return "--".join(["mlperf-tiny", *(re.sub(r"[^A-Za-z0-9.]+", "-", part).strip("-.") or "unknown" for part in parts)])


def experiment_tags(name: str) -> list[str]:
    """Tags as upstream gives them: ``mlperf`` and the parts of the name."""
    return ["mlperf", *name.split("--")]


def result_of(record: Record, metrics: Sequence[Metric] = ()) -> Result:
    """One result of a ``cm-result.json``."""
    result: Result = {
        **_figures(record),
        **{key: record.text(column) for key, column in _SYSTEM_KEYS.items() if record.text(column)},
        "version": record.text("round"),
        "__version": record.text("round"),
        "Organization": record.text("submitter"),
        "__Organization": record.text("submitter"),
        "Division": record.text("division"),
        "Benchmark": record.text("benchmark"),
        "__System": record.text("system"),
        "uid": record.id,
        "label": record.text("label"),
        "labels": record.text("conditions"),
        "model": record.text("model"),
        "simulated": "simulated" in record.text("label"),
    }
    if record.text("model_error"):
        result["model_error"] = record.text("model_error")
    link = next((address for address in record.links.values() if address.startswith("https://github.com/")), "")
    if link:
        result["git_url"] = link
    if record.text("variant"):
        result["Model"] = result["__Model"] = record.text("variant")
    for column in COLUMNS:
        if column.kind == "number" and record.figure(column.id) is not None:
            result[column.id] = record.figure(column.id)
    result.update({name: value for name, value in apply((*BUILT_IN, *metrics), record.values).items() if value is not None})
    if record.notes:
        result["notes"] = " ".join(record.notes)
    return result


def _figures(record: Record) -> Result:
    """Upstream's keys; ``Accuracy`` is top-1 where it is printed, else AUC, for anomaly detection too."""
    found: Result = {}
    throughput, top1, auc = record.figure("throughput_inf_per_s"), record.figure("top1"), record.figure("auc")
    energy = record.figure("energy_uj_per_inf")
    if throughput is not None:
        found |= {"median_throughput": throughput, "median_throughput_metric": "inf./sec.", "Result": throughput, "_Result": throughput}
    if top1 is not None:
        found |= {"accuracy_Top-1": top1, "accuracy_Top-1_metric": "%"}
    if auc is not None:
        found["accuracy_AUC"] = auc
    accuracy = top1 if top1 is not None else auc
    if accuracy is not None:
        found |= {"Accuracy": accuracy, "_Accuracy": accuracy}
    if energy is not None:
        found |= {"median_energy_cost": energy, "median_energy_cost_metric": "uj/inf."}
    return found


def make_entries(records: Iterable[Record], metrics: Sequence[Metric] = ()) -> dict[str, list[Result]]:
    """Experiment name -> its results."""
    entries: dict[str, list[Result]] = {}
    for record in records:
        result = result_of(record, metrics)
        for name in experiment_names(record):
            entries.setdefault(name, []).append(result)
    return entries


def merge(old: Iterable[Any], new: Iterable[Result]) -> list[Result]:
    """A ``cm-result.json`` brought up to date: results of the same uid are renewed and keep keys that others added; no other is touched."""
    merged = {result["uid"]: dict(result) for result in old if isinstance(result, dict) and isinstance(result.get("uid"), str)}
    for result in new:
        merged[result["uid"]] = {**merged.get(result["uid"], {}), **result}
    return [*(dict(result) for result in old if isinstance(result, dict) and not isinstance(result.get("uid"), str)), *merged.values()]
