# SPDX-License-Identifier: Apache-2.0
"""Standard output that may be closed, full or a pipe whose reader has ended: none of it is a defect of a run.

Without a standard output nothing is printed. A pipe whose reader has ended stops the run as SIGPIPE stops other programs
(:class:`ReaderGone`, exit status 141). Anything else that output does not take is an error that says so.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import IO, Any

from cm4tiny.errors import Cm4TinyError

_STDOUT = 1


class ReaderGone(KeyboardInterrupt):
    """Nobody reads standard output any more."""


class OutputError(Cm4TinyError):
    """Standard output does not take what is written to it."""


class GuardedOutput:
    """A text stream that turns failures of writing into this module's errors."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return int(self._guarded(lambda: self._stream.write(text)))

    def flush(self) -> None:
        self._guarded(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _guarded(self, work: Any) -> Any:
        try:
            return work()
        except BrokenPipeError:
            _discard_output()
            raise ReaderGone from None
        except (OSError, ValueError) as error:
            _discard_output()
            raise OutputError(
                "standard output cannot be written",
                why=getattr(error, "strerror", None) or str(error),
                hint="free disk space or write the output to another file; results that were finished are kept",
            ) from error


def _discard_output() -> None:
    """Sends what is still printed to nowhere, so that the interpreter's last flush does not fail either."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDOUT)
        os.close(nowhere)


@contextlib.contextmanager
def guarded_output() -> Iterator[None]:
    """Guards ``sys.stdout`` within the block; where there is none, opens one that discards."""
    before = sys.stdout
    if before is None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != _STDOUT:
            os.dup2(nowhere, _STDOUT)
            os.close(nowhere)
        before = sys.stdout = os.fdopen(_STDOUT, "w", encoding="utf-8", closefd=False)
    guarded = GuardedOutput(before)
    sys.stdout = guarded
    try:
        yield
        guarded.flush()
    finally:
        sys.stdout = before


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Sends standard output of this process and of what it starts to standard error, so that a JSON object stands alone."""
    sys.stdout.flush()
    saved = os.dup(_STDOUT)
    os.dup2(2, _STDOUT)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, _STDOUT)
        os.close(saved)
