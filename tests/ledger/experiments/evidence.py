"""Evidence and submissions: files that contradict each other, are cut, or are not what they seem; what the audit says of them."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from support import session_maker, streaming_maker
from support.mutations import MUTATIONS, SUBMITTER
from support.submission_maker import valid_submission

from cm4tiny.results.audit import Finding, audit
from cm4tiny.results.replay import replay
from cm4tiny.results.rounds import get_round
from cm4tiny.results.submission.reviewer import review
from ledger.outcome import Outcome

_MAKERS = {"performance": session_maker.performance, "accuracy": session_maker.accuracy, "energy": session_maker.energy}


@cache
def _valid() -> Path:
    return valid_submission(Path(tempfile.mkdtemp(prefix="ledger-evidence-"))).root


def _outcome(findings: tuple[Finding, ...], rule: str) -> Outcome:
    """The finding of the rule that is expected; without one, all that was found."""
    errors = [finding for finding in findings if finding.severity == "error"]
    mine = next((finding for finding in errors if finding.rule == rule), None)
    if mine is None:
        return Outcome("wrong", "", f"accepted; found: {[finding.text for finding in findings][:5]}")
    return Outcome("finding", rule, mine.message)


def broken_submission(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A valid submission, broken in one way: ``mutation`` of tests/support/mutations.py; ``rule`` must find it."""
    mutation = next(one for one in MUTATIONS if one.name == inputs["mutation"])
    shutil.copytree(_valid(), folder / "tree")
    (folder / "tree" / SUBMITTER / "SHA256SUMS").unlink()
    mutation.apply(folder / "tree")
    return _outcome(review(folder / "tree", mutation.round, labels=session_maker.small_lists(), jobs=1).findings, mutation.rule)


def edited_session(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """One session of ``benchmark`` and ``mode``, with ``pattern`` of ``file`` replaced by ``by`` (once); ``rule`` must find it."""
    benchmark, mode = inputs["benchmark"], inputs["mode"]
    place = folder / "closed" / "Example" / "results" / "BOARD" / {"ic02": "ic2"}.get(benchmark, benchmark) / mode
    if benchmark == "sww":
        streaming_maker.streaming(place, mode)
    else:
        _MAKERS[mode](place, benchmark, **inputs.get("choices", {}))
    for name in inputs.get("files", [inputs.get("file")]):
        text = (place / name).read_text(encoding="utf-8")
        changed = re.sub(inputs["pattern"], inputs["by"], text, count=inputs.get("count", 1))
        assert changed != text, f"{inputs['pattern']} changed nothing in {name}"
        (place / name).write_text(changed, encoding=inputs.get("encoding", "utf-8"))
    found = replay([folder], session_maker.small_lists(), round_id="v1.4", jobs=1)
    findings = audit(found, labels=session_maker.small_lists(), trees=[(get_round("v1.4"), folder)], complete=False)
    return _outcome(findings, inputs["rule"])
