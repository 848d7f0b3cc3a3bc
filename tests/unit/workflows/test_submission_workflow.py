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
from cm4tiny.results.rounds import LabelLists
from cm4tiny.results.submission import generate
from cm4tiny.results.submission.answers import Answers
from cm4tiny.results.submission.reviewer import Review
from cm4tiny.workflows import check_mlperf_tiny_submission
from cm4tiny.workflows.check_mlperf_tiny_submission import CheckOptions, check_step, review_of
from cm4tiny.workflows.generate_mlperf_tiny_report import ReportOptions, report_step
from cm4tiny.workflows.generate_mlperf_tiny_submission import GenerateOptions, answers_of, generate_step
from cm4tiny.workflows.label_lists import label_lists


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, and small label lists in place of the official ones."""
    monkeypatch.chdir(tmp_path)
    lists = maker.small_lists()  # reads the known lists, so before these are replaced
    for name in ("open", "known"):
        monkeypatch.setattr(LabelLists, name, classmethod(lambda cls, folder=None: lists))
    return tmp_path


def step(folder: Path, **env: str) -> Step:
    return Step({"CM_TMP_CURRENT_PATH": str(folder), **env}, SILENT, folder)


def said(folder: Path, **env: str) -> Answers:
    asked = step(folder, **env)
    return answers_of(asked.options(GenerateOptions), asked)


def made(folder: Path, **env: str) -> dict[str, Any]:
    asked = step(folder, **env)
    return dict(generate_step(asked.options(GenerateOptions), asked) or {})


def checked(folder: Path, **env: str) -> dict[str, Any]:
    asked = step(folder, **env)
    return dict(check_step(asked.options(CheckOptions), asked) or {})


def reviewed(folder: Path, **env: str) -> Review:
    asked = step(folder, **env)
    return review_of(asked.options(CheckOptions), asked)


def reported(folder: Path, **env: str) -> Path:
    asked = step(folder, **env)
    return Path(dict(report_step(asked.options(ReportOptions), asked) or {})["CM_TINY_REPORT_DIR"])


def options(folder: Path) -> dict[str, str]:
    documents(folder / "documents")
    return {
        "CM_MLPERF_SUBMITTER": "Example", "CM_MLPERF_RESULTS_DIR": "runs", "CM_TINY_SUBMISSION_BOARD": "NUCLEO_L4R5ZI",
        "CM_TINY_SUBMISSION_CODE": "documents/code", "CM_TINY_SUBMISSION_CHECKLIST": "documents/checklist.pdf",
        "CM_TINY_SUBMISSION_FRAMEWORK": "Example 1.0", "CM_TINY_SUBMISSION_PREFIX": "lab",
    }  # fmt: skip


def test_options_become_answers(here: Path) -> None:
    found = said(here, **options(here))
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
        said(here, **env)
    assert hint in str(caught.value)


def test_generate_check_and_report_in_a_row(here: Path) -> None:
    sessions(here / "runs", energy=False)
    done = made(here, **options(here))
    assert done["CM_MLPERF_SUBMISSION_DIR"] == here / "mlperf-tiny-submission"
    assert done["CM_TINY_SUBMISSION_FOLDER"].is_relative_to(done["CM_MLPERF_SUBMISSION_DIR"])
    audit = checked(here, CM_MLPERF_SUBMISSION_DIR=str(done["CM_MLPERF_SUBMISSION_DIR"]))["CM_TINY_AUDIT_JSON"]
    assert json.loads(audit.read_text(encoding="utf-8"))["rules"]["system.sparse"]["count"] == 1
    folder = reported(here, CM_TINY_REPORT_PATH=str(done["CM_MLPERF_SUBMISSION_DIR"]), CM_TINY_REPORT_FORMATS="csv,md")
    assert folder == here / "mlperf-tiny-report"
    assert sorted(path.name for path in folder.iterdir()) == ["summary-v1.4.csv", "summary-v1.4.md"]


def test_answers_in_a_file(here: Path) -> None:
    sessions(here / "runs", ("kws",), energy=False)
    documents(here / "documents")
    document = {"submitter": "Example", "checklist": "documents/checklist.pdf", "systems": [
        {"name": "A", "board": "NUCLEO_L4R5ZI", "sessions": ["runs"], "code": "documents/code",
         "description": {"Inference Framework": "x"}}]}  # fmt: skip
    (here / "answers.yaml").write_text(json.dumps(document), encoding="utf-8")
    done = made(here, CM_TINY_SUBMISSION_ANSWERS="answers.yaml", CM_MLPERF_SUBMISSION_DIR="tree")
    assert done["CM_TINY_SUBMISSION_FOLDER"] == here / "tree" / "closed" / "Example"


def test_a_check_that_finds_something_fails(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = valid_submission(here)
    (done.folder / "DRAFT.md").write_text("x", encoding="utf-8")
    with pytest.raises(RuleError, match="this cannot be submitted"):
        checked(here, CM_TINY_CHECK_PATH=str(done.root))
    assert "it is marked as one (DRAFT.md)" in capsys.readouterr().out
    assert (here / "audit.json").is_file()


def test_logs_alone_can_be_checked_partially(here: Path) -> None:
    maker.performance(here / "logs" / "closed" / "A" / "results" / "S" / "kws" / "performance")
    maker.accuracy(here / "logs" / "closed" / "A" / "results" / "S" / "kws" / "accuracy")
    rules = {finding.rule for finding in reviewed(here, CM_TINY_CHECK_PATH="logs", CM_TINY_CHECK_PARTIAL="yes").findings}
    assert "documents.code" not in rules
    assert "system.description" in rules


def test_the_official_checker_is_asked_when_wanted(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cm4tiny.results.checker import read_verdict
    from cm4tiny.results.submission import reviewer

    asked: list[Any] = []
    monkeypatch.setattr(check_mlperf_tiny_submission, "get_tools", lambda clone, events: asked.append(clone) or "tools")
    monkeypatch.setattr(reviewer, "run_checker", lambda root, version, tools: read_verdict("boom", 1) if tools == "tools" else None)
    done = valid_submission(here)
    with pytest.raises(RuleError, match="cannot be submitted") as caught:
        checked(here, CM_TINY_CHECK_PATH=str(done.root), CM_TINY_OFFICIAL_CHECKER="yes", CM_TINY_SRC_PATH="clone")
    assert asked == [str(here / "clone")]
    assert (here / "official-checker.txt").read_text(encoding="utf-8") == "boom"
    assert "the official checker crashed: boom" in str(caught.value)


@pytest.mark.parametrize(
    ("env", "message"),
    [({}, "no results were named"), ({"CM_TINY_REPORT_PATH": "x", "CM_TINY_REPORT_FORMATS": "pdf"}, "there is no format pdf")],
)
def test_a_report_of_nothing_is_refused(here: Path, env: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        reported(here, **env)


def test_a_check_of_nothing_is_refused(here: Path) -> None:
    with pytest.raises(UsageError, match="nothing to check"):
        checked(here)
    with pytest.raises(UsageError, match="is not a submission"):
        checked(here, CM_TINY_CHECK_PATH=str(here))


def test_generating_draws_no_result_from_thin_air(here: Path) -> None:
    with pytest.raises(UsageError, match="there are no sessions"):
        generate(answers(here / "documents", here / "nothing"), here / "out")


def test_lists_come_from_a_mirror_only_where_one_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(LabelLists, "fetch", classmethod(lambda cls, fetcher: asked.append(fetcher) or maker.small_lists()))
    label_lists(None, None, None, SILENT)
    assert not asked
    (here / "mirror").mkdir()
    (here / "mirror" / "index.tsv").write_text("url\tsha256\tbytes\tpath\n")
    label_lists(None, None, here / "mirror", SILENT)
    label_lists(None, None, here / "mirror", SILENT, offline=True)
    monkeypatch.setenv("CM_TINY_OFFLINE", "yes")
    label_lists(None, None, here / "mirror", SILENT)
    assert [fetcher.offline for fetcher in asked] == [False, True, True]


def test_a_round_that_the_results_step_fetched_is_reported_as_that_round(here: Path) -> None:
    done = valid_submission(here)
    done.root.rename(here / "src")
    env = {"CM_TINYMLPERF_REPO_PATH": str(here / "src"), "CM_TINYMLPERF_REPO_VERSION": "1.3", "CM_TINY_REPORT_FORMATS": "csv"}
    assert [path.name for path in reported(here, **env).iterdir()] == ["summary-v1.3.csv"]
