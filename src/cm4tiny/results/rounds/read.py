# SPDX-License-Identifier: Apache-2.0
"""One session from all of its files: log, claims, ``results.json``, energy trace.

Files are opened below the session's own directory only, by names from ``layouts.yaml``. No content makes a reader fail: what is missing or
cannot be used is in the session's ``notes`` and ``tolerated``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from cm4tiny.fetch.lfs import NOTE, is_pointer
from cm4tiny.results.rounds.eembc_log import read_eembc_log
from cm4tiny.results.rounds.energy_trace import TraceProblem, read_samples, read_timestamps, window_energies
from cm4tiny.results.rounds.lines import sha256_of
from cm4tiny.results.rounds.mlc_log import MlcLog, read_mlc_log
from cm4tiny.results.rounds.model import (
    LoggedEnergyWindow,
    LoggedSession,
    LoggedWindow,
    Mode,
    ModeFiles,
    Printed,
    ResultDir,
    Runner,
    Scores,
    Streaming,
)
from cm4tiny.results.rounds.printed import read_printed
from cm4tiny.results.rounds.record import Files, examine, load_json
from cm4tiny.results.rounds.results_json import MlcJson, read_mlc_json
from cm4tiny.results.rounds.table import layouts

_HEAD_BYTES = 1 << 16
_EEMBC_LINE = re.compile(rb"^[0-9]{5,7}\.[0-9]{3} [a-z\-]+: ", re.MULTILINE)
_MLC_LINE = re.compile(
    rb"^(?:[0-9]{4}\.[0-9]{6} ulp-mlperf:|Logging initialized|Initializing SerialDevice|Running inference with)", re.MULTILINE
)
DIFFER = "log.txt and results.json have different numbers"

_T = TypeVar("_T")


@dataclass
class _Parts:
    """What becomes the :class:`LoggedSession`; keys of ``values`` are its fields."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    tolerated: list[Any] = field(default_factory=list)
    sha256: dict[str, str] = field(default_factory=dict)

    def attempt(self, what: Callable[[], _T], name: str) -> _T | None:
        """The value of ``what``, or a note."""
        try:
            return what()
        except TraceProblem as problem:
            self.notes.append(f"{name}: {problem}")
        except OSError as error:
            self.notes.append(f"{name} cannot be read: {error.strerror or type(error).__name__}")
        return None


def runner_of(log: Path) -> Runner:
    """Which runner wrote a log, by the look of its first lines; empty if it looks like neither.

    Raises:
        OSError: the log cannot be read.
    """
    with log.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    eembc, mlc = len(_EEMBC_LINE.findall(head)), len(_MLC_LINE.findall(head))
    if not eembc and not mlc:
        return ""
    return "eembc" if eembc >= mlc else "mlc"


def session_files(folder: Path, mode: Mode) -> ModeFiles:
    """The files of a session that lies outside a round's tree, such as a runner's ``sessions/20260102_030405``."""
    found: dict[str, Any] = {}
    for role, patterns in layouts()["files"].items():
        paths = (folder / pattern.format(mode=mode) for pattern in patterns)
        found[role] = next((path for path in paths if path.is_file() and not path.is_symlink()), None)
    pointers = [role for role, path in found.items() if path is not None and is_pointer(path)]
    names = tuple(sorted(found.pop(role).name for role in pointers))
    return ModeFiles(mode, folder.name, missing=names, pointers=names, **found)


def read_session(result: ResultDir, mode: Mode) -> LoggedSession:
    """The session of ``mode`` of a result; an empty one if the directory does not exist."""
    files = result.files(mode)
    if files is None:
        return LoggedSession("", mode, result.benchmark, f"{result.path}/{mode}")
    return read_files(files, result.benchmark)


def read_session_folder(folder: Path, mode: Mode, benchmark: str) -> LoggedSession:
    """A session outside a round's tree."""
    return read_files(session_files(folder, mode), benchmark)


