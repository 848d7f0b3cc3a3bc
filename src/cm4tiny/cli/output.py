# SPDX-License-Identifier: Apache-2.0
"""What a command prints: text for a person, or one JSON object on standard output and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cm4tiny.cli.exit_status import ExitStatus, status_of
from cm4tiny.errors import Cm4TinyError

SCHEMA = "cm4tiny-command-1"
"""Name and version of the object that ``--json`` prints."""


@dataclass
class VerbResult:
    """What a verb hands back.

    Args:
        result: for ``--json``.
        text: for a person; empty if all was said.
        status: the exit status.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    status: ExitStatus = ExitStatus.OK


def as_json(verb: str, answer: VerbResult, error: Cm4TinyError | None = None) -> str:
    """The object that ``--json`` prints."""
    told: dict[str, Any] = {"schema": SCHEMA, "verb": verb, "exit_status": int(answer.status), "result": dict(answer.result)}
    if error is not None:
        told["error"] = {"kind": error.kind, "what": error.what, "why": error.why, "hint": error.hint}
    return json.dumps(told, indent=2, default=str, ensure_ascii=False)


def finish(verb: str, answer: VerbResult, *, json_wanted: bool) -> int:
    """Prints what a verb handed back; returns the exit status."""
    if json_wanted:
        sys.stdout.write(as_json(verb, answer) + "\n")
    elif answer.text:
        sys.stdout.write(answer.text.rstrip("\n") + "\n")
    return int(answer.status)


def refuse(verb: str, error: Cm4TinyError, *, json_wanted: bool) -> int:
    """Prints an error; returns the exit status."""
    from cm4tiny.cli.hints import translated

    status = status_of(error)
    error.what, error.why, error.hint = (translated(text) for text in (error.what, error.why, error.hint))
    if json_wanted:
        sys.stdout.write(as_json(verb, VerbResult(status=status), error) + "\n")
    else:
        sys.stderr.write(f"error: {error}\n")
    return int(status)


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Sends standard output of this process and of what it starts to standard error, so that a JSON object stands alone."""
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)
