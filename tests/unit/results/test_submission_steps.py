# SPDX-License-Identifier: Apache-2.0
"""The steps generate, check and report: from CM's env to work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import session_maker as maker
from support.submission_maker import answers, documents, sessions, valid_submission

from cm4tiny.cm import Step
from cm4tiny.errors import RuleError, UsageError
from cm4tiny.events import SILENT
from cm4tiny.results.submission import generate, refuse, steps
from cm4tiny.results.submission.steps import answers_of, check_step, generate_step, report_step


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, and small label lists in place of the official ones."""
    monkeypatch.chdir(tmp_path)
    lists = maker.small_lists()  # reads the known lists, so before these are replaced
    for name in ("open", "known"):
        monkeypatch.setattr(steps.LabelLists, name, classmethod(lambda cls, folder=None: lists))
    return tmp_path


def step(folder: Path, **env: str) -> Step:
    return Step({"CM_TMP_CURRENT_PATH": str(folder), **env}, SILENT, folder)


def options(folder: Path) -> dict[str, str]:
    documents(folder / "documents")
    return {
        "CM_MLPERF_SUBMITTER": "Example", "CM_MLPERF_RESULTS_DIR": "runs", "CM_TINY_SUBMISSION_BOARD": "NUCLEO_L4R5ZI",
        "CM_TINY_SUBMISSION_CODE": "documents/code", "CM_TINY_SUBMISSION_CHECKLIST": "documents/checklist.pdf",
        "CM_TINY_SUBMISSION_FRAMEWORK": "Example 1.0", "CM_TINY_SUBMISSION_PREFIX": "lab",
    }  # fmt: skip


def test_options_become_answers(here: Path) -> None:
    found = answers_of(step(here, **options(here)))
    assert found.systems[0].name == "lab-NUCLEO_L4R5ZI"
    assert found.systems[0].sessions == (here / "runs",)
    assert found.checklist == here / "documents" / "checklist.pdf"


@pytest.mark.parametrize(
    ("missing", "hint"),
    [
        ("CM_MLPERF_SUBMITTER", "--submitter=NAME"),
        ("CM_MLPERF_RESULTS_DIR", "--results=DIR"),
        ("CM_TINY_SUBMISSION_BOARD", "--system=NAME"),
    ],
)
def test_what_is_missing_is_asked_for_by_its_option(here: Path, missing: str, hint: str) -> None:
    env = options(here)
    del env[missing]
    with pytest.raises(UsageError) as caught:
        answers_of(step(here, **env))
    assert hint in str(caught.value)


def test_generate_check_and_report_in_a_row(here: Path) -> None:
    sessions(here / "runs", energy=False)
    made = step(here, **options(here))
    done = generate_step(made)
    assert made.env["CM_MLPERF_SUBMISSION_DIR"] == str(here / "mlperf-tiny-submission")
    assert made.env["CM_TINY_SUBMISSION_FOLDER"] == str(done.folder)
    checked = step(here, CM_MLPERF_SUBMISSION_DIR=made.env["CM_MLPERF_SUBMISSION_DIR"])
    found = check_step(checked)
    refuse(found, "this")
    assert json.loads(Path(checked.env["CM_TINY_AUDIT_JSON"]).read_text(encoding="utf-8"))["rules"]["system.sparse"]["count"] == 1
    reported = step(here, CM_TINY_REPORT_PATH=str(done.root), CM_TINY_REPORT_FORMATS="csv,md")
    assert [path.name for path in report_step(reported)] == ["summary-v1.4.csv", "summary-v1.4.md"]
    assert reported.env["CM_TINY_REPORT_DIR"] == str(here / "mlperf-tiny-report")


def test_answers_in_a_file(here: Path) -> None:
    sessions(here / "runs", ("kws",), energy=False)
    documents(here / "documents")
    document = {"submitter": "Example", "checklist": "documents/checklist.pdf", "systems": [
        {"name": "A", "board": "NUCLEO_L4R5ZI", "sessions": ["runs"], "code": "documents/code",
         "description": {"Inference Framework": "x"}}]}  # fmt: skip
    (here / "answers.yaml").write_text(json.dumps(document), encoding="utf-8")
    done = generate_step(step(here, CM_TINY_SUBMISSION_ANSWERS="answers.yaml", CM_MLPERF_SUBMISSION_DIR="tree"))
    assert done.folder == here / "tree" / "closed" / "Example"


