# SPDX-License-Identifier: Apache-2.0
"""The action and the workflows that are shipped, executed step by step as they stand in their files."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.action_runner import Runner, filled, truth
from support.documented import ROOT, SKIPPED, WORKFLOWS
from support.lay import rounds
from support.sessions import result_folder

INSTALL = "Install the pinned packages and cm4tiny"
"""Reaches the package registry: executed by test_the_action_installs_itself alone."""


def left_out(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__" or (Path(folder) == ROOT and name in SKIPPED | {"tests", "docs"})}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, as the action's own folder."""
    folder = tmp_path_factory.mktemp("action") / "cm4tiny"
    shutil.copytree(ROOT, folder, ignore=left_out)
    return folder


@pytest.fixture
def runner(checkout: Path, tmp_path: Path) -> Runner:
    """A job on an empty workspace; the packages of these tests stand for the installed ones."""
    home = tmp_path / "home"
    (home / ".cache" / "cm4tiny-action" / "CM").mkdir(parents=True)
    (home / ".cache" / "cm4tiny-action" / "CM" / "repos.json").write_text(f'["{checkout}"]', encoding="utf-8")
    (tmp_path / "workspace").mkdir()
    installed = tmp_path / "temp" / "cm4tiny" / "bin"
    installed.mkdir(parents=True)
    (installed / "activate").write_text(f'PATH="{Path(sys.executable).parent}:$PATH"\n', encoding="utf-8")
    kept = {key: text for key, text in os.environ.items() if not key.startswith(("CM_", "PYTEST_", "GITHUB_"))}
    env = {**kept, "HOME": str(home), "PYTHONPATH": str(checkout / "src"), "CM_CORE_SKIP_INTERNAL_REPOS": "yes", "CM_TINY_OFFLINE": "yes"}
    return Runner(tmp_path / "workspace", env, tmp_path / "temp", skipped=(INSTALL,))


def test_a_replay_that_passes_leaves_a_summary_sarif_and_tables(runner: Runner, checkout: Path) -> None:
    rounds(runner.workspace / "tiny_results_v1.1")
    status = runner.action(checkout, {"command": "replay", "path": "tiny_results_v1.1"})
    assert status == 0, runner.printed
    assert runner.summary.read_text(encoding="utf-8").startswith("## Replay\n\n**passed** — v1.1. 1 claims: 1 match,")
    out = runner.workspace / "cm4tiny-results"
    assert {path.name for path in out.iterdir()} >= {"replay.csv", "audit.json", "junit.xml", "summary.md", "findings.sarif"}
    assert not any(line.startswith("::error title=mismatch") for line in runner.commands())


def test_a_replay_that_fails_says_so_on_the_run_s_page_and_by_its_status(runner: Runner, checkout: Path) -> None:
    rounds(runner.workspace / "tiny_results_v1.1")
    session = next(runner.workspace.rglob("performance"))
    text = (session / "results.txt").read_text(encoding="utf-8")
    (session / "results.txt").write_text(text.replace("Median throughput is 8", "Median throughput is 9"), encoding="utf-8")
    status = runner.action(checkout, {"command": "replay", "path": "tiny_results_v1.1", "accept-known": True})
    assert status == 3, runner.printed
    assert "**failed**" in runner.summary.read_text(encoding="utf-8")
    first = runner.commands()[0]
    path = "tiny_results_v1.1/closed/someone/results/board/kws/performance/results.txt"
    assert first.startswith(f"::error file={path},title=mismatch%3A v1.1 closed/someone/results/board/kws/performance::throughput 9.")
    sarif = json.loads((runner.workspace / "cm4tiny-results" / "findings.sarif").read_text(encoding="utf-8"))
    assert sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == path


def test_names_in_a_submission_cannot_speak_to_the_service(runner: Runner, checkout: Path) -> None:
    rounds(runner.workspace / "tiny_results_v1.1")
    hostile = "a\n::error::owned\n::add-mask::x"
    result_folder(runner.workspace, system=hostile.replace("/", "_"))
    (runner.workspace / "tiny_results_v1.1" / "closed" / "::stop-commands::t\n::error::owned").mkdir()
    runner.action(checkout, {"command": "audit", "path": "tiny_results_v1.1", "partial": True})
    lines = runner.commands()
    assert lines and all(line.startswith(("::error title=", "::error file=", "::warning ", "::notice ")) for line in lines), lines
    assert "owned" in runner.printed, "the names were there"
    plain = [line for line in runner.printed.splitlines() if line.startswith("::")]
    assert not any(line.startswith(("::error::owned", "::add-mask")) for line in plain), "printed in one line each, too"


def test_an_audit_groups_its_findings_and_fails_for_errors(runner: Runner, checkout: Path) -> None:
    rounds(runner.workspace / "tiny_results_v1.1")
    status = runner.action(checkout, {"command": "audit", "path": "tiny_results_v1.1", "outdir": "out/audit"})
    assert status == 1, runner.printed
    summary = runner.summary.read_text(encoding="utf-8")
    assert (
        summary.startswith("## Audit\n\n**failed** — v1.1.")
        and "### Findings by rule" in summary
        and "### Findings by submitter" in summary
    )
    assert (runner.workspace / "out" / "audit" / "findings.sarif").is_file()


