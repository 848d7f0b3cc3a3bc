# SPDX-License-Identifier: Apache-2.0
"""The journal of an accuracy run: what was measured is on disk, so that an interrupted run continues where it stopped.

One JSON object a line: first a header that names what is measured, then one line an inference. Lines are appended and synced in batches
and whenever the journal closes; a killed run loses at most the batch that the operating system had not written yet, and a line that was
torn at the end is cut off on the next start.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from cm4tiny.errors import ResultsError
from cm4tiny.files import move_into_place
from cm4tiny.runner.dut import Inference
from cm4tiny.runner.session import file_errors

if TYPE_CHECKING:
    from cm4tiny.benchmarks import DataSet

FORMAT = "cm4tiny accuracy journal 2"
"""Journal 1 is of runs whose inputs and answers were not proved: such a run starts again."""
BATCH = 20
"""Inferences between two syncs: a few seconds of a fast run."""


@dataclass(frozen=True)
class JournalKey:
    """What a journal belongs to; a journal of anything else is not continued.

    Attributes:
        benchmark: benchmark id.
        image: sha256 of the firmware image, or the device's name and profile where the image is not known.
        data_set: :func:`data_set_hash`.
    """

    benchmark: str
    image: str
    data_set: str

    def header(self) -> dict[str, str]:
        """The journal's first line."""
        return {"format": FORMAT, "benchmark": self.benchmark, "image": self.image, "data_set": self.data_set}


def data_set_hash(data_set: DataSet) -> str:
    """sha256 over the list of labels and every file that it names, in its order."""
    digest = hashlib.sha256(data_set.labels_sha256.encode())
    for sample in data_set.samples:
        path = data_set.root / sample.file
        digest.update(f"\0{sample.file}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()


class Journal:
    """An open journal. A context manager; closing it syncs it.

    Args:
        path: the file; made if it does not exist.
        key: what is measured.

    Attributes:
        inferences: what earlier runs measured, by (index of the sample, segment).
        note: why an existing journal was not continued, or empty.
    """

    def __init__(self, path: Path, key: JournalKey) -> None:
        self.path = path
        self.inferences: dict[tuple[int, int], Inference] = {}
        self.note = ""
        self._unsynced = 0
        whole = self._read(key)
        with file_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream: IO[bytes] = path.open("r+b" if path.exists() else "w+b", buffering=0)
            self._stream.truncate(whole)
            self._stream.seek(whole)
        self._whole = whole
        if whole == 0:
            self._append(key.header())
            self.sync()

    def _read(self, key: JournalKey) -> int:
        """Length of the part that can be continued; 0 if there is none."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise ResultsError(f"cannot read the journal {self.path}", why=str(error.strerror), hint="remove it to start again") from error
        lines = data.splitlines(keepends=True)
        header = _object(lines[0]) if lines else None
        if header != key.header():
            if lines:
                self.note = f"the journal {self.path.name} is of another {self._difference(header, key)}: the run starts again"
                with file_errors(self.path):
                    move_into_place(self.path, self.path.with_name(self.path.name + ".old"))
            return 0
        whole = len(lines[0])
        for line in lines[1:]:
            record = _object(line)
            inference = None if record is None else _inference(record)
            if inference is None:
                break
            self.inferences[inference[0]] = inference[1]
            whole += len(line)
        if whole < len(data):
            self.note = f"the journal {self.path.name} ends in a torn line, which is measured again"
        return whole

    @staticmethod
    def _difference(header: dict[str, Any] | None, key: JournalKey) -> str:
        names = {"benchmark": "benchmark", "image": "firmware image", "data_set": "data set"}
        if header is None or header.get("format") != FORMAT:
            return "format"
        return " and ".join(text for name, text in names.items() if header.get(name) != getattr(key, name))

    def add(self, sample: int, segment: int, inference: Inference) -> None:
        """Appends one inference (synced with its batch)."""
        self._append(
            {"s": sample, "g": segment, "n": inference.iterations, "w": inference.warmups, "t": inference.lap_us, "r": inference.results}
        )
        self.inferences[sample, segment] = inference
        self._unsynced += 1
        if self._unsynced >= BATCH:
            self.sync()

    def _append(self, record: dict[str, Any]) -> None:
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        with file_errors(self.path):
            try:
                if self._stream.write(line) != len(line):
                    raise OSError(28, os.strerror(28))
            except OSError:
                with contextlib.suppress(OSError):
                    self._stream.truncate(self._whole)
                raise
        self._whole += len(line)

    def sync(self) -> None:
        """Makes sure that what was added is on the disk."""
        with file_errors(self.path):
            os.fsync(self._stream.fileno())
        self._unsynced = 0

    def close(self) -> None:
        """Syncs and closes."""
        if not self._stream.closed:
            try:
                self.sync()
            finally:
                self._stream.close()

    def remove(self) -> None:
        """Closes the journal and deletes it: its run is complete."""
        self._stream.close()
        with file_errors(self.path):
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _object(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _inference(record: dict[str, Any]) -> tuple[tuple[int, int], Inference] | None:
    try:
        laps = record["t"]
        lap_us = None if laps is None else (int(laps[0]), int(laps[1]))
        results = tuple(float(value) for value in record["r"])
        return (int(record["s"]), int(record["g"])), Inference(int(record["n"]), int(record["w"]), lap_us, results)
    except (KeyError, TypeError, ValueError, IndexError):
        return None
