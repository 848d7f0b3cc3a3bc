# SPDX-License-Identifier: Apache-2.0
"""An entry of a report, computed again from the session that it names.

The session's three files must agree with each other first (:mod:`cm4tiny.results.rounds.record`): a figure that one of them contradicts has
no evidence. Then the figures follow from ``results.json`` by the runner's own formulas, the marks from the first lines of ``results.txt``.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.boards import PowerSettings, energy_uj
from cm4tiny.boards.catalogue import NOT_STRICT
from cm4tiny.errors import Cm4TinyError
from cm4tiny.firmware.division import SESSION_MARK
from cm4tiny.results.evidence_files import read_bounded
from cm4tiny.results.rounds.model import LoggedSession
from cm4tiny.results.rounds.read import read_session_folder
from cm4tiny.results.rounds.record.strict_json import load_json
from cm4tiny.results.rounds.results_json import RATE_HZ
from cm4tiny.runner.accuracy import accuracy_figures, below_target
from cm4tiny.runner.benchmark_run import FOREIGN_INPUTS
from cm4tiny.runner.performance import window_breaches
from cm4tiny.runner.rules import official_rules
from cm4tiny.runner.session import LOG_TXT, RESULTS_JSON, RESULTS_TXT

MAX_LOG_BYTES = 64 << 20
"""The accuracy run of MLPerf Tiny's whole set of anomaly detection has a log of 22 MB."""
_OPTION_BYTES = re.compile(r"Board: FLASH_OPTR is (0x[0-9a-f]{8}): ")
_NOTE, _INVALID = "Board: ", "ERROR: Not valid for submission.  "
_MAX_PROBLEMS = 8


