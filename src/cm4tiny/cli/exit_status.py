# SPDX-License-Identifier: Apache-2.0
"""What the command's exit status means. docs/command-line.md has the same table."""

from __future__ import annotations

from enum import IntEnum

from cm4tiny.errors import BenchError, Cm4TinyError, MismatchError, RuleError, ScriptNotFoundError, UsageError, VariationError

_USAGE = (UsageError, ScriptNotFoundError, VariationError)
_FINDINGS = frozenset({BenchError.__name__, MismatchError.__name__, RuleError.__name__})


class ExitStatus(IntEnum):
    """Exit statuses of every verb, with their meaning."""

    meaning: str

    def __new__(cls, status: int, meaning: str) -> ExitStatus:
        """A status that knows its meaning."""
        member = int.__new__(cls, status)
        member._value_ = status
        member.meaning = meaning
        return member

    OK = 0, "everything that was asked for was done"
    FAILED = 1, "something failed: a step, a download, a board, the disk"
    USAGE = 2, "the command line is wrong; nothing was built or written"
    FINDING = 3, "the work was done and found something: a claim does not hold, a submission breaks a rule, a bench has a fault"
    INTERRUPTED = 130, "Ctrl-C ended it"
    READER_GONE = 141, "nobody reads the output any more, as after `| head`"
    TERMINATED = 143, "SIGTERM ended it"


def status_of(error: Cm4TinyError) -> ExitStatus:
    """The exit status for an error. One that a step returned while it worked is a finding by its own class, or a failure."""
    if isinstance(error, _USAGE):
        return ExitStatus.USAGE
    return ExitStatus.FINDING if error.kind in _FINDINGS else ExitStatus.FAILED
