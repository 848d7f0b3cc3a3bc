# SPDX-License-Identifier: Apache-2.0
"""A submission looked at as a whole: every claim computed again, every rule applied, the official checker asked if wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cm4tiny.errors import RuleError, UsageError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.results.audit import Finding, audit, write_audit
from cm4tiny.results.checker import Verdict, run_checker
from cm4tiny.results.checker_tools import Tools
from cm4tiny.results.replay import Replay, replay
from cm4tiny.results.rounds import ROUNDS, LabelLists, Round, get_round
from cm4tiny.results.submission.draft import essence, is_draft, others, to_do
from cm4tiny.settings import cores

AUDIT_JSON = "audit.json"
CHECKER_LOG = "official-checker.txt"
_SHOWN = 12
_SMALL_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Review:
    """What was found.

    Attributes:
        replay: the claims next to their recomputation.
        findings: of the audit.
        context: what the audit was made with: the tree, the label lists, whether it is a whole submission.
        verdict: the official checker's, None if it was not asked.
    """

    round: str
    replay: Replay
    findings: tuple[Finding, ...]
    context: tuple[tuple[Round, Path], LabelLists, bool | None]
    verdict: Verdict | None = None

    def audited_again(self) -> Review:
        """The same results with a fresh audit of the tree: documents may have changed, sessions must not."""
        tree, labels, complete = self.context
        return replace(self, findings=audit(self.replay.results, labels=labels, trees=[tree], complete=complete))

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that stand against a submission."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def passed(self) -> bool:
        """True if neither the audit nor the official checker, where asked, objects."""
        return not self.errors and (self.verdict is None or self.verdict.passed)

    @property
    def text(self) -> str:
        """The review in a few lines; errors first."""
        number = {kind: sum(finding.severity == kind for finding in self.findings) for kind in ("error", "warning", "note")}
        results = len(self.replay.results)
        draft = is_draft(self.findings)
        listed = others(self.findings) if draft else self.findings
        head = f"{results} results: {number['error']} errors, {number['warning']} warnings, {number['note']} notes"
        if draft:
            head = f"{results} results; {essence(self.findings)}"
        shown = [finding.text for kind in ("error", "warning") for finding in listed if finding.severity == kind]
        more = [f"... and {len(shown) - _SHOWN} more"] if len(shown) > _SHOWN else []
        first = ["To do first, in this order:", *to_do(self.findings)] if draft else []
        return "\n".join([head, *shown[:_SHOWN], *more, *first, *([self.verdict.text] if self.verdict else [])])


def review(
    root: Path,
    round_id: str = "",
    *,
    labels: LabelLists | None = None,
    tools: Tools | None = None,
    complete: bool | None = True,
    jobs: int | None = None,
    events: EventStream = SILENT,
) -> Review:
    """Looks at a submission or a round.

    Args:
        root: the folder with ``closed`` or ``open`` in it.
        round_id: whose rules; empty: from the folder's name, else v1.4.
        tools: the official checker; None: it is not asked.
        complete: whether code and documents must be there (None: if there is any code).
        jobs: processes; None: one for what is small, else one a processor.

    Raises:
        UsageError: no such folder or round.
    """
    if not root.is_dir() or not any((root / division).is_dir() for division in ("closed", "open")):
        raise UsageError(f"{root} is not a submission", why="it holds neither closed nor open", hint="give the folder above them")
    round = get_round(round_id or _by_name(root))
    known = labels or LabelLists.known()
    done = replay([root], known, round_id=round.id, jobs=jobs or (1 if _is_small(root) else cores()), events=events)
    findings = audit(done.results, labels=known, trees=[(round, root)], complete=complete)
    verdict = run_checker(root, _rules_for(round), tools) if tools is not None else None
    return Review(round.id, done, findings, ((round, root), known, complete), verdict)


def _is_small(root: Path) -> bool:
    """True if starting a second process takes longer than it saves."""
    return sum(path.stat().st_size for path in root.glob("*/*/results/**/*") if path.is_file()) < _SMALL_BYTES


def _by_name(root: Path) -> str:
    known = [name for name in ROUNDS if root.resolve().name.endswith(name)]
    return known[-1] if known else "v1.4"


def _rules_for(round: Round) -> str:
    """The official rules to ask for: a round's own, or the oldest ones that the checker can apply."""
    return round.id if round.number >= (1, 3) else "v1.3"


def write_review(review: Review, folder: Path) -> Path:
    """Writes ``audit.json``, and what the official checker printed; returns the former."""
    path = write_audit(review.findings, folder / AUDIT_JSON, (review.round,))
    if review.verdict is not None:
        (folder / CHECKER_LOG).write_text(review.verdict.output, encoding="utf-8")
    return path


def refuse(review: Review, what: str) -> None:
    """Raises RuleError if a review did not pass: so that a step's exit status says so."""
    if not review.passed:
        number = f"{len(review.errors)} errors of the audit, listed above and in {AUDIT_JSON}"
        why = "; ".join([number, *([review.verdict.text] if review.verdict is not None else [])])
        raise RuleError(f"{what} cannot be submitted", why=why, hint="docs/audit-rules.md explains each rule")
