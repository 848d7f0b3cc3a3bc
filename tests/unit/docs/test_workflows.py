# SPDX-License-Identifier: Apache-2.0
"""The workflows: what they use is pinned, what they run exists, hostile input reaches no shell.

Their steps are executed by tests/emulated/test_documented_commands.py.
"""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
import yaml
from support.documented import ACTION, ROOT, WORKFLOWS, steps

FILES = sorted(WORKFLOWS.glob("*.yml"))
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def loaded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))
    return found


def used() -> list[tuple[str, str, str]]:
    """(action, commit, version) of every use, as the lines say."""
    texts = [file.read_text(encoding="utf-8").splitlines() for file in (*FILES, ACTION)]
    lines = [line for text in texts for line in text if "uses:" in line and not re.search(r"uses: \./(\.cm4tiny)?$", line)]
    found = [re.search(r"uses: ([\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$", line) for line in lines]
    assert [line for line, match in zip(lines, found, strict=True) if match is None] == [], "name the commit, with its version in a comment"
    return [(match[1], match[2], match[3]) for match in found if match is not None]


def test_every_action_is_pinned_by_commit_and_in_one_version() -> None:
    assert len(used()) > 5
    assert len({(action, commit) for action, commit, _ in used()}) == len({action for action, _, _ in used()})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_workflow_may_read_the_repository_and_nothing_else(file: Any) -> None:
    workflow = loaded(file.name)
    assert workflow["permissions"] == {"contents": "read"}
    assert [name for name, job in workflow["jobs"].items() if "permissions" in job or "runs-on" not in job] == []
    for name, step in steps(file):
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False, name
        if "run" in step:
            assert not re.search(r"\$\{\{\s*(inputs|github\.event|github\.head_ref)", step["run"]), step["run"]


@pytest.mark.parametrize("file", [ACTION, WORKFLOWS / "tests.yml"], ids=lambda file: file.name)
def test_every_package_comes_by_its_digest(file: Any) -> None:
    """Either with ``--require-hashes``, or from the checkout without its dependencies."""
    runs = [
        step["run"].replace('"$GITHUB_ACTION_PATH/requirements/run.txt"', "requirements/run.txt")
        for _, step in steps(file)
        if "run" in step
    ]
    commands = [line for run in runs for line in run.splitlines() if re.match(r"\s*pip (install|wheel)", line)]
    assert commands
    for command in commands:
        assert ("--require-hashes" in command and "--only-binary=:all:" in command) or "--no-deps" in command, command
        assert all((ROOT / name).is_file() for name in re.findall(r"-r (\S+)", command)), command


def test_only_these_files_install_anything() -> None:
    installing = {file.name for file in (*FILES, ACTION) for _, step in steps(file) if re.search(r"\bpip3? ", step.get("run", ""))}
    assert installing == {"tests.yml", "action.yml"}


def test_no_expression_stands_in_a_script_of_the_action() -> None:
    """An input is a variable of the step's environment, never part of the script's text."""
    runs = [step["run"] for _, step in steps(ACTION) if "run" in step]
    assert len(runs) == 5 and not any("${{" in run for run in runs)


def test_what_the_action_takes_and_gives_is_documented() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    loaded = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    for name, about in {**loaded["inputs"], **loaded["outputs"]}.items():
        assert f"`{name}`" in page and len(about["description"]) > 10, name


def test_the_tests_run_on_every_python_that_the_package_accepts() -> None:
    low, high = re.findall(r"3\.(\d+)", re.search(r'^requires-python = "(.*)"$', PROJECT, re.M)[1])  # type: ignore[index]
    matrix = loaded("tests.yml")["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["python"] == [f"3.{minor}" for minor in range(int(low), int(high))]
    assert matrix["os"] == ["ubuntu-24.04"]


def test_only_platforms_that_nobody_has_seen_pass_may_fail() -> None:
    """README promises Linux on x86-64; a platform moves from ``unseen`` to ``os`` and to README when it was seen."""
    job = loaded("tests.yml")["jobs"]["tests"]
    unseen = [row["os"] for row in job["strategy"]["matrix"]["include"] if row["unseen"]]
    assert set(unseen) == {"ubuntu-24.04-arm", "macos-15"}
    assert job["continue-on-error"] == "${{ matrix.unseen == true }}"
    assert "Linux on x86-64" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_nox_session_that_is_named_exists() -> None:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    sessions = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            given = {k.arg: k.value for d in node.decorator_list if isinstance(d, ast.Call) for k in d.keywords}
            sessions.add(given["name"].value if isinstance(given.get("name"), ast.Constant) else node.name)
    assert sessions == {"lint", "types", "unit", "all", "long", "upstream", "docs", "pythons"}
    texts = [path.read_text(encoding="utf-8") for path in (*FILES, ROOT / ".ci" / "run", ROOT / "CONTRIBUTING.md")]
    named = {name for text in texts for found in re.findall(r"nox -s ([a-z ]+)", text) for name in found.split()}
    assert {"lint", "types", "all", "docs"} <= named <= sessions
