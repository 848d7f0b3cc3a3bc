# SPDX-License-Identifier: Apache-2.0
"""What a draft lacks: in one line what every draft has, then what must be done before it can be submitted, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cm4tiny.results.audit import Finding

DRAFT_RULES = frozenset({"documents.draft", "evidence.simulated", "data.embedded"})
"""Findings that every draft has: it is marked, and what was simulated or measured with this project's own models says so."""


@dataclass(frozen=True)
class Task:
    """Something to do: the findings that ask for it, what it is, and a command that does it, if one does."""

    rules: frozenset[str]
    text: str
    command: str = ""


TASKS = (
    Task(
        frozenset({"data.embedded"}),
        "Build the firmware from MLPerf Tiny's own models and measure with its own data",
        "cm run script --tags=reproduce,mlperf,tiny,_mlcommons,_NUCLEO",
    ),
    Task(frozenset({"evidence.simulated"}), "Measure on the board itself", "cm run script --tags=reproduce,mlperf,tiny,_mlcommons,_NUCLEO"),
    Task(frozenset({"data.coverage", "data.unknown-files"}), "Measure the accuracy on the whole data set"),
    Task(frozenset({"claims.quality-target"}), "Reach the quality target, or submit to the open division with --division=open"),
    Task(frozenset({"documents.checklist"}), "Fill in and sign the round's checklist; give it with --checklist=FILE.pdf"),
    Task(frozenset({"documents.energy-set-up"}), "Draw or describe how energy was measured; give it with --energy_set_up=FILE"),
    Task(
        frozenset({"documents.draft"}),
        "Generate the submission again, with the same options but without --draft",
    ),
)


def is_draft(findings: Sequence[Finding]) -> bool:
    """True if the audit found the mark of a draft."""
    return any(finding.rule == "documents.draft" for finding in findings)


def essence(findings: Sequence[Finding]) -> str:
    """What every draft has, in one line."""
    number = {rule: sum(finding.rule == rule for finding in findings) for rule in DRAFT_RULES}
    parts = [
        f"{number[rule]} session{'' if number[rule] == 1 else 's'} {words}"
        for rule, words in (("evidence.simulated", "simulated"), ("data.embedded", "with this project's own models and samples"))
        if number[rule]
    ]
    return f"draft, cannot be submitted: {', '.join(parts) or 'it is marked as one'} (DRAFT.md)"


def to_do(findings: Sequence[Finding]) -> list[str]:
    """What must be done before the draft can be submitted, numbered, in order; a command stands on a line of its own."""
    found = {finding.rule for finding in findings if finding.severity == "error"}
    lines: list[str] = []
    number, last = 0, ""
    for task in TASKS:
        if not task.rules & found:
            continue
        if task.command and task.command == last:  # one run does both
            lines[-2] += f"; {task.text[0].lower()}{task.text[1:]}"
            continue
        number, last = number + 1, task.command
        lines.append(f"{number}. {task.text}")
        if task.command:
            lines.append(f"     {task.command}")
    return lines


def others(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that are neither those of every draft nor covered by something to do."""
    covered = DRAFT_RULES.union(*(task.rules for task in TASKS))
    return [finding for finding in findings if finding.rule not in covered]
