# SPDX-License-Identifier: Apache-2.0
"""Sessions for a submission: found, recognised, and looked at for what must not be submitted.

A session is this project's or the MLCommons runner's (``log.txt``, ``results.txt``, ``results.json``), or EEMBC's (with
``script.async`` instead of the last). What the files say decides, not how folders are called.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cm4tiny.errors import ResultsError, UsageError
from cm4tiny.firmware.division import SESSION_MARK

OUTCOME = "outcome.json"
_HEAD_BYTES = 1 << 20
_MAX_DEPTH = 6
_MODEL = re.compile(r"(?:Device model retrieved: |m-model-\[)([a-z]+\d+)")
_JSON_MODE = re.compile(r'"mode":\s*"([pae])"')
_MODES = {"p": "performance", "a": "accuracy", "e": "energy"}
_CLAIMS = (
    ("energy", re.compile(r"Median energy cost is|Power Edition")),
    ("performance", re.compile(r"Median throughput is|Average duty cycle")),
    ("accuracy", re.compile(r"Top[- ]1%?\s?[:=]|AUC\s?[:=]")),
)
_FOLDERS = {"ad01": "ad", "ic01": "ic", "ic02": "ic2", "kws01": "kws", "vww01": "vww", "sww01": "sww"}
_TRACES = ("trace1-energy.bin", "trace1-timestamps.json")


@dataclass(frozen=True)
class Found:
    """A finished session.

    Attributes:
        benchmark: folder of the benchmark in a submission (``ic2`` for model ``ic02``).
        runner: ``mlc`` or ``eembc``.
        files: name in the submission -> file.
        unfit: why it must not be submitted: simulated, embedded; empty if nothing is against it.
        open_division: why it must not be submitted to the closed division; empty if its files do not say that.
        firmware: SHA-256 of the image that was run, where this project's runner ran it.
        tools: name -> version, from the outcome.
        engine: from the outcome.
    """

    folder: Path
    benchmark: str
    mode: str
    runner: str
    files: Mapping[str, Path]
    unfit: tuple[str, ...] = ()
    open_division: str = ""
    firmware: str = ""
    tools: Mapping[str, str] = field(default_factory=dict)
    engine: str = ""


def find_sessions(places: Iterable[Path]) -> tuple[Found, ...]:
    """All finished sessions at or below the places: outcomes of runs, folders of runs, sessions.

    Raises:
        UsageError: nothing there, or two sessions for the same benchmark and mode. ResultsError: a session cannot be recognised.
    """
    found = [session for place in places for session in _at(place)]
    for session in found:
        others = [other for other in found if (other.benchmark, other.mode) == (session.benchmark, session.mode)]
        if len({other.folder.resolve() for other in others}) > 1:
            raise UsageError(
                f"{len(others)} sessions of {session.benchmark} {session.mode} were found",
                why=", ".join(str(other.folder) for other in others[:4]),
                hint="name the session that counts, not the folder above it",
            )
    unique = {session.folder.resolve(): session for session in found}
    return tuple(sorted(unique.values(), key=lambda session: (session.benchmark, session.mode)))


def _at(place: Path) -> list[Found]:
    if place.name == OUTCOME and place.is_file():
        return _of_outcome(place)
    if not place.is_dir():
        raise UsageError(f"there are no sessions at {place}", hint="give an outcome.json, a folder of sessions, or a session's folder")
    if (place / OUTCOME).is_file():
        return _of_outcome(place / OUTCOME)
    found = [recognise(folder) for folder in _folders(place)]
    if not found:
        why = "a finished session holds log.txt and results.txt"
        raise UsageError(
            f"no finished session lies at or below {place}", why=why, hint="run the benchmark to its end, or give another folder"
        )
    return found


def _folders(place: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(place):
        if "log.txt" in files and "results.txt" in files:
            yield Path(folder)
        deep = len(Path(folder).relative_to(place).parts) >= _MAX_DEPTH
        names[:] = [] if deep else sorted(name for name in names if not name.startswith("."))


def _of_outcome(path: Path) -> list[Found]:
    try:
        outcome: Any = json.loads(path.read_text(encoding="utf-8"))
        entries = [entry for entry in outcome["results"] if not entry.get("derived")]
        folders = [(_inside(path.parent, entry["session"]), entry) for entry in entries]
        known = (dict(outcome.get("tools", {})), str(outcome.get("engine", "")), outcome.get("assets") == "embedded")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ResultsError(
            f"{path} is not the outcome of a run", why=f"{type(error).__name__}: {error}", hint="give the outcome.json of run,mlperf,tiny"
        ) from error
    return [_with_outcome(recognise(folder), entry, *known) for folder, entry in folders]


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"the session {name} lies outside {folder}")
    return path


def _with_outcome(session: Found, entry: Mapping[str, Any], tools: Mapping[str, Any], engine: str, embedded: bool) -> Found:
    unfit = list(session.unfit)
    if entry.get("simulated") and not any(reason.startswith("simulated") for reason in unfit):
        unfit.append("simulated: the run's outcome says so")
    if embedded:
        unfit = [reason for reason in unfit if not reason.startswith("embedded")]
        unfit.append("embedded: model and samples are this project's own, not MLPerf Tiny's")
    return replace(
        session,
        unfit=tuple(unfit),
        open_division=session.open_division or _open_in_outcome(entry),
        firmware=str(entry.get("firmware_sha256", "")),
        tools={str(name): str(version) for name, version in tools.items()},
        engine=engine,
    )


def _open_in_outcome(entry: Mapping[str, Any]) -> str:
    return str(entry.get("division_reason") or "the run's outcome says so") if entry.get("division") == "open" else ""


def recognise(folder: Path) -> Found:
    """What a session's folder holds.

    Raises:
        ResultsError: it is not finished, or its files do not say benchmark and mode.
    """
    try:
        log, results = _head(folder / "log.txt"), _head(folder / "results.txt")
        entries = _head(folder / "results.json") if (folder / "results.json").is_file() else ""
    except OSError as error:
        raise ResultsError(
            f"{folder} is not a finished session", why=f"{error.strerror}: {error.filename}", hint="run the benchmark to its end"
        ) from error
    eembc = (folder / "script.async").is_file() or "m-session-start-id" in log
    named = _MODEL.search(log)
    benchmark = _FOLDERS.get(named[1], "") if named else ""
    mode = _mode(results, entries)
    if not benchmark or not mode:
        lacking = "the device's model is not in log.txt" if not benchmark else "results.txt holds no result that a mode is known by"
        raise ResultsError(f"{folder} is not a session of a benchmark", why=lacking, hint="give finished sessions of MLPerf Tiny only")
    unfit, is_open = _unfit(log, results, entries), _open_division(log, results, entries)
    return Found(folder, benchmark, mode, "eembc" if eembc else "mlc", _files(folder, eembc), unfit, is_open)


def _head(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.read(_HEAD_BYTES).decode("utf-8", "replace")


def _mode(results: str, entries: str) -> str:
    recorded = _JSON_MODE.search(entries)
    if recorded:
        return _MODES[recorded[1]]
    return next((mode for mode, pattern in _CLAIMS if pattern.search(results)), "")


def _files(folder: Path, eembc: bool) -> dict[str, Path]:
    names = ["log.txt", "results.txt", *(("script.async", *_TRACES) if eembc else ("results.json",))]
    files = {name: folder / name for name in names if (folder / name).is_file()}
    return files | {path.name: path for path in sorted(folder.glob("energy_inf_*.png")) if path.is_file()}


def _unfit(log: str, results: str, entries: str) -> tuple[str, ...]:
    reasons = []
    label = next((line for text in (results, log) for line in text.splitlines() if line.startswith("SIMULATED:")), "")
    if label or re.search(r'"simulated":\s*true', entries):
        reasons.append("simulated: " + (label.removeprefix("SIMULATED:").split(";")[0].strip() or "results.json says so"))
    if re.search(r"Loading file emb_|\bemb_\w+\.bin", log):
        reasons.append("embedded: its samples are this project's own, not MLPerf Tiny's")
    return tuple(reasons)


def _open_division(log: str, results: str, entries: str) -> str:
    label = next((line for text in (results, log) for line in text.splitlines() if line.startswith(f"{SESSION_MARK}:")), "")
    if not label and not re.search(r'"division":\s*"open"', entries):
        return ""
    return label.removeprefix(f"{SESSION_MARK}:").rpartition(";")[0].strip() or "its session says so"
