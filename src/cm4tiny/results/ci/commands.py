# SPDX-License-Identifier: Apache-2.0
"""Annotations as GitHub's workflow commands (``::error file=...,title=...::message``).

Source: GitHub's documentation, "Workflow commands", and ``actions/toolkit`` ``packages/core/src/command.ts`` for the escapes. A line of a
submission must not become a command: line breaks are escaped, so that a command can only begin where this module begins one. The service
shows ten annotations of a kind for a step; so there is one for each rule, and the rest is counted.
"""

from __future__ import annotations

from collections.abc import Iterator

from cm4tiny.results.audit import RULES
from cm4tiny.results.ci.outcome import CiOutcome, Group, by_cause, by_rule

SHOWN = 10
"""Annotations of a kind that the service shows for a step."""
_KINDS = {"error": "error", "warning": "warning", "note": "notice"}
_LONGEST = 4000
_MESSAGE: dict[str, str | int | None] = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY: dict[str, str | int | None] = {**_MESSAGE, ":": "%3A", ",": "%2C"}
_BREAKS = {"\v": " ", "\f": " ", "\x1c": " ", "\x1d": " ", "\x1e": " ", "\x85": " ", "\u2028": " ", "\u2029": " ", "\0": " ", "\x1b": " "}
"""What else some reader takes for the end of a line, and the beginning of a terminal's codes."""


def escaped(text: str, *, is_property: bool = False) -> str:
    """Text inside a workflow command: of a message, or of a property, which ends at a comma and at a colon."""
    table: dict[str, str | int | None] = {**_BREAKS, **(_PROPERTY if is_property else _MESSAGE)}
    return text[:_LONGEST].encode("utf-8", "replace").decode("utf-8").translate(str.maketrans(table))


def command(kind: str, message: str, *, title: str = "", file: str = "") -> str:
    """One workflow command, in one line."""
    given = {"file": file, "title": title}
    properties = ",".join(f"{name}={escaped(value, is_property=True)}" for name, value in given.items() if value)
    return f"::{kind}{' ' if properties else ''}{properties}::{escaped(message)}"


def workflow_commands(outcome: CiOutcome) -> list[str]:
    """The commands of an outcome: failures first, then one for each rule that is broken and each reason why something cannot be checked."""
    commands = [
        *_mismatches(outcome),
        *_failures(outcome),
        *(_rule(outcome, group) for group in by_rule(outcome.findings)),
        *_open(outcome),
    ]
    kept: dict[str, list[str]] = {kind: [] for kind in _KINDS.values()}
    for one in commands:
        kept[one[2:].split(" ")[0].partition("::")[0]].append(one)
    return [line for kind, lines in kept.items() for line in _at_most(kind, lines)]


def _at_most(kind: str, lines: list[str]) -> list[str]:
    if len(lines) <= SHOWN:
        return lines
    more = command(kind, f"{len(lines) - SHOWN + 1} more of this kind are in the step summary", title="and more")
    return [*lines[: SHOWN - 1], more]


def _mismatches(outcome: CiOutcome) -> Iterator[str]:
    for check in outcome.checks:
        if check.status == "mismatch":
            known = check in outcome.accepted
            text = f"{check.metric} {check.claimed} is claimed, the sessions give {check.recomputed}" + (
                f" ({check.cause})" if check.cause else ""
            )
            title = f"{'known ' if known else ''}mismatch: {check.round} {check.path}"
            file = outcome.places.file(check.round, f"{check.path}/results.txt")
            yield command("notice" if known else "error", text, title=title, file=file)


def _failures(outcome: CiOutcome) -> Iterator[str]:
    if outcome.failures and not any(check.status == "mismatch" and check not in outcome.accepted for check in outcome.checks):
        more = len(outcome.failures) - 3
        yield command(
            "error", "\n".join(outcome.failures[:3]) + (f"\nand {more} more" if more > 0 else ""), title=f"{outcome.title} failed"
        )


def _rule(outcome: CiOutcome, group: Group) -> str:
    first, title = group.first, RULES[group.rule].title if group.rule in RULES else group.rule
    count = f"{group.count} findings" if group.count > 1 else "1 finding"
    text = f"{title}: {count} of {_named(group.submitters)}\nfirst: {first.round} {first.path}: {first.message}"
    return command(_KINDS[group.severity], text, title=f"{group.rule} ({count})", file=outcome.places.file(first.round, first.path))


def _open(outcome: CiOutcome) -> Iterator[str]:
    for cause, checks in by_cause(outcome.checks).items():
        first = checks[0]
        text = f"{len(checks)} claims cannot be checked: {cause}\nfirst: {first.round} {first.path}: {first.metric} {first.claimed}"
        yield command("notice", text, title=f"not verifiable ({len(checks)})", file=outcome.places.file(first.round, first.path))


def _named(names: tuple[str, ...], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
