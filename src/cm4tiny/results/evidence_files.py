# SPDX-License-Identifier: Apache-2.0
"""Reads the files that a report stands on: by names from the report, below its folder only, and never more than a bound.

A report may come from anyone. A name that leads out of its folder, a symbolic link, a pipe, a file that is too long or too deep is refused
by name, before anything of it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from cm4tiny.errors import ResultsError
from cm4tiny.results.rounds.record.strict_json import loads_strictly

MAX_JSON_BYTES = 8 << 20
"""Of a report or an outcome. That of the four benchmarks with MLPerf Tiny's own data sets has 2,500 files and 0.5 MB."""
MAX_FILE_BYTES = 256 << 20
"""Of a file whose digest is computed: several times the longest session of a published round."""
_BLOCK = 1 << 20
_MAX_NAME = 1024
_HINT = "verify the folder that the run wrote, as a whole"


@dataclass(frozen=True)
class FileDigest:
    """SHA-256 in hex, and size in bytes."""

    sha256: str
    bytes: int


def inside(folder: Path, name: str) -> Path:
    """The path of ``name``, a relative POSIX path, below ``folder``; no part of it is a symbolic link.

    Raises:
        ResultsError: it leads elsewhere.
    """
    parts = PurePosixPath(name).parts
    plain = 0 < len(name) <= _MAX_NAME and "\0" not in name and not name.startswith("/") and ".." not in parts and bool(parts)
    if not plain:
        raise ResultsError(f"the report names a file outside of its folder: {name[:80]!r}", hint=_HINT)
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise ResultsError(f"{path} is a symbolic link", why="what it leads to is not part of the report", hint=_HINT)
    return path


@contextlib.contextmanager
def _opened(path: Path, most: int) -> Iterator[IO[bytes]]:
    """A regular file of at most ``most`` bytes; opening a pipe or a device does not wait for it."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ResultsError(f"{path} is not a regular file", hint=_HINT)
            if status.st_size > most:
                raise ResultsError(f"{path} has {status.st_size} bytes", why=f"at most {most} are read", hint=_HINT)
            yield stream
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ResultsError(f"{path} cannot be read", why=why, hint=_HINT) from error


def digest_of(path: Path) -> FileDigest:
    """The digest of a file.

    Raises:
        ResultsError: it cannot be read, is not a regular file, or is longer than :data:`MAX_FILE_BYTES`.
    """
    digest, count = hashlib.sha256(), 0
    with _opened(path, MAX_FILE_BYTES) as stream:
        while count <= MAX_FILE_BYTES and (block := stream.read(_BLOCK)):
            digest.update(block)
            count += len(block)
    return FileDigest(digest.hexdigest(), count)


def read_bounded(path: Path, most: int = MAX_JSON_BYTES) -> bytes:
    """The content of a file of at most ``most`` bytes.

    Raises:
        ResultsError: as :func:`digest_of`.
    """
    with _opened(path, most) as stream:
        return stream.read(most)


def read_object(path: Path, what: str) -> dict[str, Any]:
    """The JSON object in a file.

    Args:
        what: what it should be, for the error: ``"a report"``.

    Raises:
        ResultsError: it cannot be read, or is no JSON object: a key twice, a number that is none, too deep.
    """
    value, problem, faults = loads_strictly(read_bounded(path), path.name)
    if problem or faults or not isinstance(value, dict):
        raise ResultsError(f"{path} is not {what}", why=problem or "; ".join(faults[:3]) or "it is not a JSON object", hint=_HINT)
    return value
