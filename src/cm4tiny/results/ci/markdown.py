# SPDX-License-Identifier: Apache-2.0
"""The summary of a replay or an audit as Markdown, for a run's page (``$GITHUB_STEP_SUMMARY``) and for readers.

What a submission says stands in cells of tables and must stay text there: no tag, link, image, mention or end of the cell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from cm4tiny.results.audit import RULES, SEVERITIES
from cm4tiny.results.ci.outcome import CiOutcome, by_cause, by_rule, by_submitter, submitter_of
from cm4tiny.results.rounds.model import Status

MAX_BYTES = 1000 * 1024
"""The service takes 1 MiB for a step and drops all of a longer one."""
_LONGEST_CELL = 300
_MOST_ROWS = 100
_ACTIVE = re.compile(r"([\\`*_\[\]<>#!|~@&:$])")
_ADDRESS = re.compile(r"(?i)\bwww\.")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
STATUSES: tuple[Status, ...] = ("match", "mismatch", "no-claim", "unverifiable")


def text(value: object) -> str:
    """Any text as text: what Markdown or HTML would take for more is a character reference."""
    plain = _CONTROL.sub(" ", str(value).encode("utf-8", "replace").decode("utf-8")).strip()
    short = plain if len(plain) <= _LONGEST_CELL else plain[:_LONGEST_CELL] + "..."
    return _ADDRESS.sub(lambda match: match[0][:3] + "&#46;", _ACTIVE.sub(lambda match: f"&#{ord(match[1])};", short))


def link(shown: object, url: str) -> str:
    """A link, or the text alone where there is no address."""
    return f"[{text(shown)}](<{url}>)" if url else text(shown)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of finished cells; too many rows are cut, and counted."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows[:_MOST_ROWS]]
    return [*lines, *([f"\nand {len(rows) - _MOST_ROWS} more rows: the files of the run have all."] if len(rows) > _MOST_ROWS else []), ""]


def summary_markdown(outcome: CiOutcome) -> str:
    """The whole summary."""
    lines = [f"## {text(outcome.title)}", "", _first_sentence(outcome), ""]
    lines += _rounds(outcome) if outcome.checks else []
    lines += _failures(outcome)
    lines += _mismatches(outcome)
    lines += _rules(outcome)
    lines += _submitters(outcome)
    lines += _causes(outcome)
    whole = "\n".join(lines) + "\n"
    data = whole.encode("utf-8")
    return (
        whole if len(data) <= MAX_BYTES else data[:MAX_BYTES].decode("utf-8", "ignore").rpartition("\n")[0] + "\n\nThe rest is cut off.\n"
    )


def _first_sentence(outcome: CiOutcome) -> str:
    counts = Counter(check.status for check in outcome.checks)
    weights = Counter(one.severity for one in outcome.findings)
    said = f"{len(outcome.checks)} claims: " + ", ".join(f"{counts[name]} {name}" for name in STATUSES) + ". " if outcome.checks else ""
    found = ", ".join(f"{weights[name]} {name}{'' if weights[name] == 1 else 's'}" for name in SEVERITIES)
    verdict = "failed" if outcome.failures else "passed"
    return f"**{verdict}** — {text(', '.join(outcome.rounds) or 'no round')}. {said}{len(outcome.findings)} findings of the audit: {found}."


def _rounds(outcome: CiOutcome) -> list[str]:
    rows = []
    for name in outcome.rounds:
        counts = Counter(check.status for check in outcome.checks if check.round == name)
        findings = sum(one.round == name for one in outcome.findings)
        rows.append([link(name, outcome.places.url(name, "")), *(str(counts[status]) for status in STATUSES), str(findings)])
    return table(["round", *STATUSES, "findings"], rows)


def _failures(outcome: CiOutcome) -> list[str]:
    if not outcome.failures:
        return []
    return ["### Why it failed", "", *table(["reason"], [[text(reason)] for reason in outcome.failures])]


def _mismatches(outcome: CiOutcome) -> list[str]:
    rows = [
        [
            link(f"{check.round} {check.path}", outcome.places.url(check.round, check.path)),
            text(check.metric),
            text(check.claimed),
            text(check.recomputed),
            text(check.cause) + (" (known)" if check in outcome.accepted else ""),
        ]
        for check in sorted(outcome.checks, key=lambda check: check in outcome.accepted)
        if check.status == "mismatch"
    ]
    head = ["session", "metric", "claimed", "recomputed", "cause"]
    return ["### Claims that do not follow from their sessions", "", *table(head, rows)] if rows else []


def _rules(outcome: CiOutcome) -> list[str]:
    groups = by_rule(outcome.findings)
    if not groups:
        return []
    rows = []
    for group in groups:
        first = group.first
        place = link(f"{first.round} {first.path}", outcome.places.url(first.round, first.path))
        title = RULES[group.rule].title if group.rule in RULES else ""
        rule = f"{text(group.rule)}: {text(title)}"
        rows.append([group.severity, rule, str(group.count), _names(group.submitters), f"{place}: {text(first.message)}"])
    return ["### Findings by rule", "", *table(["severity", "rule", "findings", "submitters", "first"], rows)]


def _submitters(outcome: CiOutcome) -> list[str]:
    found = by_submitter(outcome)
    if not found:
        return []
    columns = ("mismatch", *SEVERITIES, "unverifiable")
    rows = [[text(name), text(who), *(str(counts[column] or "") for column in columns)] for (name, who), counts in found.items()]
    return ["### Findings by submitter", "", *table(["round", "submitter", *columns], rows)]


def _causes(outcome: CiOutcome) -> list[str]:
    found = by_cause(outcome.checks)
    if not found:
        return []
    rows = []
    for cause, checks in found.items():
        metrics = ", ".join(f"{count} {name}" for name, count in Counter(check.metric for check in checks).most_common())
        place = link(f"{checks[0].round} {checks[0].path}", outcome.places.url(checks[0].round, checks[0].path))
        rows.append([text(cause), str(len(checks)), text(metrics), _names(sorted({submitter_of(check.path) for check in checks})), place])
    count = sum(len(checks) for checks in found.values())
    head = ["reason", "claims", "metrics", "submitters", "first"]
    return [f"### {count} claims that cannot be checked, by reason", "", *table(head, rows)]


def _names(names: Iterable[str], most: int = 6) -> str:
    listed = list(names)
    return ", ".join(map(text, listed[:most])) + (f" and {len(listed) - most} more" if len(listed) > most else "")
