# SPDX-License-Identifier: Apache-2.0
"""Digests of files: sha256, or md5 where a publisher states nothing else (Zenodo)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.errors import UsageError

_LENGTHS = {"sha256": 64, "md5": 32}
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Digest:
    """The expected digest of a file.

    Attributes:
        algorithm: ``sha256`` or ``md5``.
        value: in hex, small letters.

    Raises:
        ValueError: unknown algorithm, or a value that cannot be its digest.
    """

    algorithm: str
    value: str

    def __post_init__(self) -> None:
        length = _LENGTHS.get(self.algorithm)
        if length is None or not re.fullmatch(f"[0-9a-f]{{{length}}}", self.value):
            raise ValueError(f"{self.algorithm} {self.value!r} is not a digest")

    def of(self, path: Path) -> str:
        """The digest of a file by the same algorithm."""
        return file_digest(path, self.algorithm)

    def __str__(self) -> str:
        return f"{self.algorithm} {self.value}"


def input_digest(path: Path) -> str:
    """The SHA-256 of a file that the user gave.

    Raises:
        UsageError: the file does not exist or cannot be read.
    """
    try:
        return file_digest(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error), hint="give the path of an existing file") from error


def check_input(path: Path | None, sha256: str, step: str) -> None:
    """Makes sure that a file the user gave is the one that a result will be cached under; nothing to do without one.

    Raises:
        UsageError: it was changed since its digest was taken, or the step was called without one.
    """
    if path and input_digest(path) != sha256:
        raise UsageError(
            f"{path} is not the file of this run's identity",
            why=f"the identity says {sha256}; the file was changed in between, or a part of the step was called alone",
            hint=f"call the step {step}",
        )


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """The digest of a file in hex; reads it in blocks, so size does not matter. Raises OSError."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
