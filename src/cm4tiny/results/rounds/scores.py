# SPDX-License-Identifier: Apache-2.0
"""Collects the result vectors of an accuracy session file by file, in memory that grows with the files and not with the inferences."""

from __future__ import annotations

import numpy as np

from cm4tiny.results.rounds.lines import Sink
from cm4tiny.results.rounds.model import Scores

MAX_FILES = 20_000
MAX_NUMBERS = 1_000_000


class ScoreTable:
    """Sums of vectors by file. A vector whose width differs from the first one's is not counted, and that is recorded."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._rows: dict[str, tuple[list[float], int, int]] = {}  # sums, count, first line
        self._width = 0
        self.full = False

    def add(self, file: str, values: tuple[float, ...], line: int, *, segment: bool) -> None:
        """One vector of ``file``; ``segment`` says that the file is read in pieces, so that several vectors are normal."""
        if not file:
            self._sink.add("vector-without-file", line)
            return
        self._width = self._width or len(values)
        if len(values) != self._width:
            self._sink.add("vector-width", line, f"{len(values)} entries where {self._width} are usual")
            return
        row = self._rows.get(file)
        if row is None:
            if len(self._rows) >= MAX_FILES or len(self._rows) * self._width >= MAX_NUMBERS:
                self.full = True
                return
            self._rows[file] = (list(values), 1, line)
            return
        if not segment:
            self._sink.add("file-again", line, file)
        sums, count, first = row
        self._rows[file] = ([a + b for a, b in zip(sums, values, strict=True)], count + 1, first)

    def scores(self) -> Scores:
        """The means, one row a file."""
        counts = np.array([count for _, count, _ in self._rows.values()], dtype=np.int64)
        sums = np.array([sums for sums, _, _ in self._rows.values()], dtype=np.float64).reshape(len(self._rows), self._width)
        with np.errstate(over="ignore"):
            values = sums / counts[:, None] if len(counts) else sums
        lines = np.array([line for _, _, line in self._rows.values()], dtype=np.int64)
        return Scores(tuple(self._rows), values, counts, lines)
