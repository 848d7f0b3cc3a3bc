# SPDX-License-Identifier: Apache-2.0
"""Evidence and submissions: files that contradict each other, are cut, or are not what they seem; what the audit says of them."""

from __future__ import annotations

import dataclasses
import re
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from support import session_maker, streaming_maker
from support.mutations import LFS_POINTER, MUTATIONS, SUBMITTER
from support.submission_maker import answers, valid_submission

from cm4tiny.benchmarks.assets import AssetSource, data_set
from cm4tiny.results.audit import Finding, audit
from cm4tiny.results.replay import replay
from cm4tiny.results.rounds import get_round
from cm4tiny.results.submission.generator import generate
from cm4tiny.results.submission.reviewer import review
from cm4tiny.workflows.replay_mlperf_tiny import ReplayRequest, run_replay
from ledger.outcome import Outcome, attempt

_MAKERS = {"performance": session_maker.performance, "accuracy": session_maker.accuracy, "energy": session_maker.energy}


@cache
def _valid() -> Path:
    return valid_submission(Path(tempfile.mkdtemp(prefix="ledger-evidence-"))).root


def _outcome(findings: tuple[Finding, ...], rule: str) -> Outcome:
    """The finding of the rule that is expected; without one, all that was found."""
    severe = [finding for finding in findings if finding.severity == "error" or finding.round != "v1.4"]  # older rounds accepted some
    mine = next((finding for finding in severe if finding.rule == rule), None)
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


def not_public(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """Replays ``round`` without a folder."""

    def action() -> Outcome:
        done = run_replay(ReplayRequest((), folder / "out", round_id=inputs["round"]))
        return Outcome("wrong", "", done.summary)

    return attempt(action)


def missing_source(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """Imports a data set from ``name``, which is not there, or holds ``content``."""
    path = folder / inputs["name"]
    if "content" in inputs:
        path.write_text(inputs["content"], encoding="utf-8")

    def action() -> Outcome:
        source = AssetSource(given=str(path), root=folder / "cache")
        return Outcome("wrong", "", str(data_set("kws", "mlcommons", source=source).root))

    return attempt(action)


def pointer_session(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A session of which ``file`` is a Git LFS pointer: what the replay says of its claim."""
    place = folder / "closed" / "Example" / "results" / "BOARD" / "kws" / inputs["mode"]
    _MAKERS[inputs["mode"]](place)
    for name in inputs["files"]:
        (place / name).write_text(LFS_POINTER, encoding="utf-8")
    checks = replay([folder], session_maker.small_lists(), round_id="v1.4", jobs=1).checks
    if any(check.status in ("match", "mismatch") for check in checks):
        return Outcome("wrong", "", str(checks))
    return Outcome("noted", "", "; ".join(check.cause for check in checks))


def draft_report(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """What is printed of a draft with ``sessions`` simulated sessions."""
    for mode in ("performance", "accuracy"):
        _MAKERS[mode](folder / "s" / mode, simulated="virtual board")
    given = dataclasses.replace(answers(folder / "documents", folder / "s"), checklist=None)
    text = generate(given, folder / "out", draft=True, labels=session_maker.small_lists()).review.text
    lines = text.splitlines()
    if sum("simulated" in line or "is a draft" in line for line in lines) != 1:
        return Outcome("wrong", "", text)
    return Outcome("noted", "", text)


def larger_without_smaller(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """ic2 on one system, ic on another one of the same organisation (``smaller``) or nowhere."""
    results = folder / "closed" / "Example" / "results"
    session_maker.performance(results / "LARGE" / "ic2" / "performance", "ic02")
    if inputs["smaller"]:
        session_maker.performance(results / "SMALL" / "ic" / "performance", "ic")
    found = replay([folder], session_maker.small_lists(), round_id="v1.4", jobs=1)
    findings = audit(found, labels=session_maker.small_lists(), trees=[(get_round("v1.4"), folder)], complete=False)
    mine = [finding for finding in findings if finding.rule.startswith("structure.ic2")]
    refused = next((finding for finding in mine if finding.severity == "error"), None)
    if refused is not None:
        return Outcome("finding", refused.rule, refused.message)
    return Outcome("noted", "", "; ".join(finding.message for finding in mine))
