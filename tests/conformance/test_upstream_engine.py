# SPDX-License-Identifier: Apache-2.0
"""The same micro-scripts under upstream's engine and under ours: what ran, in which order, with which environment, and what came out.

Upstream's engine is PyPI's cmx4mlops (fixture ``upstream``).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.resolver import Repository, cm_home, new_session
from cm4tiny.resolver.plan.resolve import new_request
from cm4tiny.resolver.run.runner import run

CM = Path(sys.executable).parent / "cm"

HOOKS = """
import json, os

def trace(i, hook):
    env = {key: value for key, value in sorted(i["env"].items()) if key.lstrip("+").startswith("T_") or key == "CM_VERSION"}
    with open(os.environ["TRACE"], "a") as file:
        file.write(json.dumps([i["meta"]["alias"], hook, env]) + "\\n")

def preprocess(i):
    trace(i, "preprocess")
    env = i["env"]
    if env.get("T_SKIP_ME") == "yes":
        return {"return": 0, "skip": True}
    if i["meta"]["alias"] == "instead":
        return {"return": 0, "skip": True, "script": {"tags": "leaf,a"}}
    if env.get("T_SCRIPT_NAME"):
        i["run_script_input"]["script_name"] = env["T_SCRIPT_NAME"]
    if env.get("T_FOUND"):
        return {"return": 0, "version": env["T_FOUND"], "add_extra_cache_tags": ["found-" + env["T_FOUND"]]}
    return {"return": 0}

def postprocess(i):
    trace(i, "postprocess")
    i["env"]["T_MADE_" + i["meta"]["alias"].upper().replace("-", "_")] = "made"
    i["state"]["t_state"] = {"by": i["meta"]["alias"]}
    return {"return": 0}
