# SPDX-License-Identifier: Apache-2.0
"""``cm4tiny VERB``: reads the command line, calls one function, prints what came of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from cm4tiny.cli.exit_status import ExitStatus
from cm4tiny.cli.group import cli
from cm4tiny.errors import Cm4TinyError
from cm4tiny.standard_output import OutputError, ReaderGone, guarded_output


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status (:class:`~cm4tiny.cli.exit_status.ExitStatus`)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with guarded_output():
            return int(cli.main(args=words, prog_name="cm4tiny", standalone_mode=False) or 0)
    except (click.Abort, KeyboardInterrupt) as ended:
        return _ended(ended)
    except Exception as error:
        return _refused(error, words)


def _refused(error: Exception, words: Sequence[str]) -> int:
    from cm4tiny.cli.output import refuse
    from cm4tiny.cli.usage import as_usage_error, verb_of, wants_json

    if isinstance(error, click.ClickException):
        wrong: Cm4TinyError = as_usage_error(error, words)
    else:
        wrong = error if isinstance(error, Cm4TinyError) else _defect(error)
    if isinstance(error, OutputError):
        return refuse("", error, json_wanted=False)
    try:
        with guarded_output():
            return refuse(verb_of(words), wrong, json_wanted=wants_json(words))
    except OutputError as unsaid:
        return refuse("", unsaid, json_wanted=False)
    except ReaderGone:
        return ExitStatus.READER_GONE


def _defect(error: Exception) -> Cm4TinyError:
    """What is reported to a user about an exception that nobody expected; its traceback goes to a file."""
    if isinstance(error, OSError):
        return Cm4TinyError(
            f"the operating system refused access to {error.filename or 'a file'}",
            why=error.strerror or str(error),
            hint="check the permissions, or choose other directories (CM_REPOS, CM_TINY_CACHE)",
        )
    from pathlib import Path

    from cm4tiny.resolver.language.meta import Script
    from cm4tiny.resolver.run.hooks import Place, write_log
    from cm4tiny.resolver.run.session import cm_home

    log = write_log(Place(Script(Path(), {"alias": "command"}), logs=cm_home() / "cm4tiny" / "logs"))
    return Cm4TinyError(
        f"the command itself failed: {type(error).__name__}: {error}", why="this is a defect of cm4tiny", hint=f"report it with {log}"
    )


def _ended(ended: BaseException) -> int:
    cause = ended.__cause__ if isinstance(ended, click.Abort) and ended.__cause__ is not None else ended
    if isinstance(cause, ReaderGone):
        return ExitStatus.READER_GONE
    by_signal = type(cause).__name__ == "Terminated"
    sys.stderr.write("ended by SIGTERM\n" if by_signal else "interrupted\n")
    return ExitStatus.TERMINATED if by_signal else ExitStatus.INTERRUPTED
