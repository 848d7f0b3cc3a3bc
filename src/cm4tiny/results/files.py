"""Files of results appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cm4tiny.errors import ResultsError


def write_whole(path: Path, text: str) -> Path:
    """Writes ``text`` to ``path`` through a temporary file in the same folder, which is made if need be.

    What UTF-8 cannot hold (bytes of a file's name that are no text) is written as ``\\xNN``.

    Raises:
        ResultsError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(text.encode("utf-8", "backslashreplace"))
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        cure = "free disk space or choose another folder with --outdirname=DIR"
        raise ResultsError(f"{path} cannot be written", why=error.strerror or str(error), cure=cure) from error
    return path