"""

RUN_SH = """
echo "[\\"$T_NAME\\", \\"run.sh\\", {\\"T_ALL\\": \\"$T_ALL\\"}]" >> "$TRACE"
echo "T_FROM_RUN=fromrun" > tmp-run-env.out
echo '{"from_run": {"a": 1}}' > tmp-run-state.json
"""

#: alias -> (meta without identity, has run.sh)
SCRIPTS: dict[str, tuple[dict[str, Any], bool]] = {
    "leaf-a": ({"tags": ["leaf", "a"], "env": {"T_A": "a"}, "new_env_keys": ["T_A", "T_MADE_LEAF_A"], "new_state_keys": ["t_*"]}, False),
    "leaf-b": (
        {"tags": ["leaf", "b"], "default_env": {"T_B": "b"}, "new_env_keys": ["T_B"], "variations": {"x": {"env": {"T_B": "bx"}}}},
        False,
    ),
    "leaf-c": ({"tags": ["leaf", "c"], "new_env_keys": ["T_MADE_*"], "variations": {"x": {"env": {"T_CX": "1"}}, "y": {}}}, False),
    "leaf-d": (
        {
            "tags": ["leaf", "d"], "default_version": "2.0", "new_env_keys": ["T_V"],
            "versions": {"1.0": {"env": {"T_V": "one"}}, "2.0": {"env": {"T_V": "two"}}},
        },
        False,
    ),
    "leaf-e": ({"tags": ["leaf", "e"], "default_version": "2.0"}, False),
    "clamped": ({"tags": ["clamped"], "new_env_keys": ["T_V"], "deps": [{"tags": "leaf,d", "version_max": "1.0"}]}, False),
    "order": (
        {
            "tags": ["order", "micro"],
            "env": {"T_NAME": "order", "T_ALL": "<<<T_A>>>-<<<T_DEFAULT>>>"},
            "default_env": {"T_DEFAULT": "d", "T_USER": "default"},
            "new_env_keys": ["T_*"], "new_state_keys": ["t_*", "from_run"],
            "deps": [{"tags": "leaf,a", "names": ["first"]}],
            "prehook_deps": [{"tags": "leaf,b", "enable_if_env": {"T_A": ["a", "z"]}}],
            "posthook_deps": [{"tags": "leaf,c", "skip_if_env": {"T_FROM_RUN": ["nothing"]}}],
            "post_deps": [{"tags": "leaf,d"}],
        },
        True,
    ),
    "precedence": (
        {
            "tags": ["precedence", "micro"],
            "env": {"T_M": "meta", "T_MV": "meta", "T_MC": "meta"},
            "default_env": {"T_D": "default", "T_DU": "default", "T_DV": "default"},
            "input_mapping": {"mc": "T_MC", "vc": "T_VC"},
            "new_env_keys": ["T_*"],
            "deps": [{"tags": "leaf,b", "env": {"T_B": "from-dep"}}],
            "variations": {"v": {"env": {"T_MV": "variation", "T_DV": "variation", "T_VC": "variation"}, "default_env": {"T_NEW": "n"}}},
        },
        False,
    ),
    "groups": (
        {
            "tags": ["groups", "micro"], "new_env_keys": ["T_*"], "default_env": {"T_LIST": ""},
            "variations": {
                "a": {"group": "g", "default": True, "env": {"T_G": "a"}, "default_variations": {"h": "p"}},
                "b": {"group": "g", "env": {"T_G": "b"}, "base": ["common"]},
                "p": {"group": "h", "env": {"T_H": "p"}},
                "q": {"group": "h", "env": {"T_H": "q"}, "default": True},
                "common": {"env": {"T_COMMON": "1"}},
                "short": {"alias": "b"},
                "b,q": {"env": {"T_COMBINED": "bq"}},
                "size.#": {"env": {"T_SIZE": "#"}, "deps": [{"tags": "leaf,b", "env": {"T_B": "#"}}]},
            },
        },
        False,
    ),
    "dep-tags": (
        {
            "tags": ["dep-tags", "micro"], "new_env_keys": ["T_*"], "default_env": {"T_TAG": "_x", "T_LETTER": "x"},
            "variations": {"y": {"adr": {"bee": {"tags": "_x"}}}},
            "deps": [
                {"tags": "leaf,b", "names": ["bee"]},
                {"tags": "leaf,c", "update_tags_from_env_with_prefix": {"_": ["T_LETTER"]}, "inherit_variation_tags": True},
                {"tags": "leaf,d", "version": "1.0"},
                {"tags": "leaf,e", "version_max": "1.0", "names": ["capped"]},
                {"tags": "leaf,a", "skip_if_any_env": {"T_NOT_SET": ["no"], "T_LETTER": ["x"]}},
                {"tags": "leaf,a", "enable_if_env": {"T_MISSING": ["no"]}, "env": {"CM_TMP_X": "1"}},
            ],
        },
        False,
    ),
    "hidden": (
        {
            "tags": ["hidden", "micro"], "env": {"T_PRIVATE": "p", "T_OPEN": "<<<T_LATER>>>", "T_PASSED": "yes"},
            "local_env_keys": ["T_PRIV*"], "new_env_keys": ["T_*"],
            "deps": [{"tags": "leaf,c"}, {"tags": "leaf,a", "force_env_keys": ["T_PRIVATE"]}],
            "post_deps": [{"tags": "leaf,b"}],
        },
        False,
    ),
    "cached": (
        {
            "tags": ["cached", "micro"], "cache": True, "new_env_keys": ["T_*"], "env": {"T_NAME": "cached"},
            "deps": [{"tags": "leaf,a"}, {"tags": "leaf,c", "dynamic": True}], "post_deps": [{"tags": "leaf,b"}],
        },
        True,
    ),
    "user-of-cached": ({"tags": ["user-of-cached"], "new_env_keys": ["T_*"], "deps": [{"tags": "cached"}, {"tags": "cached"}]}, False),
    "lists": (
        {
            "tags": ["lists"], "env": {"+T_PATH": ["/top"], "+T_OTHER": ["/o"]}, "state": {"l": [1], "s": {"d": {"a": 1}}},
            "new_env_keys": ["T_*", "+T_*"], "new_state_keys": ["s", "l"],
            "deps": [{"tags": "list-leaf"}, {"tags": "list-leaf", "env": {"+T_PATH": ["/extra"]}}],
        },
        False,
    ),
    "list-leaf": (
        {"tags": ["list-leaf"], "env": {"+T_PATH": ["/leaf"]}, "state": {"l": [2], "s": {"d": {"b": 2}}},
         "new_env_keys": ["+T_PATH"], "new_state_keys": ["s", "l"]},
        False,
    ),
    "versioned": (
        {
            "tags": ["versioned"], "default_version": "2", "new_env_keys": ["T_*"], "cache": True,
            "versions": {"1": {"env": {"T_V": "1"}, "deps": [{"tags": "leaf,b"}]}, "2": {"env": {"T_V": "2"}}},
            "deps": [{"tags": "leaf,e", "reuse_version": True}, {"tags": "leaf,d"}],
        },
        False,
    ),
    "inherits": (
        {
            "tags": ["inherits"], "default_env": {"T_MORE": "_y"}, "default_variation": "x", "new_env_keys": ["T_*"],
            "variations": {
                "x": {}, "z": {"group": "g"}, "xx": {"group": "g", "base": ["x", "w.5"]},
                "w.#": {"group": "h", "env": {"T_W": "#"}},
            },
            "deps": [
                {"tags": "leaf,c,-_y", "inherit_variation_tags": True, "skip_inherit_variation_groups": ["g", "h"],
                 "skip_if_env": {"T_W": ["5"]}},
                {"tags": "leaf,c", "update_tags_from_env": ["T_MORE"], "enable_if_any_env": {"T_W": ["3"], "T_MORE": ["_y"]}},
                {"tags": "leaf,a", "force_new_env_keys": ["T_MADE_LEAF_A"], "enable_if_env": {"T_W": ["on"]}},
            ],
        },
        False,
    ),
    "keyed": (
        {"tags": ["keyed"], "cache": True, "default_env": {"T_KEYED": "1"}, "input_mapping": {"t": "T_KEYED"}, "new_env_keys": ["T_KEYED"]},
        False,
    ),
    "whole": (
        {
            "tags": ["whole"], "new_env_keys": ["T_*"], "env": {"T_NAME": "whole"},
            "deps": [{"tags": "leaf,a"}, {"tags": "leaf,c", "skip_if_fake_run": True}], "prehook_deps": [{"tags": "leaf,b"}],
            "posthook_deps": [{"tags": "leaf,d"}], "post_deps": [{"tags": "leaf,e"}],
        },
        True,
    ),
    "user-of-whole": ({"tags": ["user-of-whole"], "deps": [{"tags": "whole"}], "new_env_keys": ["T_*"]}, False),
    "instead": ({"tags": ["instead"], "new_env_keys": ["T_B"], "deps": [{"tags": "leaf,b"}]}, False),
    "natives": (
        {"tags": ["natives"], "env": {"T_NAME": "natives"}, "new_env_keys": ["T_*"], "default_env": {"T_SCRIPT_NAME": ""},
         "input_mapping": {"native": "T_SCRIPT_NAME", "flavor": "CM_HOST_OS_FLAVOR", "release": "CM_HOST_OS_VERSION",
                           "platform": "CM_HOST_PLATFORM_FLAVOR"}},
        True,
    ),
    "found": (
        {"tags": ["found"], "cache": True, "input_mapping": {"found": "T_FOUND"}, "new_env_keys": ["T_FOUND"]},
        True,
    ),
    "forced": ({"tags": ["forced"], "can_force_cache": True, "new_env_keys": ["T_*"]}, False),
    "on-a-hit": (
        {
            "tags": ["on-a-hit"], "cache": True, "new_env_keys": ["T_*"],
            "deps": [{"tags": "leaf,a", "dynamic": True}, {"tags": "leaf,c"}], "prehook_deps": [{"tags": "leaf,b", "dynamic": True}],
            "posthook_deps": [{"tags": "leaf,d", "dynamic": True}], "post_deps": [{"tags": "leaf,e", "dynamic": True}],
        },
        True,
    ),
    "mapped": (
        {"tags": ["mapped"], "env": {"T_OLD_X": "1", "T_OLD_Y": "2"}, "env_key_mappings": {"T_OLD_": "T_NEW_"}, "new_env_keys": ["T_*"],
         "posthook_deps": [{"tags": "leaf,a", "enable_if_env": {"T_NEW_X": ["1"]}}]},
        True,
    ),
    "skipping": ({"tags": ["skipping"], "deps": [{"tags": "leaf,a", "env": {"T_SKIP_ME": "yes"}}, {"tags": "leaf,b"}]}, False),
}  # fmt: skip


def make_repository(root: Path) -> Path:
    """Writes the micro-scripts as a CM repository."""
    (root / "script").mkdir(parents=True)
    (root / "cmr.yaml").write_text('alias: micro\nuid: "aaaabbbbccccdddd"\ngit: false\n')
    for alias, (meta, native) in SCRIPTS.items():
        folder = root / "script" / alias
        folder.mkdir()
        uid = hashlib.sha256(alias.encode()).hexdigest()[:15] + "a"
        identity = {"alias": alias, "uid": uid, "automation_alias": "script", "automation_uid": "5b4e0237da074764"}
        (folder / "_cm.json").write_text(json.dumps({**identity, **meta}))
        (folder / "customize.py").write_text(HOOKS)
        if native:
            (folder / "run.sh").write_text(RUN_SH)
        if alias == "natives":
            for ending in ("", "-ubuntu", "-ubuntu-22", "-x86", "-ubuntu-x86", "-ubuntu-22-x86"):
                (folder / f"run{ending}.sh").write_text(f"echo 'T_RAN=run{ending}' > tmp-run-env.out\n")
                (folder / f"other{ending}.sh").write_text(f"echo 'T_RAN=other{ending}' > tmp-run-env.out\n")
    return root


@dataclass(frozen=True)
class Outcome:
    """What a run did and left."""

    trace: list[Any]
    new_env: dict[str, Any]
    new_state: dict[str, Any]


Runner = Callable[..., list[Outcome]]


def _read_trace(file: Path) -> list[Any]:
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    file.unlink(missing_ok=True)
    return rows


@pytest.fixture(scope="module")
def upstream_home(upstream: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("upstream")
    repository = make_repository(base / "repo")
    environment = {**os.environ, "CM_REPOS": str(base / "home"), "PYTHONPATH": str(upstream)}
    command = [str(CM), "add", "repo", f"--path={repository}"]
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=True, capture_output=True)
    return base


@pytest.fixture
def run_upstream(upstream: Path, upstream_home: Path, tmp_path: Path) -> Runner:
    def runner(tags: str, times: int = 1, **flags: Any) -> list[Outcome]:
        work = tmp_path / "work-upstream"
        work.mkdir(exist_ok=True)
        trace, answer = tmp_path / "trace-upstream", tmp_path / "answer.json"
        environment = {**os.environ, "CM_REPOS": str(upstream_home / "home"), "TRACE": str(trace), "PYTHONPATH": str(upstream)}
        arguments = [f"--{key}.{name}={text}" for key, value in flags.items() if isinstance(value, dict) for name, text in value.items()]
        arguments += [f"--{key}={value}" for key, value in flags.items() if not isinstance(value, dict)]
        command = [str(CM), "run", "script,5b4e0237da074764", f"--tags={tags}", "--quiet", f"--save_to_json={answer}", *arguments]
        outcomes = []
        for _ in range(times):
            done = subprocess.run(command, env=environment, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            result = json.loads(answer.read_text())
            outcomes.append(Outcome(_read_trace(trace), result.get("new_env", {}), result.get("new_state", {})))
        return outcomes

    shutil.rmtree(upstream_home / "home" / "repos" / "local" / "cache", ignore_errors=True)
    return runner


@pytest.fixture
def run_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    repository = make_repository(tmp_path / "repo-ours")
    trace, work = tmp_path / "trace-ours", tmp_path / "work-ours"
    work.mkdir()
    monkeypatch.setenv("CM_REPOS", str(tmp_path / "home-ours"))
    monkeypatch.setenv("TRACE", str(trace))
    monkeypatch.chdir(work)

    def runner(tags: str, times: int = 1, **flags: Any) -> list[Outcome]:
        outcomes = []
        for _ in range(times):
            session = new_session(cm_home(), [Repository(repository, "micro")], quiet=True)
            nested: dict[str, Any] = {}
            for key, value in flags.items():
                if isinstance(value, dict):
                    for path, text in value.items():
                        spot = nested.setdefault(key, {})
                        *parents, last = path.split(".")
                        for part in parents:
                            spot = spot.setdefault(part, {})
                        spot[last] = text
                else:
                    nested[key] = value
            result = run(session, new_request({"tags": tags, **nested}))
            outcomes.append(Outcome(_read_trace(trace), result.new_env, result.new_state))
        return outcomes

    return runner


CASES: dict[str, tuple[str, int, dict[str, Any]]] = {
    "the order of hooks": ("order", 1, {"env": {"T_USER": "user"}}),
    "the precedence of the environment": ("precedence,_v", 1, {"mc": "cli", "vc": "cli", "env": {"T_M": "user", "T_DU": "user"}}),
    "a const on the command line": ("precedence,_v", 1, {"const": {"T_MV": "const", "T_B": "const"}}),
    "the default of a group": ("groups", 1, {}),
    "a base and a group's default": ("groups,_b", 1, {}),
    "an alias": ("groups,_short,_p", 1, {}),
    "an excluded default": ("groups,-_a", 1, {}),
    "a dynamic variation": ("groups,_size.12", 1, {}),
    "tags of dependencies": ("dep-tags", 1, {}),
    "tags of dependencies through a variation": ("dep-tags,_y", 1, {}),
    "adr on the command line": ("dep-tags", 1, {"adr": {"bee.tags": "_x", "capped.version": "2.0"}}),
    "hidden keys": ("hidden", 1, {}),
    "lists in env and state": ("lists", 1, {}),
    "a default version": ("versioned", 2, {}),
    "a version on the command line": ("versioned", 2, {"version": "1"}),
    "a default variation and inheritance": ("inherits", 1, {}),
    "a dynamic variation in a group and inheritance": ("inherits,_x,_w.3", 1, {}),
    "a dynamic base": ("inherits,_xx", 1, {}),
    "a dynamic base that is chosen": ("inherits,_xx,_w.7", 1, {}),
    "a cache entry": ("cached", 2, {}),
    "a cache entry used twice in one run": ("user-of-cached", 2, {}),
    "a whole run": ("whole", 1, {}),
    "fake_run": ("whole", 1, {"fake_run": True}),
    "prepare": ("whole", 1, {"prepare": True}),
    "fake_run of a script with a cached dependency": ("user-of-cached", 2, {"fake_run": True}),
    "fake_run of a cached script": ("cached", 2, {"fake_run": True}),
    "fake_deps": ("whole", 1, {"fake_deps": True}),
    "fake_deps of a script whose dependency has dependencies": ("user-of-whole", 1, {"fake_deps": True}),
    "fake_run and fake_deps": ("user-of-whole", 1, {"fake_run": True, "fake_deps": True}),
    "another script instead": ("instead", 1, {}),
    "a version and tags from preprocess": ("found", 2, {"found": "1.5"}),
    "native scripts by flavor": ("natives", 1, {"flavor": "ubuntu"}),
    "native scripts by release": ("natives", 1, {"flavor": "ubuntu", "release": "22"}),
    "native scripts by platform": ("natives", 1, {"flavor": "fedora", "platform": "x86"}),
    "native scripts by all": ("natives", 1, {"flavor": "ubuntu", "release": "22", "platform": "x86"}),
    "native scripts by flavor and platform": ("natives", 1, {"flavor": "ubuntu", "release": "7", "platform": "x86"}),
    "a native script that a hook names": ("natives", 1, {"native": "other", "flavor": "ubuntu"}),
    "a forced cache": ("forced", 2, {"force_cache": True}),
    "a skipped cache": ("cached", 2, {"skip_cache": True}),
    "a new run": ("cached", 2, {"new": True}),
    "dynamic dependencies of all lists on a hit": ("on-a-hit", 2, {}),
    "renamed keys": ("mapped", 1, {}),
}


@pytest.mark.parametrize("case", CASES, ids=lambda name: name.replace(" ", "-"))
def test_both_engines_agree_on(case: str, run_upstream: Runner, run_ours: Runner) -> None:
    tags, times, flags = CASES[case]
    theirs, ours = run_upstream(tags, times, **flags), run_ours(tags, times, **flags)
    for left, right in zip(theirs, ours, strict=True):
        assert right.trace == left.trace
        assert right.new_env == left.new_env
        assert right.new_state == left.new_state


def test_only_our_engine_takes_the_meta_of_the_version_that_it_uses(run_upstream: Runner, run_ours: Runner) -> None:
    """Upstream sets CM_VERSION to the version that version_max allows and applies the meta of the default version."""
    theirs, ours = run_upstream("clamped")[0], run_ours("clamped")[0]
    assert theirs.trace[0][2]["CM_VERSION"] == ours.trace[0][2]["CM_VERSION"] == "1.0"
    assert theirs.new_env == {"T_V": "two"}
    assert ours.new_env == {"T_V": "one"}


def test_only_our_engine_keeps_the_environment_of_a_skipped_dependency_to_itself(run_upstream: Runner, run_ours: Runner) -> None:
    """Upstream leaves a skipped script without restoring the environment, so what was meant for it skips its caller as well."""
    theirs, ours = run_upstream("skipping")[0], run_ours("skipping")[0]
    assert [row[:2] for row in theirs.trace] == [["leaf-a", "preprocess"], ["leaf-b", "preprocess"], ["skipping", "preprocess"]]
    assert "T_SKIP_ME" in theirs.trace[1][2]
    assert [" ".join(row[:2]) for row in ours.trace] == [
        "leaf-a preprocess", "leaf-b preprocess", "leaf-b postprocess", "skipping preprocess", "skipping postprocess",
    ]  # fmt: skip


def test_only_our_engine_tells_cached_results_with_different_environments_apart(run_upstream: Runner, run_ours: Runner) -> None:
    """The key of a cache entry of upstream's is a set of tags; ours holds the environment that the script reads."""
    theirs, ours = run_upstream("keyed"), run_ours("keyed")
    assert theirs[0].trace == ours[0].trace != []
    theirs, ours = run_upstream("keyed", t="2"), run_ours("keyed", t="2")
    assert theirs[0].trace == []
    assert ours[0].trace[0] == ["keyed", "preprocess", {"T_KEYED": "2"}]


def test_only_our_engine_renews_from_the_callers_environment(run_upstream: Runner, run_ours: Runner) -> None:
    """Upstream takes the old result over first, dynamic dependencies included, and runs everything again on top of it."""
    theirs, ours = run_upstream("cached", 2, renew=True), run_ours("cached", 2, renew=True)
    assert theirs[0].trace == ours[0].trace == ours[1].trace
    assert theirs[1].trace[0][2] == {"T_NAME": "cached"}
    assert "T_MADE_CACHED" in theirs[1].trace[2][2]
    assert [outcome.new_env for outcome in theirs] == [outcome.new_env for outcome in ours]
