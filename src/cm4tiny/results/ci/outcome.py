# SPDX-License-Identifier: Apache-2.0
"""The outcome of a replay or an audit, grouped, and where its places are: on the web, and in the checkout that the service runs on."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from cm4tiny.results.audit import SEVERITIES, Finding, Severity
from cm4tiny.results.rounds.model import Check, Round

DIVISIONS = ("closed", "open", "network")
NOBODY = "(the whole)"
"""Stands for the submitter where a finding is about none."""
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True)
class RoundPlaces:
    """Where a path of a round is.

    Attributes:
        web: round -> address that a path is put behind; rounds that are nowhere on the web are left out.
        checkout: round -> folder inside the checkout (``""`` for its top); rounds outside it are left out.
    """

    web: Mapping[str, str] = field(default_factory=dict)
    checkout: Mapping[str, str] = field(default_factory=dict)

    def url(self, round_id: str, path: str) -> str:
        """The address of a path; empty if it has none."""
        base = self.web.get(round_id)
        return "" if base is None else f"{base}/{quoted(path)}" if path not in ("", ".") else base

    def file(self, round_id: str, path: str) -> str:
        """The path in the checkout; empty if it is not there."""
        base = self.checkout.get(round_id)
        if base is None:
            return ""
        return "/".join(part for part in (base, path) if part not in ("", ".")) or "."


@dataclass(frozen=True)
class CiOutcome:
    """What was found.

    Attributes:
        title: of the summary: ``"Replay"``.
        rounds: ids.
        findings: of the audit.
        checks: of the replay; empty for an audit alone.
        accepted: mismatches that are known.
        failures: why the step fails, a sentence each; empty if it does not.
    """

    title: str
    rounds: tuple[str, ...]
    findings: tuple[Finding, ...]
    checks: tuple[Check, ...] = ()
    accepted: frozenset[Check] = frozenset()
    failures: tuple[str, ...] = ()
    places: RoundPlaces = RoundPlaces()


@dataclass(frozen=True)
class Group:
    """Findings of one rule and severity: how many, of whom, and the first."""

    rule: str
    severity: Severity
    count: int
    submitters: tuple[str, ...]
    first: Finding


def by_rule(findings: Iterable[Finding]) -> list[Group]:
    """The heaviest first, then the most frequent."""
    found: dict[tuple[str, Severity], list[Finding]] = {}
    for one in findings:
        found.setdefault((one.rule, one.severity), []).append(one)
    groups = [
        Group(rule, severity, len(ones), tuple(sorted({submitter_of(one.path) for one in ones})), ones[0])
        for (rule, severity), ones in found.items()
    ]
    return sorted(groups, key=lambda group: (SEVERITIES.index(group.severity), -group.count, group.rule))


def by_submitter(outcome: CiOutcome) -> dict[tuple[str, str], Counter[str]]:
    """(round, submitter) -> number of findings by severity, and of claims by status; those with the most first."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for one in outcome.findings:
        found.setdefault((one.round, submitter_of(one.path)), Counter())[one.severity] += 1
    for check in outcome.checks:
        if check.status in ("mismatch", "unverifiable"):
            found.setdefault((check.round, submitter_of(check.path)), Counter())[check.status] += 1
    weight = ("mismatch", *SEVERITIES, "unverifiable")
    return dict(sorted(found.items(), key=lambda item: ([-item[1][name] for name in weight], item[0])))


def by_cause(checks: Iterable[Check]) -> dict[str, list[Check]]:
    """What cannot be checked, by the reason, the most frequent first; figures in a reason do not make it another one."""
    found: dict[str, list[Check]] = {}
    for check in checks:
        if check.status == "unverifiable":
            found.setdefault(_NUMBERS.sub("N", check.cause.rpartition("; ")[2]), []).append(check)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def quoted(path: str) -> str:
    """A path in an address; bytes of a name that are not text become ``?``."""
    return quote(path, errors="replace")


def submitter_of(path: str) -> str:
    """``someone`` of ``closed/someone/results/...``."""
    parts = path.split("/")
    return parts[1] if len(parts) > 1 and parts[0] in DIVISIONS else NOBODY


def places_of(rounds: Iterable[tuple[Round, Path]], environ: Mapping[str, str] | None = None, *, fetched: bool = False) -> RoundPlaces:
    """Where the rounds are.

    Args:
        rounds: with the folder that each was read from.
        environ: of the service, None: of this process: ``GITHUB_WORKSPACE``, ``GITHUB_SERVER_URL``, ``GITHUB_REPOSITORY``, ``GITHUB_SHA``.
        fetched: whether the rounds are the public repositories at their pinned commits, not copies of the user's.
    """
    web, checkout = {}, {}
    environ = os.environ if environ is None else environ
    workspace = environ.get("GITHUB_WORKSPACE", "")
    server, repository, commit = (environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "SHA"))
    for round_, root in rounds:
        folder = _below(root, workspace)
        if fetched and round_.repository:
            web[round_.id] = f"https://github.com/{round_.repository}/blob/{round_.commit}"
        elif folder is not None:
            checkout[round_.id] = folder
            if server and repository and commit:
                web[round_.id] = "/".join(part for part in (server, repository, "blob", commit, quoted(folder)) if part)
    return RoundPlaces(web, checkout)


def _below(root: Path, workspace: str) -> str | None:
    """The folder of ``root`` in the checkout, ``""`` for its top; None if it lies elsewhere."""
    if not workspace:
        return None
    resolved, top = root.resolve(), Path(workspace).resolve()
    if not resolved.is_relative_to(top):
        return None
    found = resolved.relative_to(top).as_posix()
    return "" if found == "." else found