@pytest.mark.long
def test_a_benchmark_is_reproduced_and_its_report_verified(runner: Runner, checkout: Path) -> None:
    status = runner.action(checkout, {"command": "reproduce", "benchmark": "kws", "mode": "performance"})
    assert status == 0, runner.printed
    assert "report.json: verified (" in runner.printed and "MLPerf Tiny" in runner.summary.read_text(encoding="utf-8")
    assert (runner.workspace / "cm4tiny-results" / "report.intoto.json").is_file()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"command": "destroy"}, "the input command is not replay, audit or reproduce"),
        ({"command": ""}, "the input command is not"),
        ({"command": "replay", "round": "v1.3; id"}, "the input round is not a round such as v1.3, or all"),
        ({"command": "replay", "round": "v1.3\nkey=x"}, "the input round is not"),
        ({"command": "reproduce", "benchmark": "kws,_open"}, "the input benchmark is not"),
        ({"command": "reproduce", "mode": "$(id)"}, "the input mode is not"),
        ({"command": "audit", "outdir": "a b"}, "the input outdir is not a folder name"),
    ],
)
def test_an_input_that_is_wrong_is_named_before_anything_is_installed(
    given: dict[str, Any], said: str, runner: Runner, checkout: Path
) -> None:
    assert runner.action(checkout, given) == 2
    assert said in runner.printed and runner.commands() == [runner.printed.strip()]


def test_the_cache_is_found_again_for_the_same_sources_only(runner: Runner, checkout: Path, tmp_path: Path) -> None:
    (step,) = [step for step in yaml.safe_load((checkout / "action.yml").read_text())["runs"]["steps"] if step.get("id") == "prepare"]

    def outputs() -> dict[str, str]:
        context: dict[str, Any] = {
            "inputs": {"command": "replay", "round": "v1.3", "benchmark": "", "mode": "", "outdir": "out"},
            "steps": {},
        }
        assert runner._run(step, context, checkout, 0) == 0, runner.printed
        found: dict[str, str] = context["steps"]["prepare"]["outputs"]
        return found

    first = outputs()
    assert first == outputs() and first["prefix"] == "cm4tiny-Linux-X64-replay-v1.3-"
    changed = checkout / "src" / "cm4tiny" / "extra.py"
    changed.write_text("", encoding="utf-8")
    try:
        assert outputs()["key"] != first["key"]
    finally:
        changed.unlink()


# --- the workflows that are shipped -------------------------------------------------------------------------------------------
def workflow(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))
    return loaded


def test_the_replay_workflow_chooses_its_rounds(runner: Runner) -> None:
    job = workflow("replay.yml")["jobs"]["rounds"]
    for given, expected in (("v1.1", ["v1.1"]), ("all", ["v0.5", "v0.7", "v1.0", "v1.1", "v1.2", "v1.3"]), ('v1.1"$(id)', ["v1.1"])):
        context: dict[str, Any] = {"inputs": {"round": given}, "steps": {}}
        assert runner._run(job["steps"][0], context, None, 0) == 0
        assert json.loads(context["steps"]["choose"]["outputs"]["list"]) == expected


@pytest.mark.network
def test_the_replay_workflow_replays_a_round_with_the_action(runner: Runner, checkout: Path) -> None:
    shutil.rmtree(runner.workspace)
    runner.workspace.symlink_to(checkout, target_is_directory=True)
    del runner.env["CM_TINY_OFFLINE"]
    steps = workflow("replay.yml")["jobs"]["replay"]["steps"]
    assert runner.steps(steps, {"matrix": {"round": "v0.7"}, "inputs": {"round": "v0.7"}}) == 0, runner.printed
    assert [use.partition("@")[0] for use in runner.used] == [
        "actions/checkout",
        "./",
        "actions/setup-python",
        "actions/cache",
        "actions/upload-artifact",
    ]
    kept = steps[-1]["with"]["path"].split()
    assert all((checkout / path).stat().st_size for path in kept)
    summary = runner.summary.read_text(encoding="utf-8")
    assert "claims that cannot be checked, by reason" in summary and "/blob/" in summary


def test_the_workflow_for_others_runs_the_action_on_the_caller_s_checkout(runner: Runner, checkout: Path) -> None:
    rounds(runner.workspace / "tiny_results_v1.1")
    (runner.workspace / ".cm4tiny").symlink_to(checkout, target_is_directory=True)
    loaded = workflow("mlperf-tiny.yml")
    declared = loaded[True]["workflow_call"]["inputs"]  # YAML 1.1 reads the key "on" as true
    given = {"command": "replay", "path": "tiny_results_v1.1", "cm4tiny-repository": "o/n", "cm4tiny-ref": "f" * 40}
    inputs = {name: given.get(name, about.get("default")) for name, about in declared.items()}
    assert runner.steps(loaded["jobs"]["mlperf-tiny"]["steps"], {"inputs": inputs}) == 0, runner.printed
    assert "**passed**" in runner.summary.read_text(encoding="utf-8")
    theirs = set(yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"])
    assert set(declared) - {"cm4tiny-repository", "cm4tiny-ref"} == theirs - {"outdir", "python-version", "cache"}


@pytest.mark.network
def test_the_action_installs_itself(runner: Runner, checkout: Path) -> None:
    shutil.rmtree(runner.temp / "cm4tiny")
    runner.skipped = ()
    del runner.env["PYTHONPATH"]
    rounds(runner.workspace / "tiny_results_v1.1")
    assert runner.action(checkout, {"command": "replay", "path": "tiny_results_v1.1"}) == 0, runner.printed


# --- the runner of these tests ------------------------------------------------------------------------------------------------
def test_the_runner_knows_our_expressions_and_refuses_others() -> None:
    context = {"inputs": {"a-b": "x", "none": ""}}
    assert filled("1 ${{ inputs.a-b }} ${{ inputs.none || 'other' }}", context) == "1 x other"
    assert truth("inputs.a-b == 'x'", context) and not truth("inputs.none == 'x'", context)
    for text in ("${{ toJSON(inputs) }}", "${{ inputs.a-b && 'y' }}"):
        with pytest.raises(AssertionError, match="does not know the expression"):
            filled(text, context)
