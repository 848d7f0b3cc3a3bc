# SPDX-License-Identifier: Apache-2.0
"""The summary: one row a result, columns and cells as ``submission_checker.py --csv`` writes them.

Two differences, both on purpose: rows are ordered by path (the checker follows the file system), and of a field that a description has
twice the first filled one counts, where the checker takes the last one, often an empty one. Results without a printed claim, which the
checker leaves out, show what their logs give (round v0.5). Where a system's
sessions say that they are simulated, or are of embedded samples (drafts), the labels follow the system's name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cm4tiny.results.conditions import PUBLISHED, session_conditions
from cm4tiny.results.names import megahertz
from cm4tiny.results.rounds import read_system

if TYPE_CHECKING:
    from cm4tiny.results.replay import Replayed
    from cm4tiny.results.rounds import Mode, Printed

COLUMNS = (
    "Organization",
    "Availability",
    "Division",
    "BoardName",
    "SystemDesc",
    "Model",
    "MlperfModel",
    "Result",
    "ResultUnit",
    "Accuracy",
    "HasPower",
    "Power",
    "PowerUnit",
    "HostProcessorModelName",
    "HostProcessorFrequency",
    "HostProcessorMemory",
    "AcceleratorModelName",
    "AcceleratorFrequency",
    "AcceleratorMemory",
    "HardwareNotes",
    "InferenceFramework",
    "SoftwareLibraries",
    "SoftwareNotes",
    "FalsePositives",
    "FalseNegatives",
    "DutyCycle",
)

_DESCRIPTION = {
    "BoardName": "Board Name",
    "HostProcessorModelName": "Processor(s) Name",
    "HostProcessorFrequency": "Processor(s) Frequencies",
    "HostProcessorMemory": "Processor memory type and capacity",
    "AcceleratorModelName": "Accelerator",
    "AcceleratorFrequency": "Accelerator(s) Frequencies",
    "AcceleratorMemory": "Accelerator memory type and capacity",
    "HardwareNotes": "Hardware Notes",
    "InferenceFramework": "Inference Framework",
    "SoftwareLibraries": "Software Libraries",
    "SoftwareNotes": "Software Notes",
}


@dataclass(frozen=True)
class SummaryRow:
    """One result.

    Attributes:
        path: of the result, relative to the round's root.
        result: inferences per second.
        power: uJ an inference, or mW for streaming wakeword; None without an energy run.
        cells: text by column.
    """

    path: str
    result: float
    power: float | None
    cells: dict[str, str]


def summary_rows(results: Iterable[Replayed]) -> tuple[SummaryRow, ...]:
    """The rows of all results that have a possible throughput, ordered by path."""
    systems: dict[tuple[str, ...], list[Replayed]] = {}
    for replayed in results:
        systems.setdefault((replayed.result.division, replayed.result.submitter, replayed.result.system), []).append(replayed)
    rows = [row for system in systems.values() for marks in (_marks(system),) for one in system if (row := _row(one, marks)) is not None]
    return tuple(sorted(rows, key=lambda row: row.path))


def _row(replayed: Replayed, marks: str) -> SummaryRow | None:
    result = replayed.result
    streaming = result.benchmark == "sww"
    printed = _streaming_claims(replayed) if streaming else None
    speed = _number(printed.sww_throughput if printed else _claim(replayed, "throughput"))
    if speed is None or not 0 < speed < math.inf:
        return None
    power = _number(_power(replayed, streaming))
    power = power if power is not None and 0 < power < math.inf else None
    cells = {
        "Organization": result.submitter,
        "Division": result.division,
        "SystemDesc": result.system + marks,
        "Model": result.variant or result.benchmark,
        "MlperfModel": result.benchmark,
        "Result": str(speed),
        "ResultUnit": "inf./sec.",
        "HasPower": str(bool(power)),
        "Power": str(power) if power else "0",
        "PowerUnit": "mW" if streaming else "uJ/inf.",
        "Accuracy": _claim(replayed, "auc" if result.benchmark == "ad" else "top-1"),
        **_streaming_cells(printed),
        **_description(replayed),
    }
    return SummaryRow(result.path, speed, power, {column: cells.get(column, "") for column in COLUMNS})


def _marks(system: Sequence[Replayed]) -> str:
    """The labels of a system that is simulated or ran embedded samples, in brackets; empty for what may be a result of MLPerf Tiny."""
    description, first = _description(system[0]), system[0].result
    volts = [energy.voltage_mv for one in system if (energy := one.sessions.get("energy")) is not None]
    conditions = session_conditions(
        (session for one in system for session in one.sessions.values()),
        board=description["BoardName"],
        division=first.division,
        submitter=first.submitter,
        supply_v=next((int(text) / 1000 for text in volts if text.isdecimal()), None),
        clock_mhz=megahertz(description["HostProcessorFrequency"]),
    )
    return "" if conditions.marks == PUBLISHED else f" [{conditions.text}]"


def _claim(replayed: Replayed, metric: str) -> str:
    """A claim of the run that it belongs to, else what the log gives."""
    check = next((check for check in replayed.checks if check.metric == metric), None)
    return (check.claimed or check.recomputed) if check is not None else ""


def _power(replayed: Replayed, streaming: bool) -> str:
    session = replayed.sessions.get("energy")
    if session is None or session.printed is None:
        return ""
    return session.printed.power_mw if streaming else session.printed.energy


_STREAMING_MODES: tuple[Mode, ...] = ("energy", "performance")


def _streaming_claims(replayed: Replayed) -> Printed | None:
    """The energy run's, else the performance run's, as the checker has it."""
    for mode in _STREAMING_MODES:
        session = replayed.sessions.get(mode)
        if session is not None and session.printed is not None:
            return session.printed
    return None


def _streaming_cells(printed: Printed | None) -> dict[str, str]:
    if printed is None:
        return {}
    found = [int(value) for value in re.findall(r"\d+", printed.detections)]
    cells = {"DutyCycle": str(duty) if (duty := _number(printed.duty_cycle)) is not None else ""}
    if len(found) == 3:
        hits, misses, false = found
        total = 2 * hits + false + misses
        cells |= {"Accuracy": str(2 * hits / total if total else 0.0), "FalseNegatives": str(misses), "FalsePositives": str(false)}
    return cells


def _description(replayed: Replayed) -> dict[str, str]:
    path = replayed.result.system_json
    values: dict[str, Any] = read_system(path).values if path is not None else {}
    cells = {column: _cell(values.get(field)) for column, field in _DESCRIPTION.items()}
    return cells | {"Availability": _cell(values.get("Status")).lower()}


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
