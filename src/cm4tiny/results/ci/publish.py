# SPDX-License-Identifier: Apache-2.0
"""Hands an outcome to the CI service that a step runs on: files next to the others, and on GitHub the step's summary and annotations."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from cm4tiny.errors import ResultsError
from cm4tiny.results.ci.commands import workflow_commands
from cm4tiny.results.ci.markdown import MAX_BYTES, summary_markdown
from cm4tiny.results.ci.outcome import CiOutcome
from cm4tiny.results.ci.sarif import sarif_text
from cm4tiny.results.files import write_whole

SUMMARY_MD, SARIF, ANNOTATIONS = "summary.md", "findings.sarif", "annotations.txt"


def publish(
    outcome: CiOutcome, folder: Path, show: Callable[[str], None], environ: Mapping[str, str] | None = None
) -> tuple[Path, Path, Path]:
    """Writes ``summary.md``, ``findings.sarif`` and ``annotations.txt`` into ``folder``.

    Where the service wants a summary of the step (``GITHUB_STEP_SUMMARY``) it is appended to that; where it reads what is printed
    (``GITHUB_ACTIONS=true``) the annotations are shown.

    Args:
        environ: of the service; None: of this process.

    Raises:
        ResultsError: a file cannot be written.
    """
    environ = os.environ if environ is None else environ
    summary, commands = summary_markdown(outcome), workflow_commands(outcome)
    texts = {SUMMARY_MD: summary, SARIF: sarif_text(outcome), ANNOTATIONS: "".join(f"{line}\n" for line in commands)}
    written = [write_whole(folder / name, text) for name, text in texts.items()]
    append_summary(summary, environ)
    if environ.get("GITHUB_ACTIONS") == "true":
        for line in commands:
            show(line)
    return written[0], written[1], written[2]


def append_summary(text: str, environ: Mapping[str, str]) -> None:
    """Appends to the step's summary, if there is one and the text still fits.

    Raises:
        ResultsError: the file cannot be written.
    """
    name = environ.get("GITHUB_STEP_SUMMARY", "")
    if not name:
        return
    path = Path(name)
    try:
        there = path.stat().st_size if path.exists() else 0
        if there + len(text.encode("utf-8")) > MAX_BYTES:
            text = "\nThe rest of the summary does not fit here: the files of the run have it.\n"
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ResultsError(
            f"the step summary {path} cannot be written", why=error.strerror or str(error), hint="check GITHUB_STEP_SUMMARY"
        ) from error