@dataclass(frozen=True)
class Recomputed:
    """What a session gives.

    Attributes:
        values: key of the report's entry -> its value; :data:`NOT_THERE` for one that the entry must not have.
        problems: why the session is not evidence; empty for one that is.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


NOT_THERE = object()


@dataclass(frozen=True)
class _Session:
    entries: list[Any]
    results: list[str]
    log: list[str]


def recompute(entry: Mapping[str, Any], folder: Path, cycles: float | None = None, labels: Mapping[str, int] | None = None) -> Recomputed:
    """The figures and marks of a report's entry from the session in ``folder``. No content makes it fail.

    Args:
        cycles: of an inference, for a derived energy: its session is that of the performance run.
        labels: of the samples by file, where they are known from elsewhere than the session.

    Raises:
        ResultsError: a file of the session cannot be read.
    """
    derived = entry.get("derived") is True
    read = read_session_folder(folder, "performance" if derived else entry["mode"], entry["benchmark"])
    problems = _problems(read)
    if problems:
        return Recomputed(problems=problems)
    texts = [read_bounded(folder / name, MAX_LOG_BYTES).decode("utf-8", "replace").splitlines() for name in (RESULTS_TXT, LOG_TXT)]
    session = _Session(load_json(folder / RESULTS_JSON).entries, *texts)
    try:
        if labels is not None and entry["mode"] == "accuracy":
            check_labels(session.entries, labels)
        figures = _derived(entry, cycles) if derived else _FIGURES[entry["mode"]](entry, session)
        return Recomputed({**_marks(entry, session), **figures})
    except (ArithmeticError, LookupError, TypeError, ValueError, Cm4TinyError) as error:
        return Recomputed(problems=(f"its figures cannot be computed: {type(error).__name__}: {str(error)[:200]}",))


def _problems(session: LoggedSession) -> tuple[str, ...]:
    """Why a session is not evidence: a file that is missing or damaged, or two that contradict each other."""
    found = [*session.notes, *map(str, session.discrepancies), *session.errors]
    found += ["it is longer than any real one"] if session.truncated else []
    found += [f"{RESULTS_TXT} is missing"] if session.printed is None else []
    found += [f"{LOG_TXT} is missing"] if "log" not in session.sha256 else []
    found += [f"{RESULTS_JSON} is missing"] if "json" not in session.sha256 else []
    return tuple(dict.fromkeys(found))[:_MAX_PROBLEMS]


# --- marks --------------------------------------------------------------------------------------------------------------------
def _marks(entry: Mapping[str, Any], session: _Session) -> dict[str, Any]:
    """What a session says of itself: simulated, not strict, open division, and what the board noted."""
    simulated = _label(session.results, "SIMULATED")
    is_open = _label(session.results, SESSION_MARK)
    values: dict[str, Any] = {"simulated": simulated is not None, "division": NOT_THERE, "division_reason": NOT_THERE}
    if is_open is not None:
        reason = entry.get("division_reason", "")
        values |= {"division": "open", "division_reason": reason if " ".join(str(reason).split()) == is_open else is_open}
    lax = simulated is not None and simulated.endswith(f", {NOT_STRICT}")
    values |= {"strict": False if lax else NOT_THERE}
    option_bytes = [match[1] for line in session.log if (match := _OPTION_BYTES.match(line))]
    values["option_bytes"] = option_bytes[0] if option_bytes else NOT_THERE
    if lax:
        values["board_notes"] = [line.removeprefix(_NOTE) for line in session.log if _is_note(line)]
    if simulated is not None:
        values["board_name"] = simulated.removesuffix(f", {NOT_STRICT}").removeprefix("virtual ")
    return values


def _is_note(line: str) -> bool:
    return line.startswith(_NOTE) and not _OPTION_BYTES.match(line)


def _label(lines: list[str], word: str) -> str | None:
    """The text of a label among the first lines; None if it is not there."""
    line = next((line for line in lines[:4] if line.startswith(f"{word}: ")), None)
    return None if line is None else line.removeprefix(f"{word}: ").rpartition(";")[0]


# --- figures ------------------------------------------------------------------------------------------------------------------
def _foreign(entry: Mapping[str, Any]) -> list[str]:
    return [FOREIGN_INPUTS] if entry.get("inputs") == "embedded" else []


def _performance(entry: Mapping[str, Any], session: _Session) -> dict[str, Any]:
    windows = []
    for one in session.entries:
        iterations, elapsed_us = one["infer"]["iterations"], one["infer"]["elapsed_time"]
        speed = iterations / (elapsed_us / 1e6)
        windows.append({"file": one["file"], "iterations": iterations, "elapsed_us": elapsed_us, "throughput_inf_per_s": speed})
    noted = _bracketed(session.results)
    _need(window_breaches([(w["iterations"], w["elapsed_us"]) for w in windows]), noted)
    return {
        "windows": windows,
        "throughput_inf_per_s": statistics.median(w["throughput_inf_per_s"] for w in windows),
        "broken_rules": noted + _foreign(entry),
    }


def _accuracy(entry: Mapping[str, Any], session: _Session) -> dict[str, Any]:
    benchmark = get_benchmark(entry["benchmark"])
    files = []
    for number, one in enumerate(session.entries):
        key = one["file"] if one["stride"] is not None else str(number)
        files.append((key, int(one["class"]), one["infer"]["results"]))
    grouped = [list(rows) for _, rows in groupby(files, key=lambda row: row[0])]
    top_1, auc, eembc_auc = accuracy_figures([[row[2] for row in rows] for rows in grouped], [rows[0][1] for rows in grouped])
    value = auc if benchmark.metric == "auc" else top_1
    if not math.isfinite(value):
        raise ValueError(f"{benchmark.metric} is {value}")
    below = below_target(benchmark.metric, value, benchmark.quality_target)
    return {
        "metric": benchmark.metric,
        "value": value,
        "auc_mlcommons": auc,
        "auc_eembc": eembc_auc,
        "samples": len(grouped),
        "quality_target": benchmark.quality_target,
        "quality_target_met": not below,
        "broken_rules": [*below, *_bracketed(session.results)],
    }


def check_labels(entries: list[Any], labels: Mapping[str, int]) -> None:
    """Compares the class that each entry states with the data set's label.

    Raises:
        ValueError: another label, or a file that is not in the data set.
    """
    for one in entries:
        name, stated = one["file"], int(one["class"])
        if name not in labels:
            raise ValueError(f"{name[:80]} is not a sample of the data set")
        if labels[name] != stated:
            raise ValueError(f"{name} is labelled {labels[name]} in the data set, {stated} in {RESULTS_JSON}")


def _energy(entry: Mapping[str, Any], session: _Session) -> dict[str, Any]:
    windows, lengths = [], []
    for one in session.entries:
        iterations, power = one["infer"]["iterations"], one["power"]
        start, stop = power["timestamps"][-2][1], power["timestamps"][-1][1]
        elapsed_s, joules = stop / RATE_HZ - start / RATE_HZ, math.fsum(power["samples"][start:stop])
        lengths.append((iterations, elapsed_s))
        speed, energy = iterations / elapsed_s, joules / iterations * 1e6
        window = {"file": one["file"], "iterations": iterations, "elapsed_us": round(elapsed_s * 1e6)}
        windows.append(window | {"throughput_inf_per_s": speed, "energy_uj_per_inf": energy})
    noted = [line.removeprefix(_INVALID) for line in session.log if line.startswith(_INVALID)]
    _need(official_rules().breaches(lengths), noted)
    return {
        "windows": windows,
        "energy_uj_per_inf": statistics.median(w["energy_uj_per_inf"] for w in windows),
        "derived": False,
        "broken_rules": noted + _foreign(entry),
        "supply_v": session.entries[0]["power"]["voltage"],
    }


def _derived(entry: Mapping[str, Any], cycles: float | None) -> dict[str, Any]:
    state = dict(entry.get("derived_from", {}))
    if not state or cycles is None:  # an earlier version did not record what it was derived from
        return {}
    stall = state.pop("stall")
    return {"energy_uj_per_inf": energy_uj(PowerSettings(**state), cycles, entry["supply_v"], stall)}


def _bracketed(lines: list[str]) -> list[str]:
    """What a run itself found wrong: lines ``e-[text]``."""
    return [line[3:-1] for line in lines if line.startswith("e-[") and line.endswith("]")]


def _need(breaches: tuple[str, ...], noted: list[str]) -> None:
    """A rule that the figures break must be noted by the session, in whose words it stands in the report."""
    lacking = [breach for breach in breaches if breach not in noted]
    if lacking:
        raise ValueError(f"the session does not say that {lacking[0]}")


_FIGURES = {"performance": _performance, "accuracy": _accuracy, "energy": _energy}
