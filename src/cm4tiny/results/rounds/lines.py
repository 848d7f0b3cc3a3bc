# SPDX-License-Identifier: Apache-2.0
"""Reads text of unknown origin line by line, in bounded memory, and records what it had to overlook.

What occurs is listed in ``docs/replay.md``: LF, CRLF and both in one file, carriage returns inside lines, colour codes, lines that end with
the file. Lines are split at LF alone: universal newlines would cut lines of real logs in two.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.results.rounds.model import Tolerated

CHUNK_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 16
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_NOTE_CHARS = 80
_STRAY = re.compile(rb"\r(?!\n)")


def printable(text: bytes | str, limit: int = _NOTE_CHARS) -> str:
    """At most ``limit`` characters of a text, with everything but printable ASCII escaped."""
    raw = text[:limit] if isinstance(text, bytes) else text[:limit].encode("utf-8", "replace")
    shown = raw.decode("ascii", "backslashreplace")
    if shown.isprintable():
        return shown[:limit]
    return "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in shown)[:limit]


def one_line(text: str) -> str:
    """A text in one line: what is not printable is escaped. On a CI service a line of its own could be a command to the service."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


class Sink:
    """Collects :class:`Tolerated` records of one file: one a kind, with its first line and a count."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[str, tuple[int, int, str]] = {}

    def add(self, kind: str, line: int = 0, note: bytes | str = "", count: int = 1) -> None:
        """Records ``count`` more occurrences of ``kind``."""
        first, known, text = self._found.get(kind, (line, 0, ""))
        self._found[kind] = (first, known + count, text or printable(note))

    def count(self, kind: str) -> int:
        """How often ``kind`` was recorded."""
        return self._found.get(kind, (0, 0, ""))[1]

    def records(self) -> tuple[Tolerated, ...]:
        """What was recorded, in the order of first occurrence."""
        return tuple(Tolerated(kind, self.file, line, count, note) for kind, (line, count, note) in self._found.items())


@dataclass
class LineFile:
    """The lines of a file; iterate once. ``sha256``, ``size``, ``whole`` and ``last`` are valid afterwards.

    Attributes:
        wanted: only lines that hold one of these are delivered (none: all lines); the others are counted only, which is much faster.
        whole: False if the last line has no line end, so that it may have been cut; right from when that line is delivered.
        last: number of the last line; right from when a last line without line end is delivered.
    """

    path: Path
    sink: Sink
    wanted: tuple[bytes, ...] = ()
    sha256: str = ""
    size: int = 0
    whole: bool = True
    last: int = 0

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Numbers (from 1) and lines, without line ends and carriage returns, at most ``MAX_LINE_BYTES`` long.

        Raises:
            OSError: the file cannot be read.
        """
        for block in self._blocks():
            self._account(block)
            before, self.last = self.last, self.last + block.count(b"\n") + (not block.endswith(b"\n"))
            yield from self._select(block, before) if self.wanted else self._all(block, before)
        if 0 < self.sink.count("crlf") < self.last:
            self.sink.add("mixed-line-ends", count=self.sink.count("crlf"))

    def _blocks(self) -> Iterator[bytes]:
        """Pieces of whole lines. A line that is too long is a piece of its own, cut; the last line may lack its line end."""
        digest = hashlib.sha256()
        rest, skipping = b"", False
        with self.path.open("rb", buffering=0) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
                if self.size == 0:
                    chunk = self._without_bom(chunk)
                self.size += len(chunk)
                if skipping:
                    end = chunk.find(b"\n") + 1
                    chunk, skipping = (chunk[end:], False) if end else (b"", True)
                rest += chunk
                if end := rest.rfind(b"\n") + 1:
                    yield rest[:end]
                    rest = rest[end:]
                if len(rest) > MAX_LINE_BYTES:
                    yield rest[: MAX_LINE_BYTES + 1] + b"\n"
                    rest, skipping = b"", True
        self.sha256 = digest.hexdigest()
        if rest:
            self.whole = False
            yield rest

    def _without_bom(self, chunk: bytes) -> bytes:
        for bom in _BOMS:
            if chunk.startswith(bom):
                self.sink.add("byte-order-mark", 1)
                return chunk[len(bom) :]
        return chunk

    def _account(self, block: bytes) -> None:
        """Records what is odd about a block's bytes, whether its lines are wanted or not."""
        if not block.isascii() and not _is_utf_8(block):
            self.sink.add("not-utf-8", self.last + 1)
        ends = block.count(b"\r\n")
        for kind, odd, count in (
            ("crlf", b"\r\n", ends),
            ("stray-cr", b"\r", block.count(b"\r") - ends),
            ("nul", b"\0", block.count(b"\0")),
            ("colour-code", b"\x1b", block.count(b"\x1b")),
        ):
            if count > 0:
                first = _STRAY.search(block) if kind == "stray-cr" else None
                at = first.start() if first else block.find(odd)
                self.sink.add(kind, self.last + 1 + block.count(b"\n", 0, at), _line_at(block, at), count)

    def _all(self, block: bytes, before: int) -> Iterator[tuple[int, bytes]]:
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        for number, line in enumerate(lines, before + 1):
            yield number, self._clean(number, line)

    def _select(self, block: bytes, before: int) -> Iterator[tuple[int, bytes]]:
        found: dict[int, int] = {}
        for token in self.wanted:
            at = block.find(token)
            while at >= 0:
                start, end = block.rfind(b"\n", 0, at) + 1, block.find(b"\n", at)
                found[start] = end if end >= 0 else len(block)
                at = block.find(token, found[start])
        number, counted = before + 1, 0
        for start in sorted(found):
            number += block.count(b"\n", counted, start)
            counted = start
            yield number, self._clean(number, block[start : found[start]])

    def _clean(self, number: int, line: bytes) -> bytes:
        if len(line) > MAX_LINE_BYTES:
            self.sink.add("long-line", number, line)
            line = line[:MAX_LINE_BYTES]
        return line.replace(b"\r", b"").replace(b"\0", b"") if b"\r" in line or b"\0" in line else line


def _is_utf_8(block: bytes) -> bool:
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _line_at(block: bytes, at: int) -> bytes:
    start = block.rfind(b"\n", 0, at) + 1
    return block[start : start + _NOTE_CHARS]


def sha256_of(path: Path) -> str:
    """The hash of a file, read in pieces.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
