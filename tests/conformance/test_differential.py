# SPDX-License-Identifier: Apache-2.0
"""Engine against engine over upstream's corpus: every script, with its default, each variation alone and each version.

Both plan the same requests from the same metas: selected script, variations and their order, version, environment, ordered dependencies as
tag sets with what is handed to each, what a run exports. Where they differ on purpose, ``differences.yaml`` says where and why; an entry
that is not needed fails as well. How upstream's side is made is told in ``upstream_walk.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from differential import Plan, assumed_deps, assumed_size, differences, our_plan, requests_of, runs_of, tree_differences

from cm4tiny.resolver.catalogue.repository import Repository, ScriptStore
from cm4tiny.resolver.language.query import ScriptQuery
from cm4tiny.resolver.plan.plan_cache import PlanCache
from cm4tiny.resolver.plan.planner import Planner
from cm4tiny.resolver.plan.resolve import new_request, resolve

HERE = Path(__file__).parent
INTENDED = HERE / "differences.yaml"


@pytest.fixture(scope="module")
def store(upstream: Path) -> ScriptStore:
    return ScriptStore([Repository(upstream / "cmx4mlops" / "repo", "mlcommons@cm4mlops")])


@pytest.fixture
def walk(upstream: Path, tmp_path: Path) -> Any:
    """Upstream's answers to requests, made in a process with a home of its own."""

    def answers(requests: list[Plan], timeout_s: float) -> list[Plan]:
        asked, answered, work = tmp_path / "requests.json", tmp_path / "answers.json", tmp_path / "work"
        work.mkdir()
        asked.write_text(json.dumps(requests))
        environment = {key: value for key, value in os.environ.items() if not key.upper().endswith("_PROXY") and not key.startswith("CM")}
        environment |= {"HOME": str(tmp_path), "CM_REPOS": str(tmp_path / "CM"), "PYTHONPATH": str(upstream)}
        environment.pop("GH_TOKEN", None)
        command = [sys.executable, str(HERE / "upstream_walk.py"), str(asked), str(answered)]
        done = subprocess.run(
            command, env=environment, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert list(work.iterdir()) == [], "planning wrote files"
        plans: list[Plan] = json.loads(answered.read_text())
        return plans

    return answers


def intended() -> dict[str, dict[str, str]]:
    """Request -> aspect -> reason."""
    found: dict[str, dict[str, str]] = {}
    for row in yaml.safe_load(INTENDED.read_text(encoding="utf-8"))["differences"]:
        for request, aspects in row["where"].items():
            for aspect in aspects:
                assert aspect not in found.setdefault(request, {}), f"{request}: {aspect} is listed twice"
                found[request][aspect] = row["reason"]
    return found


def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in list(os.environ):
        if key.upper().endswith("_PROXY") or key == "GH_TOKEN":
            monkeypatch.delenv(key)


def test_both_engines_plan_upstreams_scripts_alike(store: ScriptStore, walk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _clean_environment(monkeypatch)
    requests = [request for script in store.scripts for request in requests_of(store, script)]
    theirs = walk(requests, 600)
    listed = intended()
    unlisted: list[str] = []
    used: dict[str, set[str]] = {}
    equal = refused = 0
    for request, plan in zip(requests, theirs, strict=True):
        ours = our_plan(store, request)
        found = differences(plan, ours)
        refused += "error" in plan and "error" in ours
        equal += not found
        for aspect, text in found.items():
            if aspect in listed.get(request["id"], {}):
                used.setdefault(request["id"], set()).add(aspect)
            else:
                unlisted.append(f"{request['id']}: {aspect}: {text[:300]}")
    assert unlisted == []
    unused = [f"{request}: {aspect}" for request, rows in listed.items() for aspect in rows if aspect not in used.get(request, ())]
    assert unused == [], "differences.yaml lists what does not differ"
    scripts = len(store.scripts)
    print(f"\n{scripts} scripts, {len(requests)} plans: {equal} equal ({refused} of them refused by both), {len(used)} differ as intended")
    assert scripts > 290
    assert len(requests) > 2400
    assert equal + len(used) == len(requests)


def _trees(store: ScriptStore, walk: Any, largest: int, timeout_s: float) -> list[str]:
    """Where the trees of the defaults of all scripts part; those with more runs than ``largest`` are left out."""
    planner, plan_cache = Planner(store), PlanCache()
    plans = []
    for script in store.scripts:
        plan = planner.plan(resolve(script, ScriptQuery(), new_request({"quiet": True})), plan_cache)
        endless = any(dep.again for dep in assumed_deps(plan))  # upstream ends such a circle in customize.py
        if (size := assumed_size(plan)) <= largest and len(store.find(script.uid)) == 1 and not endless:
            plans.append((plan, {"tags": "", "uid": script.uid, "tree": True, "limit": 2 * size + 10}))
    theirs = walk([request for _, request in plans], timeout_s)
    print(f"\n{len(plans)} trees of {len(store.scripts)} compared, {sum(runs_of(plan) for plan in theirs)} runs of upstream's")
    return [line for (plan, _), their_plan in zip(plans, theirs, strict=True) for line in tree_differences(their_plan, plan)]


def test_both_engines_plan_the_same_small_trees(store: ScriptStore, walk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _clean_environment(monkeypatch)
    assert _trees(store, walk, 5, 400) == []


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_both_engines_plan_the_same_trees(store: ScriptStore, walk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _clean_environment(monkeypatch)
    assert _trees(store, walk, 25, 3000) == []


def test_every_script_of_upstream_is_planned_within_the_time_that_was_promised(store: ScriptStore) -> None:
    """A coarse guard against plans that explode; benchmarks/planning.py measures. 3 s of CPU are promised; CI machines may be slower."""
    scripts = store.scripts
    planner, plan_cache = Planner(store), PlanCache()
    begun = time.process_time()
    for script in scripts:
        planner.plan(resolve(script, ScriptQuery(), new_request({"quiet": True})), plan_cache)
    assert time.process_time() - begun < 15


def test_using_subtrees_again_changes_no_plan_of_upstreams_scripts(store: ScriptStore) -> None:
    """The key of a plan covers the whole tree."""
    planner, plan_cache = Planner(store), PlanCache()
    for script in store.scripts:
        resolved = resolve(script, ScriptQuery(), new_request({"quiet": True}))
        plan = planner.plan(resolved, plan_cache)
        if plan.size() <= 60:
            assert planner.plan(resolved, Forgetful()).key == plan.key, script.alias


class Forgetful(PlanCache):
    """A plan_cache that remembers nothing."""

    def keep(self, request: Any, subtree: Any) -> None:
        """Forgets."""
