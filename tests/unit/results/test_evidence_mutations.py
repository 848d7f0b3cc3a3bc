# SPDX-License-Identifier: Apache-2.0
"""What changes a claim or its evidence is never accepted: a seeded sample of the mutation campaign, and in the long run 20,000."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.evidence.campaign import Tally, chosen, judged, run
from support.evidence.judge import Judge
from support.evidence.neutral import reason, table
from support.evidence.sites import Site, mutated, sites
from support.session_maker import small_lists
from support.submission_maker import whole_submission

SEED = int(os.environ.get("CM4TINY_EVIDENCE_SEED", "1"))
CI_COUNT, LONG_COUNT = 300, 20_000
KWS = "closed/Example/results/BOARD_A/kws"


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_submission(tmp_path_factory.mktemp("valid")).root


@pytest.fixture(scope="module")
def judge(valid: Path, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return Judge(valid, tmp_path_factory.mktemp("judge"), small_lists())


def _small(chosen_sites: list[Site]) -> Iterator[Site]:
    """Without the recording's samples: 1.2 million of them take half a second a mutation; the long run has them."""
    return (site for site in chosen_sites if "/sww/energy/" not in site.file)


def test_the_submission_of_six_benchmarks_is_valid(judge: Judge) -> None:
    assert [finding.text for finding in judge.findings()] == []
    assert {result.split("/")[4] for result in judge._known} == {"ad", "ic", "ic2", "kws", "sww", "vww"}


def test_a_sample_of_mutations_is_found(valid: Path, judge: Judge) -> None:
    tally = Tally()
    for site in list(_small(chosen(valid, 2 * CI_COUNT, SEED)))[:CI_COUNT]:
        tally.add(judged(judge, site, SEED))
    assert tally.accepted == [], f"seed {SEED}: {tally.text}"
    assert tally.verdicts["found"] > CI_COUNT / 2, tally.text


def test_a_mutation_is_undone(judge: Judge) -> None:
    judge.after(f"{KWS}/performance/results.json", b"[]")
    assert judge.findings() == ()


@pytest.mark.parametrize("kind", ["changed", "removed", "doubled", "swapped", "line-removed", "line-doubled", "line-swapped"])
def test_each_kind_changes_a_file(kind: str, valid: Path) -> None:
    import random

    site = next(site for site in sites(valid, SEED) if site.kind == kind and site.file.endswith("kws/performance/log.txt"))
    before = (valid / site.file).read_bytes()
    assert mutated(site, before, random.Random(SEED)) != before


def test_each_neutral_entry_is_used_and_says_why(valid: Path) -> None:
    used: set[str] = set()
    content = {path: (valid / path).read_bytes() for path in {site.file for site in sites(valid, SEED)}}
    for site in sites(valid, SEED):
        whole_entry = "/ad/accuracy/results.json" in site.file and len(site.at) == 1
        if whole_entry or any(part in site.file for part in ("/kws/", "/sww/performance/", "/systems/")):
            used.add(reason(site, content[site.file]))
    listed = [entry["why"] for part in ("text", "lines", "json") for entry in table()[part]]
    listed += [table()["system"]["declared"]["why"], table()["system"]["same-value-twice"]["why"]]
    assert all(len(why) > 30 for why in listed)
    assert set(listed) - used == set()


def test_the_list_of_what_is_neutral_does_not_ask_the_audit() -> None:
    source = (Path(__file__).parents[2] / "support" / "evidence" / "neutral.py").read_text(encoding="utf-8")
    assert not re.search(r"results\.audit|judge", source)


def test_with_checksums_every_change_is_found(valid: Path, tmp_path: Path) -> None:
    from cm4tiny.results.submission.reviewer import review

    path = valid / KWS / "performance" / "log.txt"
    before = path.read_bytes()
    try:
        path.write_bytes(before.replace(b"/dev/ttyACM0", b"/dev/ttyACM1"))  # neutral otherwise
        found = {finding.rule for finding in review(valid, "v1.4", labels=small_lists(), jobs=1).errors}
    finally:
        path.write_bytes(before)
    assert found == {"documents.checksums"}


@pytest.mark.long
def test_twenty_thousand_mutations(tmp_path: Path) -> None:
    tally = run(LONG_COUNT, SEED, 2, tmp_path / "protocol.jsonl", lambda done, total, tally: None)
    assert tally.accepted == [], f"seed {SEED}: {tally.text}"
