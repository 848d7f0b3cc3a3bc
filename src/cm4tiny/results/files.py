# SPDX-License-Identifier: Apache-2.0
"""Files of results appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

from cm4tiny.errors import ResultsError
from cm4tiny.files import write_atomically


def write_whole(path: Path, text: str) -> Path:
    """Writes ``text`` to ``path`` through a temporary file in the same folder, which is made if need be.

    What UTF-8 cannot hold (bytes of a file's name that are not text) is written as ``\\xNN``.

    Raises:
        ResultsError: the folder cannot be written.
    """
    try:
        write_atomically(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        hint = "free disk space or choose another folder with --outdirname=DIR"
        raise ResultsError(f"{path} cannot be written", why=error.strerror or str(error), hint=hint) from error
    return path
