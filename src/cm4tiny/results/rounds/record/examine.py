# SPDX-License-Identifier: Apache-2.0
"""Puts a session's files side by side and returns what does not agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.results.rounds.lines import LineFile, Sink, printable
from cm4tiny.results.rounds.model import Discrepancy, DiscrepancyPart, Mode
from cm4tiny.results.rounds.record import expected, streaming
from cm4tiny.results.rounds.record.fields import FieldFault, entry_faults, power_faults, whole
from cm4tiny.results.rounds.record.log_lines import LOADING, LogRecord, is_summary, without_stamp
from cm4tiny.results.rounds.record.strict_json import LoadedJson

MAX_OF_A_PART = 8
MAX_PRINTED = 20_000


@dataclass(frozen=True)
class Files:
    """What is compared. A part that is None is not there and is not missed here: the audit has rules for missing files."""

    mode: Mode
    benchmark: str
    json: LoadedJson | None
    log: LogRecord | None
    detections_ms: tuple[int, ...] = ()
    results: Path | None = None


def examine(files: Files) -> tuple[Discrepancy, ...]:
    """All differences, a few of each part.

    Raises:
        OSError: ``results.txt`` cannot be read.
    """
    kept: dict[DiscrepancyPart, list[Discrepancy]] = {}
    for one in _all(files):
        found = kept.setdefault(one.part, [])
        if len(found) < MAX_OF_A_PART:
            found.append(one)
    return tuple(one for found in kept.values() for one in found)


def _all(files: Files) -> Iterator[Discrepancy]:
    printed = read_printed_lines(files.results) if files.results is not None else None
    if files.json is not None:
        faults = list(_faults(files.json, files))
        yield from faults
        if not faults:  # what is malformed cannot be compared
            yield from _against_log_and_results(files.json.entries, files, printed)
    if files.log is not None:
        yield from _within_log(files.log)
        if printed is not None:
            yield from _summary(files.log, printed)


def read_printed_lines(path: Path) -> list[tuple[str, int]]:
    """The lines of a ``results.txt`` that the session's record gives, with their numbers.

    Raises:
        OSError: the file cannot be read.
    """
    found: list[tuple[str, int]] = []
    for number, raw in LineFile(path, Sink(path.name)):
        text, stamped = without_stamp(raw)
        if is_summary(text, stamped) and len(found) < MAX_PRINTED:
            found.append((text, number))
    return found


# --- results.json by itself -----------------------------------------------------------------------------------------------------
def _faults(loaded: LoadedJson, files: Files) -> Iterator[Discrepancy]:
    for text in (loaded.problem, *loaded.faults):
        if text:
            yield Discrepancy("form", "results.json", "", text.removeprefix("results.json: "))
    if loaded.problem:
        return
    if not loaded.entries:
        yield Discrepancy("form", "results.json", "", "holds no entry")
    if files.benchmark == "sww" and len(loaded.entries) > 1:
        yield Discrepancy("form", "results.json", "", f"holds {len(loaded.entries)} entries, a streaming session has one")
    for number, entry in enumerate(loaded.entries, start=1):
        for fault in _entry_faults(entry, files):
            yield Discrepancy("sums" if fault.sums else "form", "results.json", f"entry {number}", printable(fault.text, 240))
    yield from _across(loaded.entries, files.mode)


def _entry_faults(entry: Any, files: Files) -> Iterator[FieldFault]:
    yield from streaming.faults(entry, files.mode) if files.benchmark == "sww" else entry_faults(entry, files.mode, files.benchmark)
    if files.mode == "energy" and isinstance(entry, dict) and "power" in entry:
        yield from power_faults(entry["power"])


def _across(entries: Sequence[Any], mode: Mode) -> Iterator[Discrepancy]:
    """What must be one in all entries, or follow from entry to entry."""
    objects = [entry for entry in entries if isinstance(entry, dict)]
    volts = {str(entry["power"].get("voltage")) for entry in objects if isinstance(entry.get("power"), dict)}
    if len(volts) > 1:
        yield Discrepancy("sums", "results.json", "", f"the supply voltage changes within the session: {', '.join(sorted(volts))} V")
    for key in ("simulated", "strict", "division"):
        marks = {str(entry.get(key)) for entry in objects}
        if len(marks) > 1:
            yield Discrepancy("sums", "results.json", "", f"only some entries are marked {key}")
    if mode == "performance":
        yield from _clock(objects)
    if mode == "accuracy":
        yield from _segments(objects)


def _segments(entries: Sequence[dict[str, Any]]) -> Iterator[Discrepancy]:
    """A file that is sent in pieces has as many entries as each of them says."""
    counts = Counter(str(entry.get("file")) for entry in entries)
    for number, entry in enumerate(entries, start=1):
        stated, found = entry.get("total_length"), counts[str(entry.get("file"))]
        if whole(stated) and stated != found:
            text = f"total_length is {stated}, results.json holds {found} entries of {str(entry.get('file'))[:60]}"
            yield Discrepancy("sums", "results.json", f"entry {number}", printable(text, 200))


def _clock(entries: Sequence[dict[str, Any]]) -> Iterator[Discrepancy]:
    """A window begins after the last one ended; a 32-bit clock may wrap in between."""
    end = -1
    what = "the end of the window before"
    for number, entry in enumerate(entries, start=1):
        infer = entry.get("infer")
        if not isinstance(infer, dict) or not whole(infer.get("start_time")) or not whole(infer.get("end_time")):
            continue
        start, stop = int(infer["start_time"]), int(infer["end_time"])
        if end > start and end - start <= 2**31:
            yield Discrepancy("sums", "results.json", f"entry {number}", f"start_time {start} us comes before {end} us, {what}")
        end = stop


# --- results.json, log.txt, results.txt --------------------------------------------------------------------------------------------
def _against_log_and_results(entries: list[Any], files: Files, printed: list[tuple[str, int]] | None) -> Iterator[Discrepancy]:
    if files.benchmark == "sww":
        right = streaming.told(entries[0], files.mode)
        lines = right.results
    else:
        lines = expected.results(entries, files.mode)
    log = files.log
    if log is not None and files.benchmark == "sww":
        for number, text in streaming.stream_differences(entries[0], right, log):
            yield _at_line("log", "log.txt", number, text)
        if tuple(entries[0]["infer"]["detections"]) != files.detections_ms:
            yield Discrepancy("log", "log.txt", "", "the list of detections is not that of results.json")
    elif log is not None:
        yield from _groups(list(expected.groups(entries, files.mode)), log)
        yield from _announced(entries, files, log)
    if log is not None:
        yield from _volts(entries, log)
    if printed is not None and (difference := expected.first_difference(lines, printed)):
        yield _at_line("results", "results.txt", *difference)


def _at_line(part: DiscrepancyPart, file: str, number: int, text: str) -> Discrepancy:
    return Discrepancy(part, file, f"line {number}" if number else "", printable(text, 300))


def _groups(right: list[str], log: LogRecord) -> Iterator[Discrepancy]:
    found = _finished(log.groups)
    if log.full:
        return
    for text, (group, number) in zip(right, found, strict=False):
        if text != group:
            difference = expected.first_difference(
                expected.single(text.split("\n")), [(line, n) for n, line in enumerate(group.split("\n"))]
            )
            line, what = difference or (0, "")
            yield _at_line("log", "log.txt", number, f"{'' if not line else f'{line} records further: '}{what}")
    if len(found) != len(right):
        number = found[len(right)][1] if len(found) > len(right) else 0
        yield _at_line("log", "log.txt", number, f"{len(found)} inference commands, results.json holds {len(right)}")


def _finished(groups: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """The groups without those of attempts that broke off or fell short: the same input is then loaded once more."""
    found: list[tuple[str, int]] = []
    for place, (group, number) in enumerate(groups):
        lines = group.split("\n")
        again = place + 1 < len(groups) and groups[place + 1][0].split("\n", 1)[0] == lines[0]
        broken = len(lines) < 4 and all(
            line.startswith(start) for line, start in zip(lines, (LOADING, "Load complete", "Running"), strict=False)
        )
        if not (again and broken):
            found.append((group, number))
    return found


def _announced(entries: list[Any], files: Files, log: LogRecord) -> Iterator[Discrepancy]:
    number = len({expected.file_name(entry) for entry in entries})
    wrong = [text for text in log.full_set if text != str(number)]
    if files.mode == "accuracy" and wrong:
        yield Discrepancy("log", "log.txt", "", f"the full set has {wrong[0]} files, results.json holds {number}")


def _volts(entries: list[Any], log: LogRecord) -> Iterator[Discrepancy]:
    power = entries[0].get("power")
    if isinstance(power, dict) and any(text != f"{power['voltage']:g}" for text in log.volts):
        yield Discrepancy("log", "log.txt", "", f"the power monitor supplies {log.volts[0]} V, results.json says {power['voltage']} V")


# --- log.txt and results.txt ---------------------------------------------------------------------------------------------------------
def _within_log(log: LogRecord) -> Iterator[Discrepancy]:
    if log.stray is not None:
        text, number = log.stray
        yield _at_line("log", "log.txt", number, f"{text!r} belongs to no input")
    for name, places, place in (("begin", log.begins, log.first), ("end", log.ends, log.last)):
        if len(places) != 1:
            yield _at_line("log", "log.txt", places[-1][1] if places else 0, f"{len(places)} lines {name} the log, the runner writes one")
        elif places[0][1] != place:
            yield _at_line("log", "log.txt", places[0][1], f"the line that should {name} the log does not stand there")
    if len({place for place, _ in (*log.begins, *log.ends)}) > 1:
        yield Discrepancy("log", "log.txt", "", f"begins as {log.begins[:1]} and ends as {log.ends[:1]}")


def _summary(log: LogRecord, printed: list[tuple[str, int]]) -> Iterator[Discrepancy]:
    """The log ends with what ``results.txt`` holds."""
    difference = expected.first_difference(expected.single(text for text, _ in printed), log.summary)
    if difference is not None:
        number, text = difference
        yield _at_line("summary", "log.txt", number, text.replace("results.json gives", "results.txt says"))
