# SPDX-License-Identifier: Apache-2.0
"""A rule of the audit: a named object with its reason, its source and the function that looks for breaches.

Rules register themselves by the decorator :func:`rule`; ``docs/audit-rules.md`` is made from the same objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from cm4tiny.results.audit.finding import Severity

Scope = Literal["corpus", "tree", "submitter", "system", "result", "session"]
"""What a rule's function is given: everything at once, one round's tree, one organisation in it, one system, one result, one session."""

FIRST, LAST = (0, 5), (1, 4)


@dataclass(frozen=True)
class Violation:
    """A breach as a rule's function reports it; the engine adds rule, severity and round.

    ``round`` is filled only by rules that look at all rounds at once.
    """

    path: str
    message: str
    related: tuple[str, ...] = ()
    round: str = ""


Check = Callable[[Any], Iterable[Violation]]


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        id: ``group.name``.
        title: what must hold, in a few words.
        severity: of a breach.
        scope: what the check looks at.
        source: section of the rules, line of the official checker or runner, a result of a round: see :mod:`.sources`.
        why: what goes wrong otherwise, or what the rule cannot see.
        check: the function.
        since / until: first and last round that it applies to.
        warning_before: before this round a breach is a warning only: such results were accepted then.
        whole: it needs a whole submission (code and documents), which a collection of logs is not.
    """

    id: str
    title: str
    severity: Severity
    scope: Scope
    source: str
    why: str
    check: Check
    since: tuple[int, int] = FIRST
    until: tuple[int, int] = LAST
    warning_before: tuple[int, int] = FIRST
    whole: bool = False

    def applies(self, number: tuple[int, int], complete: bool) -> bool:
        """True if the rule holds for a round and for a tree that is a whole submission or is not."""
        return self.since <= number <= self.until and (complete or not self.whole)

    def severity_in(self, number: tuple[int, int]) -> Severity:
        """The severity in a round."""
        return "warning" if self.severity == "error" and number < self.warning_before else self.severity

    @property
    def rounds(self) -> str:
        """``"all rounds"``, ``"v1.3 and later"``, ``"up to v1.1"``, ``"v0.7 to v1.1"``."""
        first, last = (f"v{a}.{b}" for a, b in (self.since, self.until))
        if self.since == FIRST and self.until == LAST:
            return "all rounds"
        if self.until == LAST:
            return f"{first} and later"
        return f"up to {last}" if self.since == FIRST else f"{first} to {last}"


RULES: dict[str, Rule] = {}
"""All rules by id, in the order of the documentation."""


def rule(
    id: str,
    title: str,
    *,
    severity: Severity,
    scope: Scope,
    source: str,
    why: str,
    since: tuple[int, int] = FIRST,
    until: tuple[int, int] = LAST,
    warning_before: tuple[int, int] = FIRST,
    whole: bool = False,
) -> Callable[[Check], Check]:
    """Registers the decorated function as a rule's check."""

    def register(check: Check) -> Check:
        if id in RULES:
            raise ValueError(f"two rules are called {id}")
        RULES[id] = Rule(id, title, severity, scope, source, why, check, since, until, warning_before, whole)
        return check

    return register