def read_files(files: ModeFiles, benchmark: str) -> LoggedSession:
    """A session from its files."""
    parts = _Parts()
    parts.notes += [f"{name}: {NOTE}" for name in files.pointers]
    runner: Runner = ""
    if files.log:
        log = files.log
        runner = parts.attempt(lambda: runner_of(log), log.name) or ("mlc" if files.json else "eembc")
    elif files.json:
        runner = "mlc"
    if files.results:
        results = files.results
        parts.values["printed"] = printed = parts.attempt(lambda: read_printed(results), results.name)
        parts.sha256["results"] = parts.attempt(lambda: sha256_of(results), results.name) or ""
        if isinstance(printed, Printed):
            parts.tolerated += printed.tolerated
    if runner == "mlc":
        _mlc(files, benchmark, parts)
    elif runner == "eembc":
        _eembc(files, parts)
    printed_simulated = bool(parts.values.get("printed") and parts.values["printed"].simulated)
    parts.values["simulated"] = parts.values.get("simulated", False) or printed_simulated
    return LoggedSession(
        runner=runner,
        mode=files.mode,
        benchmark=benchmark,
        folder=files.folder,
        tolerated=tuple(parts.tolerated),
        notes=tuple(parts.notes),
        sha256={role: digest for role, digest in parts.sha256.items() if digest},
        **parts.values,
    )


# --- EEMBC --------------------------------------------------------------------------------------------------------------------
def _eembc(files: ModeFiles, parts: _Parts) -> None:
    path = files.log
    log = parts.attempt(lambda: read_eembc_log(path, files.mode), path.name) if path else None
    if log is None:
        return
    windows, energy = log.windows, []
    if files.mode == "energy":
        energy = _trace(files, windows, parts)
        windows = _with_lengths(windows, energy)
    parts.tolerated += log.tolerated
    parts.sha256["log"] = log.sha256
    parts.values.update(
        model=log.texts.get("model", ""),
        device=log.texts.get("name", ""),
        profile=log.texts.get("profile", ""),
        voltage_mv=log.texts.get("voltage", ""),
        session_id=log.session_id,
        run_mode=log.run_mode,
        iterations_set=log.iterations_set,
        windows=tuple(windows),
        scores=log.scores,
        energy=tuple(energy),
        infers=log.infers,
        vectors=log.vectors,
        begun=log.begun,
        ended=log.ended,
        truncated=log.truncated,
        errors=tuple(log.errors),
        log_bytes=log.size,
    )


def _trace(files: ModeFiles, windows: list[LoggedWindow], parts: _Parts) -> list[LoggedEnergyWindow]:
    stamps_file, trace_file = files.timestamps, files.trace
    stamps = parts.attempt(lambda: read_timestamps(stamps_file), stamps_file.name) if stamps_file else None
    parts.values["timestamps_s"] = stamps or ()
    if trace_file is None:
        return []
    parts.sha256["trace"] = parts.attempt(lambda: sha256_of(trace_file), trace_file.name) or ""
    samples = parts.attempt(lambda: read_samples(trace_file), trace_file.name)
    if samples is None or stamps is None:
        return []
    found = window_energies(*samples, stamps)
    if len(found) != len(stamps[2::2]):
        parts.notes.append("time stamps reach beyond the trace")
    counts = [window.iterations for window in windows]
    if len(found) != len(counts):  # which window lacks its stamps is not known: only one common count can be taken
        counts = counts[:1] * len(found) if len(set(counts)) == 1 else [0] * len(found)
    return [LoggedEnergyWindow(start, stop, count, energy) for (start, stop, energy), count in zip(found, counts, strict=True)]


def _with_lengths(windows: list[LoggedWindow], energy: list[LoggedEnergyWindow]) -> list[LoggedWindow]:
    """An energy log has no time stamps of its own; the windows' lengths are those of the trace."""
    if len(windows) != len(energy):
        return windows
    return [replace(window, lap_us=None, runtime_s=of.runtime_s) for window, of in zip(windows, energy, strict=True)]


