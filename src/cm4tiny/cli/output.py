# SPDX-License-Identifier: Apache-2.0
"""What a command prints: text for a person, or one JSON object on standard output and nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
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
        error: why it ended early, after what the other two say.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    error: Cm4TinyError | None = None

    @property
    def status(self) -> ExitStatus:
        """The exit status."""
        return ExitStatus.OK if self.error is None else status_of(self.error)


def as_json(verb: str, answer: VerbResult) -> str:
    """The object that ``--json`` prints."""
    told: dict[str, Any] = {"schema": SCHEMA, "verb": verb, "exit_status": int(answer.status), "result": dict(answer.result)}
    if answer.error is not None:
        told["error"] = {"kind": answer.error.kind, "what": answer.error.what, "why": answer.error.why, "hint": answer.error.hint}
    return json.dumps(told, indent=2, default=str, ensure_ascii=False)


def finish(verb: str, answer: VerbResult, *, json_wanted: bool) -> int:
    """Prints what a verb handed back; returns the exit status."""
    if answer.error is not None:
        _in_our_words(verb, answer.error)
    if json_wanted:
        sys.stdout.write(as_json(verb, answer) + "\n")
        return int(answer.status)
    if answer.text:
        sys.stdout.write(answer.text.rstrip("\n") + "\n")
    if answer.error is not None:
        sys.stdout.flush()
        sys.stderr.write(f"error: {answer.error}\n")
    return int(answer.status)


def refuse(verb: str, error: Cm4TinyError, *, json_wanted: bool) -> int:
    """Prints an error; returns the exit status."""
    return finish(verb, VerbResult(error=error), json_wanted=json_wanted)


def _in_our_words(verb: str, error: Cm4TinyError) -> None:
    from cm4tiny.cli.hints import cause, translated

    error.what, error.why, error.hint = cause(verb, translated(error.what)), translated(error.why), translated(error.hint)
