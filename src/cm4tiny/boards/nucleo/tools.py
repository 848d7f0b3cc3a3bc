# SPDX-License-Identifier: Apache-2.0
"""Runs a flash tool: with a time limit, without a terminal, with its words kept for the error."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from cm4tiny.errors import BoardError

MAX_OUTPUT_BYTES = 256 * 1024
"""What is kept of a tool's output, half from its start and half from its end; OpenOCD with debug output writes about 100 kB."""
FLOOD_BYTES = 64 * 1024 * 1024
"""A tool that writes more has run wild and is ended."""
_SHOWN, _LINE = 6, 200
_REST_S = 2.0


@dataclass(frozen=True)
class ToolOutcome:
    """What a tool said (both streams, in order of each) and how it ended."""

    command: tuple[str, ...]
    code: int
    text: str

    @property
    def tail(self) -> str:
        """Its last lines."""
        return tail_of(self.text)

    def says(self, *words: str) -> bool:
        """Whether any of the words occurs, in any case."""
        lower = self.text.lower()
        return any(word.lower() in lower for word in words)


def tail_of(text: str) -> str:
    """The last lines of a tool's output, printable and of bounded length."""
    lines = ["".join(c if c.isprintable() else " " for c in line[:_LINE]).strip() for line in text.splitlines()]
    return "\n".join([line for line in lines if line][-_SHOWN:])


class _Output:
    """Reads a pipe to its end and keeps its start and its end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.flooded = threading.Event()
        self._stream, self._head, self._tail, self._total = stream, bytearray(), bytearray(), 0
        self._thread = threading.Thread(target=self._read, name="tool-output", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        half = MAX_OUTPUT_BYTES // 2
        with contextlib.suppress(OSError, ValueError):
            while data := self._stream.read1(65536):  # type: ignore[attr-defined]
                self._total += len(data)
                room = half - len(self._head)
                self._head += data[:room] if room > 0 else b""
                self._tail = (self._tail + data[max(room, 0) :])[-half:]
                if self._total > FLOOD_BYTES:
                    self.flooded.set()
                    return

    def text(self) -> str:
        """All that is kept, once the pipe has ended or :data:`_REST_S` after the tool has."""
        self._thread.join(_REST_S)
        return (bytes(self._head) + bytes(self._tail)).decode("utf-8", "replace")


def run_tool(command: Sequence[str], timeout_s: float) -> ToolOutcome:
    """Runs a tool to its end. It gets a process group of its own, which is ended with it.

    Raises:
        BoardError: it cannot be started, it does not end in time, or it does not stop writing.
    """
    try:
        process = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise BoardError(f"{command[0]} does not run", why=why, hint="choose another --flasher") from error
    assert process.stdout is not None
    output = _Output(process.stdout)
    try:
        code = _wait(process, output, timeout_s)
    finally:
        _end(process)
        text = output.text()
        process.stdout.close()
    if code is None:
        how = "did not stop writing" if output.flooded.is_set() else f"did not end within {timeout_s:g} s"
        raise BoardError(
            f"{command[0]} {how}",
            why=tail_of(text) or "it said nothing",
            hint=f"unplug the board, plug it in again, and try by hand:\n{shlex.join(command)}",
        )
    return ToolOutcome(tuple(command), code, text)


def _wait(process: subprocess.Popen[bytes], output: _Output, timeout_s: float) -> int | None:
    """The exit code; None after the time limit or a flood."""
    waited = 0.0
    while not output.flooded.is_set() and waited < timeout_s:
        step = min(0.1, timeout_s - waited)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(step)
        waited += step
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the tool and what it started; what it started may hold its output open long after it has ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
