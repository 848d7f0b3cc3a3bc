# SPDX-License-Identifier: Apache-2.0
"""Damage on the serial line between the runner and a device, and devices that are not what they seem."""

from __future__ import annotations

import errno
import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from support.scripted_device import ScriptedDevice
from support.serial_campaign import BENCHMARK, Bench, Line, differs, without_sync

from cm4tiny.deadline import Deadline
from cm4tiny.errors import ResultsError
from cm4tiny.runner import Dut, SessionWriter, run_accuracy
from cm4tiny.runner.messages import Malformed, parse_messages
from ledger.outcome import Outcome, attempt

STATED_S = 90.0
"""docs/runner.md: how long a device that never makes sense may keep the runner."""


def parsed_line(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """One line of an answer, parsed: ``line``."""
    message = parse_messages(inputs["line"])[0]
    if isinstance(message, Malformed):
        return Outcome("refused", "Malformed", message.why)
    return Outcome("wrong", type(message).__name__, message.line)


class _Edits:
    """Changes texts of answers.

    Each edit has ``command`` (how it begins), ``find`` (a regular expression), ``put``, and perhaps ``at`` (which times; else always).
    """

    def __init__(self, edits: list[dict[str, Any]]) -> None:
        self._edits = edits
        self._counts: Counter[int] = Counter()

    def __call__(self, command: str, lines: list[bytes]) -> list[bytes]:
        for number, edit in enumerate(self._edits):
            if command.startswith(edit["command"]):
                self._counts[number] += 1
                if self._counts[number] in edit.get("at", [self._counts[number]]):
                    lines = [re.sub(edit["find"].encode("latin-1"), edit["put"].encode("latin-1"), line) for line in lines]
        return lines


class _SentEdits:
    """The same for what is sent to the device."""

    def __init__(self, edits: list[dict[str, Any]]) -> None:
        self._edits = _Edits(edits)

    def __call__(self, direction: str, data: bytes) -> bytes:
        return self._edits(data.decode("latin-1"), [data])[0] if direction == "to" else data


def conversation(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A whole run: ``mode``, ``dialect``, ``edits`` of answers, ``sent``: edits of commands, ``device``: its attributes."""
    mode, dialect = inputs.get("mode", "performance"), inputs.get("dialect", "own")
    bench = Bench(folder)
    device = bench.device(mode, dialect, Line())
    device = ScriptedDevice(
        **{
            **{name: getattr(device, name) for name in ("model_id", "input_bytes", "results", "dialect", "energy", "running")},
            "disturb": _SentEdits(inputs.get("sent", [])),
            "edit": _Edits(inputs.get("edits", [])),
            **inputs.get("device", {}),
        }
    )

    def run() -> Outcome:
        with without_sync():
            truth = bench.truth(mode, dialect)[0]
            record = bench.run(mode, dialect, Line(), device)
        doubts = [line for line in record.results if line.startswith("e-[") and line not in truth.results]
        if doubts:
            return Outcome("noted", "", " ".join(doubts))
        difference = differs(record, truth, exact=dialect == "own")
        return Outcome("wrong", "", difference) if difference else Outcome("correct")

    return attempt(run)


class _Hostile(ScriptedDevice):
    """Sends something for ever, from the start or once it has been asked ``after`` questions."""

    kind = ""
    after = 0
    asked = 0

    def write(self, data: bytes) -> None:
        self.asked += data.count(b"%")
        super().write(data)

    def read(self, deadline: Deadline) -> bytes:
        if self.asked < self.after:
            return super().read(deadline)
        self.now += 0.01
        if self.kind == "trickle":
            self.now += 0.5
            return b"x"
        if self.kind == "silence":
            self.now += max(0.0, deadline.remaining)
            return b""
        return {
            "noise": bytes((i * 37 + 128) & 0xFF for i in range(115)),
            "line": b"y" * 115,
            "lines": b"debug: all is well\r\n" * 6,
            "ready": b"m-ready\r\n" * 12,
            "results": b"m-results-[1.000,0.000,0.000]\r\nm-ready\r\n" * 3,
        }[self.kind]


def hostile(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A device that never makes sense: ``kind``, ``after`` so many questions. It must be refused within the stated time."""
    bench = Bench(folder)
    device = _Hostile(input_bytes=BENCHMARK.input_bytes, dialect=inputs.get("dialect", "own"))
    device.kind, device.after = inputs["kind"], inputs.get("after", 0)

    def run() -> Outcome:
        with without_sync():
            bench.run("performance", "own", Line(), device)
        return Outcome("wrong", "", "a result")

    outcome = attempt(run)
    if device.now > STATED_S:
        return Outcome("wrong", outcome.name, f"it took {device.now:.0f} s: {outcome.text}")
    return outcome


def full_disk(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The disk fills after so many bytes (``room``) in files whose name ends with ``file``; the run must be resumable afterwards."""
    bench = Bench(folder)
    journal = folder / "out" / "journal.jsonl"

    def run() -> float:
        device = bench.device("accuracy", "own", Line())
        with SessionWriter(folder / "out" / "s", simulated="scripted") as session:
            return run_accuracy(Dut(device), BENCHMARK, bench.data_set, session, journal=journal).top_1

    with without_sync():
        right = bench.truth("accuracy", "own")[0].headline
        try:
            with _quota(inputs["file"], inputs["room"]):
                run()
            return Outcome("wrong", "", "no error")
        except ResultsError as error:
            refused = Outcome("refused" if error.hint else "wrong", type(error).__name__, str(error))
        if "disk is full" not in refused.text or list((folder / "out").rglob("results.*")):
            return Outcome("wrong", refused.name, f"{refused.text}, and {sorted(p.name for p in (folder / 'out').rglob('*'))}")
        return refused if run() == right else Outcome("wrong", "", "another accuracy after the disk was freed")


def _quota(name: str, room: int) -> Any:
    """``open()`` of files with that end of name gives files with so much room."""
    original = Path.open

    def limited(path: Path, *arguments: Any, **options: Any) -> Any:
        stream = original(path, *arguments, **options)
        if not path.name.rstrip(".part").endswith(name) and name not in path.name:
            return stream
        return _Limited(stream, room)

    return mock.patch.object(Path, "open", limited)


class _Limited:
    """A file on a disk with little room left; a write that does not fit is cut, as write(2) does it."""

    def __init__(self, stream: Any, room: int) -> None:
        self._stream, self._room = stream, room

    def write(self, data: Any) -> int:
        if self._room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = data[: self._room]
        self._room -= len(part)
        return int(self._stream.write(part))

    def writelines(self, parts: Any) -> None:
        for part in parts:
            if self.write(part) < len(part):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __enter__(self) -> _Limited:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
