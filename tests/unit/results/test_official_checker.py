# SPDX-License-Identifier: Apache-2.0
"""The official checker's verdict is read from its output, whatever its exit status says."""

from __future__ import annotations

from pathlib import Path

import pytest

from cm4tiny.errors import ResultsError, UsageError
from cm4tiny.results import checker, checker_tools
from cm4tiny.results.checker import read_verdict, run_checker
from cm4tiny.results.checker_tools import Tools, get_tools

GOOD = """INFO:main:---
INFO:main:Results closed/A/results/B/kws 22.856
INFO:main:Results=1, NoResults=0
INFO:main:SUMMARY: submission looks OK
function main() returned 0
"""
BAD = """ERROR:main:no system_desc for closed/A/B
WARNING:main:closed/A contains files with spaces in their names: ['closed/A/x y']
ERROR:main:NoResults closed/A/results/B
INFO:main:Results=0, NoResults=1
ERROR:main:SUMMARY: submission has errors
function main() returned 1
"""


def test_a_good_verdict() -> None:
    verdict = read_verdict(GOOD, 0)
    assert verdict.passed
    assert (verdict.results, verdict.no_results) == (1, 0)
    assert verdict.text == "the official checker says: looks OK (1 results, 0 without, 0 error lines)"


def test_a_bad_verdict_in_spite_of_exit_status_0() -> None:
    verdict = read_verdict(BAD, 0)
    assert not verdict.passed
    assert verdict.errors == ("no system_desc for closed/A/B", "NoResults closed/A/results/B")
    assert len(verdict.warnings) == 1


@pytest.mark.parametrize(("output", "status"), [("Traceback\nKeyError: 'required_tests'\n", 1), (GOOD, 1), ("", 0)])
def test_a_crash_is_no_pass(output: str, status: int) -> None:
    verdict = read_verdict(output, status)
    assert not verdict.passed
    assert verdict.crash
    assert "crashed" in verdict.text


def fake_tools(folder: Path, program: str) -> Tools:
    import sys

    for name in (checker_tools.CHECKER, checker_tools.REPORT):
        (folder / name).write_text(program, encoding="utf-8")
    return Tools(folder, Path(sys.executable), False)


def test_the_checker_is_run_with_the_tree_the_rules_and_a_table(tmp_path: Path) -> None:
    program = "import sys; a = sys.argv; open(a[6], 'w').write('Model\\n\"kws\"\\n'); print(a[1:5]); print('function main() returned 1')"
    (tmp_path / "closed").mkdir()
    verdict = run_checker(tmp_path, "v1.3", fake_tools(tmp_path, program))
    assert f"'--input', '{tmp_path.resolve()}', '--version', 'v1.3'" in verdict.output
    assert verdict.rows == (("Model",), ("kws",))
    assert "SHA-256" in verdict.origin


def test_rules_that_the_checker_cannot_apply_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no usable rules v1\.1"):
        run_checker(tmp_path, "v1.1", fake_tools(tmp_path, ""))


def test_a_folder_without_divisions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds neither closed nor open"):
        run_checker(tmp_path, "v1.4", fake_tools(tmp_path, ""))


def test_a_checker_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    with pytest.raises(ResultsError, match="does not run"):
        run_checker(tmp_path, "v1.4", Tools(tmp_path, tmp_path / "no-python", False))


def test_a_checker_that_does_not_end_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "RUN_TIMEOUT_S", 0.2)
    (tmp_path / "open").mkdir()
    with pytest.raises(ResultsError, match="does not run"):
        run_checker(tmp_path, "v1.4", fake_tools(tmp_path, "import time; time.sleep(20)"))


def test_a_clone_without_the_tools_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no submission tools"):
        get_tools(str(tmp_path))


def test_a_changed_checker_is_used_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker_tools, "_python", lambda events: Path("python"))
    fake_tools(tmp_path, "print('x')")
    tools = get_tools(str(tmp_path))
    assert not tools.pinned
    assert str(tmp_path) in tools.origin


def test_an_environment_that_cannot_be_made_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(checker_tools.sys, "executable", "/nowhere/python")
    fake_tools(tmp_path, "")
    with pytest.raises(ResultsError, match="environment cannot be made") as caught:
        get_tools(str(tmp_path))
    assert "leave out --official" in str(caught.value)


def test_the_environment_is_installed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path / "cache"))
    ran: list[list[str]] = []

    def program(command: list[str], folder: Path, timeout_s: float, what: str) -> None:
        ran.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True)

    monkeypatch.setattr(checker_tools, "_program", program)
    fake_tools(tmp_path, "")
    assert get_tools(str(tmp_path)).python == get_tools(str(tmp_path)).python
    assert len(ran) == 2
    assert list(checker_tools.REQUIREMENTS) == ran[1][-2:]
