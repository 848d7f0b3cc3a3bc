"""Runs a flash tool: with a time limit, without a terminal, with its words kept for the error."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from cm4tiny.errors import BoardError

_SHOWN = 6


@dataclass(frozen=True)
class Outcome:
    """What a tool said (both streams, in order of each) and how it ended."""

    command: tuple[str, ...]
    code: int
    text: str

    @property
    def tail(self) -> str:
        """Its last lines."""
        return "\n".join([line.strip() for line in self.text.splitlines() if line.strip()][-_SHOWN:])

    def says(self, *words: str) -> bool:
        """Whether any of the words occurs, in any case."""
        lower = self.text.lower()
        return any(word.lower() in lower for word in words)


def run_tool(command: Sequence[str], timeout_s: float) -> Outcome:
    """Runs a tool to its end.

    Raises:
        BoardError: it cannot be started, or it does not end in time.
    """
    shown = shlex.join(command)
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = error.stdout.decode("utf-8", "replace") if isinstance(error.stdout, bytes) else error.stdout or ""
        raise BoardError(
            f"{command[0]} did not end within {timeout_s:g} s",
            why="\n".join(said.strip().splitlines()[-_SHOWN:]) or "it said nothing",
            cure=f"unplug the board, plug it in again, and try by hand: {shown}",
        ) from error
    except OSError as error:
        raise BoardError(f"{command[0]} does not run", why=error.strerror or str(error), cure="choose another --flasher") from error
    return Outcome(tuple(command), done.returncode, done.stdout or "")