def _timed_by_host(windows: list[LoggedWindow], logged: list[LoggedWindow]) -> list[LoggedWindow]:
    """The exact windows with what the log's time stamps say of them."""
    if len(windows) != len(logged):
        return windows
    return [replace(window, host_s=other.host_s, warmups=other.warmups) for window, other in zip(windows, logged, strict=True)]


# --- MLCommons ----------------------------------------------------------------------------------------------------------------
def _mlc(files: ModeFiles, benchmark: str, parts: _Parts) -> None:
    log_file, json_file = files.log, files.json
    log = (parts.attempt(lambda: read_mlc_log(log_file, files.mode), log_file.name) if log_file else None) or MlcLog()
    loaded = parts.attempt(lambda: load_json(json_file), json_file.name) if json_file else None
    exact = read_mlc_json(json_file, files.mode, loaded) if json_file and loaded else None
    held = Files(files.mode, benchmark, loaded, log.record if log_file else None, log.detections_ms, files.results)
    parts.values["discrepancies"] = parts.attempt(lambda: examine(held), "results.txt") or ()
    if exact is not None and exact.problem:
        parts.notes.append(exact.problem)
        exact = None
    if json_file:
        parts.sha256["json"] = parts.attempt(lambda: sha256_of(json_file), json_file.name) or ""
    parts.tolerated += [*log.tolerated, *(exact.tolerated if exact else ())]
    parts.sha256["log"] = log.sha256
    streaming = benchmark == "sww"
    if exact is not None and log_file is not None and not streaming and _differ(log, exact, files.mode):
        parts.notes.append(DIFFER)
    if streaming:
        parts.values["streaming"] = _streaming(log, exact, parts)
    parts.values.update(
        model=log.texts.get("model", ""),
        device=log.texts.get("name", ""),
        profile=log.texts.get("profile", ""),
        voltage_mv=exact.voltage_mv if exact else "",
        session_id=log.session_id,
        windows=tuple(_timed_by_host(exact.windows, log.windows) if exact and exact.windows else log.windows),
        scores=log.scores if log_file else exact.scores if exact else None,
        energy=tuple(exact.energy) if exact else (),
        infers=log.infers,
        vectors=log.vectors,
        begun=log.begun,
        ended=log.ended,
        truncated=log.truncated,
        errors=tuple(log.errors),
        log_bytes=log.size,
        simulated=log.simulated or bool(exact and exact.simulated),
        stated_classes=tuple(exact.classes) if exact else (),
    )
    if exact and files.mode == "energy" and len(exact.energy) == len(exact.windows):
        parts.values["windows"] = tuple(_with_lengths(list(parts.values["windows"]), exact.energy))


def _streaming(log: MlcLog, exact: MlcJson | None, parts: _Parts) -> Streaming | None:
    if exact and exact.detections_ms:
        if log.detections_ms and log.detections_ms != exact.detections_ms:
            parts.notes.append(DIFFER)
        return Streaming(exact.detections_ms, exact.on_s, exact.off_s, exact.power_mw, "results.json")
    if not log.detections_ms:
        return None
    return Streaming(log.detections_ms, tuple(log.duty_s.get("on", ())), tuple(log.duty_s.get("off", ())), None, "log.txt")


def _differ(log: MlcLog, exact: MlcJson, mode: Mode) -> bool:
    """True if the exact numbers are not those that the log prints. The log may hold more windows: one that fell short is run again."""
    if mode == "accuracy":
        return not _same_scores(log.scores, exact.scores)
    printed = iter(log.windows)
    return not all(any(_same_window(mine, theirs) for theirs in printed) for mine in exact.windows)


def _same_window(exact: LoggedWindow, printed: LoggedWindow) -> bool:
    if exact.file != printed.file or exact.iterations != printed.iterations:
        return False
    if printed.runtime_s is not None and exact.runtime_s is not None and abs(printed.runtime_s - exact.runtime_s) > 0.00051:
        return False
    return not printed.values or exact.values == printed.values


def _same_scores(one: Scores | None, other: Scores | None) -> bool:
    if one is None or other is None:
        return False
    return one.files == other.files and one.values.shape == other.values.shape and bool((one.values == other.values).all())
