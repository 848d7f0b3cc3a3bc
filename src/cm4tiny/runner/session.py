# SPDX-License-Identifier: Apache-2.0
"""Sessions on disk: ``log.txt``, ``results.txt`` and ``results.json`` as the MLCommons runner writes them.

Formats: ``mlcommons/tiny`` ``benchmark/runner/{main,script}.py`` and the sessions of round v1.3; ``docs/session-format.md`` describes them.
The log streams while the run continues; the two results files appear at the end, complete or not at all. What a virtual board or a
simulated power monitor made says so in the first line of each text file and in every entry of ``results.json``; so does what was
measured with firmware of the open division.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from cm4tiny.boards.catalogue import NOT_STRICT
from cm4tiny.errors import ResultsError
from cm4tiny.files import replacing
from cm4tiny.firmware.division import SESSION_MARK

Clock = Callable[[], datetime]

SIMULATION_EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)
"""When every simulated session begins: its time stamps are virtual, so that equal runs leave equal bytes."""


def utc_now() -> datetime:
    """The wall clock, in UTC whatever the time zone of the machine."""
    return datetime.now(timezone.utc)


def virtual_now(clock: Callable[[], float]) -> Clock:
    """A wall clock that shows a virtual board's time, from :data:`SIMULATION_EPOCH` on."""
    return lambda: SIMULATION_EPOCH + timedelta(seconds=clock())


RESULTS_TXT = "results.txt"
RESULTS_JSON = "results.json"
LOG_TXT = "log.txt"
RULE_LINE = "-" * 57
_CHECKED = re.compile(r"Median throughput is|Median energy cost is|Top[- ]1%?\s?[:=]|AUC\s?[:=]|Power\s+:|Accuracy:|Average duty cycle")


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turns what the file system says into a :class:`ResultsError` with a hint."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise ResultsError(
            f"cannot write {path}",
            why="the disk is full" if full else f"{error.strerror or error}",
            hint="free some space and start the run again: an accuracy run continues where it stopped"
            if full
            else "check that the folder exists and that you may write to it",
        ) from error


def _write_parts(path: Path, parts: Iterable[str]) -> None:
    """Writes a text file of many parts so that it is there completely, and on the disk, or not at all."""
    with file_errors(path), replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(parts)
        stream.flush()
        os.fsync(stream.fileno())


class SessionWriter:
    """One session: a folder with a log that streams and results that appear at the end. A context manager.

    Args:
        root: the folder of all sessions; the session's own is ``root/YYYYMMDD_HHMMSS`` (with ``_2``, ``_3``... if that is taken).
        simulated: what made up the numbers (``"virtual"`` and the board's name), or empty for a measurement on hardware.
        strict: False if a virtual board ran on where the chip would not have.
        open_division: why the firmware is one of the open division, or empty.
        now: the wall clock; a fixed or virtual one makes files reproducible.
        folder: the session's own folder, if the caller decides on it.

    Attributes:
        closing_label: asked at the end for a label of what the results rest on; empty: none.

    Leaving the context without :meth:`finish` keeps the log and writes no results: a session without ``results.txt`` did not end well.
    """

    def __init__(
        self,
        root: Path,
        *,
        simulated: str = "",
        strict: bool = True,
        open_division: str = "",
        now: Clock = utc_now,
        folder: Path | None = None,
    ) -> None:
        self.simulated = simulated
        self.strict = strict
        self.open_division = open_division
        self.closing_label: Callable[[], str] = str
        self.closing: Callable[[], Iterable[str]] = tuple
        """Lines that the log gets before its last one: what is known only when everything has run."""
        self._now = now
        self._lines: list[str] = []
        self._entries: list[dict[str, Any]] = []
        self._whole = 0
        self.folder = folder if folder is not None else self._new_folder(root)
        with file_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._log: IO[bytes] = (self.folder / LOG_TXT).open("wb", buffering=0)
        if simulated:
            origin = simulated + ("" if strict else f", {NOT_STRICT}")
            self._label("SIMULATED", origin, "these numbers were not measured on hardware and cannot be submitted")
        if open_division:
            self._label(SESSION_MARK, open_division, "these numbers cannot be submitted to the closed division")
        self.log(f"Logging initialized. Writing output to {Path('sessions', self.folder.name, LOG_TXT).as_posix()}")

    def _new_folder(self, root: Path) -> Path:
        stamp = self._now().strftime("%Y%m%d_%H%M%S")
        for number in range(1, 1000):
            folder = root / (stamp if number == 1 else f"{stamp}_{number}")
            with file_errors(folder):
                root.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    folder.mkdir()
                    return folder
        raise ResultsError(f"no free folder for a session below {root}", hint="remove old sessions")

    def _label(self, word: str, why: str, meaning: str) -> None:
        label = f"{word}: {' '.join(why.split())}; {meaning}"
        self._label_line(label)

    def _label_line(self, label: str) -> None:
        if _CHECKED.search(label):
            raise ValueError("a label must not look like a result")
        self.result(label)

    def __enter__(self) -> SessionWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._log.close()

    # --- log ------------------------------------------------------------------------------------------------------------------
    def log(self, text: str) -> None:
        """A line without a time stamp; leading blanks go, as in the MLCommons runner's log.

        Raises:
            ResultsError: the disk is full or the file is gone; the log then ends with its last whole line.
        """
        data = (" ".join(text.splitlines()).strip() + "\n").encode("utf-8", "backslashreplace")
        with file_errors(self.folder / LOG_TXT):
            try:
                if self._log.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                with contextlib.suppress(OSError):
                    self._log.truncate(self._whole)
                raise
        self._whole += len(data)

    def stamped(self, text: str) -> None:
        """A line with the runner's time stamp: ``MMDD.HHMMSS ulp-mlperf: text``."""
        self.log(f"{self.stamp()} ulp-mlperf: {text}")

    def stamp(self) -> str:
        """The time as the MLCommons runner prints it."""
        return self._now().strftime("%m%d.%H%M%S")

    # --- results --------------------------------------------------------------------------------------------------------------
    def result(self, text: str, *, stamped: bool = False) -> None:
        """A line of ``results.txt``, which the log gets too."""
        line = f"{self.stamp()} ulp-mlperf: {text}" if stamped else text
        self._lines.append(line)
        self.log(line)

    def entry(self, entry: dict[str, Any]) -> None:
        """An entry of ``results.json``."""
        marks: dict[str, Any] = ({"simulated": True} if self.simulated else {}) | ({} if self.strict else {"strict": False})
        marks |= {"division": "open"} if self.open_division else {}
        self._entries.append(entry | marks)

    def finish(self) -> Path:
        """Writes ``results.json`` and ``results.txt`` and returns the session's folder; nothing of them stays if that fails."""
        label = self.closing_label()
        if label:
            self._label_line(label)
        for line in self.closing():
            self.log(line)
        self.log(f"Session logged in file {Path('sessions', self.folder.name, LOG_TXT).as_posix()}")
        target = self.folder / RESULTS_JSON
        try:
            _write_parts(target, _json_parts(self._entries))
            _write_parts(self.folder / RESULTS_TXT, (line + "\n" for line in self._lines))
        except BaseException:
            with contextlib.suppress(OSError):
                target.unlink()
            raise
        return self.folder


def _json_parts(entries: list[dict[str, Any]]) -> Iterator[str]:
    encoder = json.JSONEncoder(allow_nan=False)
    yield "["
    for number, entry in enumerate(entries):
        yield (", " if number else "") + encoder.encode(entry)
    yield "]"
