# SPDX-License-Identifier: Apache-2.0
"""``docs/audit-rules.md``, made from the rules themselves.

``python -m cm4tiny.results.audit > docs/audit-rules.md`` writes it again; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cm4tiny.results.audit.rule import RULES, Rule
from cm4tiny.results.audit.sources import addresses

_GROUPS = {
    "structure": "Folders and names",
    "documents": "Code and documents",
    "files": "Files of a session",
    "system": "System descriptions",
    "claims": "Claims",
    "windows": "Measured windows",
    "data": "Data sets",
    "values": "Values",
    "evidence": "Evidence",
    "record": "Record of a session",
}
_HEAD = """# Rules of the audit

This page is made from the rules themselves (`python -m cm4tiny.results.audit`). [The audit](audit.md) explains how to use it.

An *error* breaks a rule, or makes the result unfit for trust. A *warning* asks a person to look. A *note* is good to know.
"Warning before v1.3" means that rounds before took such results. "Whole submissions" means that the rule is not applied to a
collection of logs without code."""


def rules_page(rules: Iterable[Rule] | None = None) -> str:
    """The page as Markdown."""
    chosen = list(RULES.values() if rules is None else rules)
    lines = [_HEAD, "", f"{len(chosen)} rules."]
    group = ""
    for rule in chosen:
        name = rule.id.split(".")[0]
        if name != group:
            group = name
            lines += ["", f"## {_GROUPS[group]}"]
        lines += ["", f"### `{rule.id}`", "", f"{rule.title}.", "", *_facts(rule), "", rule.why]
    return "\n".join(lines) + "\n"


def _facts(rule: Rule) -> Iterator[str]:
    severity = rule.severity
    if rule.warning_before > (0, 5):
        severity += f", warning before v{rule.warning_before[0]}.{rule.warning_before[1]}"  # type: ignore[assignment]
    yield f"- Severity: {severity}"
    yield f"- Applies to: {rule.rounds}{', whole submissions' if rule.whole else ''}"
    yield f"- Looks at: {_SCOPES[rule.scope]}"
    yield f"- Source: {rule.source}"
    yield f"- To open: {', '.join(_link(name, url) for name, url in addresses(rule.source).items())}"


def _link(name: str, url: str) -> str:
    return f"[{name}]({url.removeprefix('docs/')})"


_SCOPES = {
    "corpus": "all rounds together",
    "tree": "a round or submission",
    "submitter": "an organisation's folder",
    "system": "a system",
    "result": "a result",
    "session": "a session",
}
