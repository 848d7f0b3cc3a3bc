# SPDX-License-Identifier: Apache-2.0
"""Standard output and error of this process and of all that it starts, kept in a file: nothing gets between the rows of a screen."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cm4tiny.scratch import scratch_folder


class Captured:
    """What was printed while it was kept back.

    Args:
        screen: the standard error that was there before.
        file: where everything goes meanwhile.
    """

    def __init__(self, screen: IO[str], file: Path) -> None:
        self.screen = screen
        self.file = file

    def keep(self, target: Path) -> Path | None:
        """Copies what was printed to ``target``; None if nothing was, or it cannot be written."""
        with contextlib.suppress(OSError):
            data = self.file.read_bytes()
            if data:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
                return target
        return None


@contextlib.contextmanager
def captured() -> Iterator[Captured]:
    """Sends file descriptors 1 and 2 to a file within the block."""
    with scratch_folder("output") as folder:
        file = folder / "printed"
        _flush()
        saved = os.dup(1), os.dup(2)
        target = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        screen = os.fdopen(os.dup(saved[1]), "w", encoding="utf-8", errors="replace")
        try:
            os.dup2(target, 1)
            os.dup2(target, 2)
            yield Captured(screen, file)
        finally:
            _flush()
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            screen.close()
            for number in (target, *saved):
                os.close(number)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
