# SPDX-License-Identifier: Apache-2.0
"""Each rule of the audit cites what a reader can open: a file at a commit, a result of a round, a page of this project, a URL."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cm4tiny.results.audit.rule import RULES
from cm4tiny.results.audit.sources import addresses, documents

ROOT = Path(__file__).resolve().parents[3]
FILE = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+/(blob|tree)/([0-9a-f]{40}|main)/\S+")


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_cites_what_can_be_opened(rule) -> None:
    found = addresses(rule.source)
    assert found, f"{rule.id}: nobody can open '{rule.source}'"
    for url in found.values():
        assert url.startswith("https://") or (ROOT / url).is_file(), url
        assert not re.search("/(blob|tree)/", url) or FILE.fullmatch(url), url


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_no_rule_cites_a_study_that_is_not_published(rule) -> None:
    assert not re.search(r"past-rounds|\bstudy\b", rule.source + rule.why)


def test_a_source_that_names_nothing_has_no_address() -> None:
    assert addresses("past-rounds 2e, Vector width") == addresses("this project") == addresses("tiny_results_v9.9: closed/x") == {}


def test_a_result_of_a_round_is_at_the_commit_of_the_rounds_table() -> None:
    found = addresses("tiny_results_v1.1: closed/A b/log.txt (three files)")
    assert list(found.values()) == [
        "https://github.com/mlcommons/tiny_results_v1.1/blob/c32ef94d19429ef1d318e9c7a60002a4bd70e11b/closed/A%20b/log.txt"
    ]


def test_every_document_of_the_table_is_cited() -> None:
    cited = {name for rule in RULES.values() for name in addresses(rule.source)}
    assert set(documents()) <= cited
