# SPDX-License-Identifier: Apache-2.0
"""Each rule of the audit finds the breach that it is made for, and nothing in a valid submission."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.mutations import MUTATIONS, SUBMITTER, Mutation
from support.session_maker import small_lists
from support.submission_maker import valid_submission

from cm4tiny.results.audit import RULES
from cm4tiny.results.submission.reviewer import review

ROOT = Path(__file__).parents[3]
ELSEWHERE = {"evidence.resubmitted", "evidence.not-in-copy", "data.subset", "values.not-a-number"}
"""Rules with a test of their own below or in tests/conformance."""


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return valid_submission(tmp_path_factory.mktemp("valid")).root


@pytest.fixture
def broken(valid: Path, tmp_path: Path) -> Path:
    """A copy to break. Without checksums: they would find every change."""
    shutil.copytree(valid, tmp_path / "tree")
    (tmp_path / "tree" / SUBMITTER / "SHA256SUMS").unlink()
    return tmp_path / "tree"


def test_a_valid_submission_breaks_no_rule(valid: Path) -> None:
    found = review(valid, "v1.4", labels=small_lists(), jobs=1)
    assert [finding.text for finding in found.findings] == []
    assert found.passed


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_audit_finds(mutation: Mutation, broken: Path) -> None:
    mutation.apply(broken)
    found = review(broken, mutation.round, labels=small_lists(), jobs=1).findings
    assert mutation.rule in {finding.rule for finding in found}, [finding.text for finding in found]


def test_every_rule_has_a_test() -> None:
    assert {mutation.rule for mutation in MUTATIONS} | ELSEWHERE == set(RULES)
