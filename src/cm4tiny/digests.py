# SPDX-License-Identifier: Apache-2.0
"""SHA-256 of files, always from their bytes; one process reads a file once for as long as its status says that nothing touched it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_BLOCK = 1 << 20
_READERS = 4
_Stamp = tuple[int, int, int, int, int]
_known: dict[str, tuple[_Stamp, str]] = {}


def file_sha256(path: Path) -> str:
    """The digest of a file's content in hex. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def known_sha256(path: Path) -> str:
    """As :func:`file_sha256`, but a file that this process has read before is not read again while its status stays the same.

    The status includes the time of the last change of the inode, which no program can set: a file whose time of modification was put back
    is read again. Nothing is remembered from one process to the next. Raises OSError.
    """
    name = os.fspath(path)
    before = _stamp(name)
    known = _known.get(name)
    if known is not None and known[0] == before:
        return known[1]
    digest = file_sha256(path)
    if _stamp(name) == before:
        _known[name] = (before, digest)
    return digest


def known_sha256_of_all(paths: list[Path]) -> list[str]:
    """:func:`known_sha256` of several files, some of them at once. Raises OSError."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(_READERS, max(1, len(paths)))) as pool:
        return list(pool.map(known_sha256, paths))


def _stamp(name: str) -> _Stamp:
    status = os.stat(name)  # noqa: PTH116 - one call for each file of a tree
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