def test_a_check_that_finds_something_fails(here: Path) -> None:
    done = valid_submission(here)
    (done.folder / "DRAFT.md").write_text("x", encoding="utf-8")
    found = check_step(step(here, CM_TINY_CHECK_PATH=str(done.root)))
    assert "it is marked as one (DRAFT.md)" in found.text
    with pytest.raises(RuleError, match="this cannot be submitted"):
        refuse(found, "this")


def test_logs_alone_can_be_checked_partially(here: Path) -> None:
    maker.performance(here / "logs" / "closed" / "A" / "results" / "S" / "kws" / "performance")
    maker.accuracy(here / "logs" / "closed" / "A" / "results" / "S" / "kws" / "accuracy")
    rules = {finding.rule for finding in check_step(step(here, CM_TINY_CHECK_PATH="logs", CM_TINY_CHECK_PARTIAL="yes")).findings}
    assert "documents.code" not in rules
    assert "system.description" in rules


def test_the_official_checker_is_asked_when_wanted(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cm4tiny.results.checker import read_verdict
    from cm4tiny.results.submission import reviewer

    asked: list[Any] = []
    monkeypatch.setattr(steps, "get_tools", lambda clone, events: asked.append(clone) or "tools")
    monkeypatch.setattr(reviewer, "run_checker", lambda root, version, tools: read_verdict("boom", 1) if tools == "tools" else None)
    done = valid_submission(here)
    found = check_step(step(here, CM_TINY_CHECK_PATH=str(done.root), CM_TINY_OFFICIAL_CHECKER="yes", CM_TINY_SRC_PATH="clone"))
    assert asked == [str(here / "clone")]
    assert (here / "official-checker.txt").read_text(encoding="utf-8") == "boom"
    with pytest.raises(RuleError, match="cannot be submitted") as caught:
        refuse(found, "this")
    assert "the official checker crashed: boom" in str(caught.value)


@pytest.mark.parametrize(
    ("env", "message"),
    [({}, "no results were named"), ({"CM_TINY_REPORT_PATH": "x", "CM_TINY_REPORT_FORMATS": "pdf"}, "there is no format pdf")],
)
def test_a_report_of_nothing_is_refused(here: Path, env: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        report_step(step(here, **env))


def test_a_check_of_nothing_is_refused(here: Path) -> None:
    with pytest.raises(UsageError, match="nothing to check"):
        check_step(step(here))
    with pytest.raises(UsageError, match="is no submission"):
        check_step(step(here, CM_TINY_CHECK_PATH=str(here)))


def test_generating_draws_no_result_from_thin_air(here: Path) -> None:
    with pytest.raises(UsageError, match="there are no sessions"):
        generate(answers(here / "documents", here / "nothing"), here / "out")


def test_lists_come_from_a_mirror_only_where_one_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(steps.LabelLists, "fetch", classmethod(lambda cls, fetcher: asked.append(fetcher) or maker.small_lists()))
    steps._labels(step(here))
    assert not asked
    (here / "mirror").mkdir()
    (here / "mirror" / "index.tsv").write_text("url\tsha256\tbytes\tpath\n")
    steps._labels(step(here, CM_TINY_MIRROR=str(here / "mirror")))
    assert len(asked) == 1


def test_a_round_that_the_results_step_fetched_is_reported_as_that_round(here: Path) -> None:
    done = valid_submission(here)
    done.root.rename(here / "src")
    env = {"CM_TINYMLPERF_REPO_PATH": str(here / "src"), "CM_TINYMLPERF_REPO_VERSION": "1.3", "CM_TINY_REPORT_FORMATS": "csv"}
    assert [path.name for path in report_step(step(here, **env))] == ["summary-v1.3.csv"]
