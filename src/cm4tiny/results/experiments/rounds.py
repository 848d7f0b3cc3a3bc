# SPDX-License-Identifier: Apache-2.0
"""Rounds on disk as records: checkouts of results repositories, public ones or one's own before a submission.

Everything is read by :mod:`cm4tiny.results.rounds`. A result that the packaged table knows keeps its printed claims from there; what the
checkout adds is the supply voltage that the energy log records and the memory that the system description names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cm4tiny.errors import ResultsError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.results.conditions import EMBEDDED, NOT_JUDGED, session_conditions
from cm4tiny.results.derived import Value
from cm4tiny.results.experiments.records import PUBLISHED, Record, accuracy_pct, labels, make_record, published_records, quality_met
from cm4tiny.results.names import core, framework_family, kibibytes, known, megahertz
from cm4tiny.results.rounds import Printed, ResultDir, find_rounds, read_printed, read_session, read_system, walk

_MEMORY = ("SoC Memory capacity (not including processor or accelerator)", "SoC Memory capacity")
"""Keys for the memory of the SoC: the template's, and the one that greenwaves-technologies wrote in v1.0."""
_STORAGE = ("SoC storage capacity",)
_PROCESSOR_MEMORY = ("Processor memory type and capacity",)
_TEXTS = {  # column -> key of the system description
    "board": "Board Name",
    "soc": "SoC Name",
    "processor": "Processor(s) Name",
    "accelerator": "Accelerator",
    "framework": "Inference Framework",
    "status": "Status",
}
_STEP = "read rounds"
PRINTED = "printed"
"""Label of a result that is in no published table: its figures are printed in its files, and nothing marks them."""


def round_records(place: Path, events: EventStream = SILENT) -> tuple[Record, ...]:
    """All results of the rounds that ``place`` is or holds.

    Raises:
        ResultsError: there is no round.
    """
    rounds = find_rounds(place)
    if not rounds:
        raise ResultsError(f"there is no round of results in {place}", hint="give a checkout of a results repository, or a folder of some")
    packaged = {record.text("source"): record for record in published_records()}
    found: list[Record] = []
    with events.step(_STEP, unit="results"):
        for round_, root in rounds:
            for result in walk(root, round_):
                found.append(_record(result, packaged.get(source_of(result))))
                events.progress(_STEP, len(found), note=round_.id)
    return tuple(found)


def source_of(result: ResultDir) -> str:
    """The name under which the packaged table knows a result."""
    return f"{result.round.folder}/{result.path}"


def system_facts(result: ResultDir) -> dict[str, str]:
    """What the packaged table of systems holds of a result: supply voltage in mV as logged, memory and storage as described.

    The SoC's and the processor's memory are two fields of the description and stay two figures here.
    """
    energy = read_session(result, "energy") if result.files("energy") else None
    return {
        "supply_mv": energy.voltage_mv if energy else "",
        "memory": _first(result, _MEMORY),
        "storage": _first(result, _STORAGE),
        "processor_memory": _first(result, _PROCESSOR_MEMORY),
    }


def _first(result: ResultDir, keys: tuple[str, ...]) -> str:
    """The first of the keys' texts that names a size, or a sum of sizes, and is not about a cache."""
    if result.system_json is None:
        return ""
    system = read_system(result.system_json)
    texts = (system.text(key) for key in keys)
    return next((text for text in texts if kibibytes(text) is not None and "cache" not in text.lower()), "")


def _record(result: ResultDir, packaged: Record | None) -> Record:
    """A published result keeps its claims and labels but for what the files add; any other one is labelled by what its sessions say."""
    facts = {name: value for name, value in _figures(system_facts(result)) if value is not None}
    links = {"files": (result.root / result.path).resolve().as_uri()}
    described = {**packaged.values, **facts} if packaged else {**_described(result), **_claims(result), **facts}
    conditions = session_conditions(
        () if packaged else (read_session(result, files.mode) for files in result.modes),
        board=str(described.get("board") or ""),
        division=result.division,
        submitter=result.submitter,
        supply_v=_float(described.get("supply_v")),
        clock_mhz=_float(described.get("frequency_mhz")),
    )
    values = {**described, **labels(conditions)}
    if packaged:
        return Record(
            packaged.id, {name: value for name, value in values.items() if value is not None}, {**packaged.links, **links}, packaged.notes
        )
    if conditions.marks == PUBLISHED:
        return make_record(source_of(result), {**values, "label": PRINTED}, links=links)
    own = conditions.assets == EMBEDDED
    notes = (f"Its sessions say: {conditions.marks}.", *((f"Accuracy is {NOT_JUDGED}.",) if own else ()))
    return make_record(source_of(result), {**values, **({"quality_target_met": ""} if own else {})}, links=links, notes=notes)


def _float(value: Value) -> float | None:
    return value if isinstance(value, float) else None


def _figures(facts: dict[str, str]) -> Iterator[tuple[str, float | None]]:
    yield "supply_v", int(facts["supply_mv"]) / 1000 if facts["supply_mv"].isdecimal() else None
    yield "memory_kib", kibibytes(facts["memory"])
    yield "storage_kib", kibibytes(facts["storage"])
    yield "processor_memory_kib", kibibytes(facts["processor_memory"])


def _described(result: ResultDir) -> dict[str, Value]:
    system = read_system(result.system_json) if result.system_json else None
    texts = {column: known(system.text(key)) if system else "" for column, key in _TEXTS.items()}
    return {
        **texts,
        "origin": PUBLISHED,
        "round": result.round.id,
        "division": result.division,
        "submitter": result.submitter,
        "system": result.system,
        "variant": result.variant,
        "benchmark": result.benchmark,
        "core": core(texts["processor"]),
        "framework_family": framework_family(texts["framework"]),
        "frequency_mhz": megahertz(system.text("Processor(s) Frequencies")) if system else None,
    }


def _claims(result: ResultDir) -> dict[str, Value]:
    performance, accuracy, energy = (_printed(result, mode) for mode in ("performance", "accuracy", "energy"))
    metric = "F1" if result.benchmark == "sww" else "auc" if result.benchmark == "ad" else "top-1"
    top1, auc = _number(accuracy.top_1), _number(accuracy.auc)
    value = {"top-1": top1, "auc": auc, "F1": None}[metric]
    return {
        "metric": metric,
        "throughput_inf_per_s": _number(throughput_claim(performance, energy)),
        "top1": top1,
        "auc": auc,
        "accuracy_pct": accuracy_pct(metric, value),
        "quality_target_met": quality_met(result.benchmark, value),
        "energy_uj_per_inf": _number(energy.energy),
        "power_mw": _number(energy.power_mw),
        "duty_cycle": _number(energy.duty_cycle),
    }


def throughput_claim(performance: Printed, energy: Printed) -> str:
    """The printed throughput: the performance session's; a streaming result without that session prints one in its energy session."""
    return performance.throughput or performance.sww_throughput or energy.sww_throughput


def _printed(result: ResultDir, mode: str) -> Printed:
    files = next((files for files in result.modes if files.mode == mode), None)
    return read_printed(files.results) if files and files.results else Printed()


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < 1e12 else None
