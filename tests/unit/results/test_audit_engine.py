# SPDX-License-Identifier: Apache-2.0
"""The audit's machinery: rounds, weights, files, documentation, and rules that need more than one submission."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.session_maker import small_lists
from support.submission_maker import valid_submission

from cm4tiny.errors import ResultsError, UsageError
from cm4tiny.results.audit import (
    RULES,
    Finding,
    Rule,
    Violation,
    audit,
    audit_document,
    choose,
    counts,
    read_audit,
    rules_page,
    write_audit,
)
from cm4tiny.results.audit.views import list_entries
from cm4tiny.results.replay import Replayed, replay
from cm4tiny.results.rounds import Scores, get_round

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return valid_submission(tmp_path_factory.mktemp("valid")).root


def always(severity: str = "error", **choices: Any) -> Rule:
    return Rule("x.y", "title", severity, "session", "source", "why", lambda view: [Violation(view.path, "m")], **choices)  # type: ignore[arg-type]


def replayed(root: Path, round_id: str = "v1.4") -> tuple[Replayed, ...]:
    return replay([root], small_lists(), round_id=round_id, jobs=1).results


def test_the_documentation_equals_the_rules() -> None:
    assert (ROOT / "docs" / "audit-rules.md").read_text(encoding="utf-8") == rules_page(), (
        "run python -m cm4tiny.results.audit > docs/audit-rules.md"
    )


def test_every_rule_says_where_it_comes_from_and_why() -> None:
    for rule in RULES.values():
        assert rule.id == rule.id.lower()
        assert rule.source and rule.why.endswith("."), rule.id
        assert not rule.title.endswith("."), rule.id


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [((0, 5), (1, 4), "all rounds"), ((1, 3), (1, 4), "v1.3 and later"), ((0, 5), (1, 1), "up to v1.1"), ((0, 7), (1, 1), "v0.7 to v1.1")],
)
def test_a_rule_tells_its_rounds(since: tuple[int, int], until: tuple[int, int], expected: str) -> None:
    assert always(since=since, until=until).rounds == expected


def test_a_rule_is_applied_to_its_rounds_only(valid: Path) -> None:
    results = replayed(valid)
    for since, expected in (((1, 4), True), ((1, 5), False)):
        found = audit(results, labels=small_lists(), rules={"x.y": always(since=since, until=(9, 9))})
        assert bool(found) is expected


def test_inputs_of_a_later_list_are_not_called_old(valid: Path, tmp_path: Path) -> None:
    """v0.5 was judged on another list of ic than the rounds after it."""
    later = small_lists().first("ic01")[0].removesuffix(".bin")
    shutil.copytree(valid, tmp_path, dirs_exist_ok=True)
    for file in (tmp_path / "closed" / "Example" / "results" / "BOARD_A" / "ic" / "performance").iterdir():
        file.write_text(file.read_text(encoding="utf-8").replace("airplane_s_000000", later), encoding="utf-8")
    assert audit(replayed(tmp_path, "v0.5"), labels=small_lists(), rules={"data.old-inputs": RULES["data.old-inputs"]}) == ()


def test_a_breach_is_a_warning_in_rounds_that_accepted_it(valid: Path) -> None:
    found = audit(replayed(valid, "v1.3"), labels=small_lists(), rules={"x.y": always(warning_before=(1, 4))})
    assert {finding.severity for finding in found} == {"warning"}
    assert always("note", warning_before=(1, 4)).severity_in((1, 3)) == "note"


def test_rules_for_whole_submissions_leave_collections_of_logs_alone(valid: Path, tmp_path: Path) -> None:
    shutil.copytree(valid / "closed" / "Example" / "results", tmp_path / "closed" / "Example" / "results")
    found = audit(replay([tmp_path], small_lists(), round_id="v1.4", jobs=1), labels=small_lists())
    assert "documents.code" not in counts(found)
    found = audit(replay([tmp_path], small_lists(), round_id="v1.4", jobs=1), labels=small_lists(), complete=True)
    assert "documents.code" in counts(found)


def test_the_same_log_in_two_rounds_is_found(valid: Path, tmp_path: Path) -> None:
    shutil.copytree(valid, tmp_path / "tiny_results_v1.3")
    both = [*replayed(tmp_path / "tiny_results_v1.3", "v1.3"), *replayed(valid)]
    found = [finding for finding in audit(both, labels=small_lists()) if finding.rule == "evidence.resubmitted"]
    assert {finding.round for finding in found} == {"v1.3", "v1.4"}
    assert len(found) == 12
    assert found[0].related[0].startswith("v1.4:closed/Example/results/BOARD_A/")


def test_a_file_that_a_copy_lacks_is_noted(valid: Path) -> None:
    first, *_ = replayed(valid)
    modes = tuple(dataclasses.replace(files, missing=("log.txt",)) for files in first.result.modes)
    changed = dataclasses.replace(first, result=dataclasses.replace(first.result, modes=modes))
    found = counts(audit([changed], labels=small_lists()))
    assert found["evidence.not-in-copy"] == 3


def test_the_short_list_of_anomaly_detection_is_noted(valid: Path, tmp_path: Path) -> None:
    from support.session_maker import NAMES, accuracy, performance

    folder = tmp_path / "closed" / "Example" / "results" / "BOARD" / "ad"
    performance(folder / "performance", "ad")
    accuracy(folder / "accuracy", "ad")
    lists = small_lists()
    lists.known["ad01-alt"] = lists.known.pop("ad01")
    assert len(NAMES["ad"]) == 8
    found = audit(replay([tmp_path], lists, round_id="v1.4", jobs=1), labels=lists)
    assert "data.subset" in counts(found)


def test_results_that_are_no_numbers_are_found(valid: Path) -> None:
    first, *_ = replayed(valid)
    session = first.sessions["accuracy"]
    assert session.scores is not None
    values = session.scores.values.copy()
    values[3, 2] = np.nan
    scores = Scores(session.scores.files, values, session.scores.segments, session.scores.lines)
    changed = dataclasses.replace(first, sessions={**first.sessions, "accuracy": dataclasses.replace(session, scores=scores)})
    assert counts(audit([changed], labels=small_lists()))["values.not-a-number"] == 1


def test_rules_are_chosen_by_name_or_group() -> None:
    assert set(choose(["windows.count"])) == {"windows.count"}
    assert len(choose(["windows"])) == sum(name.startswith("windows.") for name in RULES)
    with pytest.raises(UsageError, match=r"did you mean 'windows\.count'"):
        choose(["windows.cout"])


def test_findings_survive_the_file(tmp_path: Path) -> None:
    findings = (
        Finding("files.log", "error", "v1.4", "closed/Ü/results", "no <log>", ("v1.3:closed/x",)),
        Finding("system.sparse", "note", "v0.5", "closed/A/systems/x.json", "empty"),
    )
    path = write_audit(findings, tmp_path / "deep" / "audit.json", ("v1.4",))
    assert read_audit(path) == (findings[1], findings[0])
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["rounds"] == ["v0.5", "v1.4"]
    assert document["rules"]["files.log"]["count"] == 1
    assert document["rules"]["files.json"]["count"] == 0
    assert set(document["rules"]) == set(RULES)
    assert audit_document(findings, ("v1.4",)) == document


@pytest.mark.parametrize(
    "text", ["", "[]", '{"schema": "other"}', '{"schema": "cm4tiny-audit-1", "rounds": [], "rules": {}, "findings": [{}]}', "[" * 5000]
)
def test_a_damaged_audit_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "audit.json").write_text(text, encoding="utf-8")
    with pytest.raises(ResultsError, match="is not an audit"):
        read_audit(tmp_path / "audit.json")


def test_an_audit_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ResultsError, match="cannot be written"):
        write_audit((), tmp_path / "file" / "audit.json")


def test_listing_follows_no_links(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "f").write_text("12", encoding="utf-8")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "dead").symlink_to("/nowhere")
    found = list_entries(tmp_path / "a", tmp_path)
    assert found.files == {"a/b/f": 2}
    assert set(found.links) == {"a/up", "a/dead"}
    assert get_round("v1.4").id == "v1.4"
