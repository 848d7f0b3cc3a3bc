# SPDX-License-Identifier: Apache-2.0
"""The actions and flags around a run, as a user types them: cmind in a process of its own, standard input closed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.micro_cm import Cm

import cm4tiny.resolver.adapter.cache_actions as cache_edge
from cm4tiny.paths import cm_repo
from cm4tiny.resolver.language.options import OPTIONS


@pytest.fixture
def cm(micro: Any) -> Cm:
    return Cm(micro)


# --- cm add/find/lint/doc/test/help script ----------------------------------------------------------------------------------------
def test_a_new_script_runs_is_found_and_is_clean(cm: Cm, micro: Any) -> None:
    status, out, err = cm("add", "script", "micro:my-step", "--tags=my,step")
    assert (status, err) == (0, "")
    folder = micro.root / "script" / "my-step"
    assert f"new script in {folder}" in out
    assert sorted(file.name for file in folder.iterdir()) == ["README-extra.md", "_cm.yaml", "customize.py", "run.bat", "run.sh"]
    assert 'uid: "' in (folder / "_cm.yaml").read_text()
    status, out, _ = cm("run", "script", "--tags=my,step", "--j")
    assert (status, json.loads(out)["new_env"]) == (0, {"CM_MY_STEP": "done"})
    assert cm("find", "script", "my-*")[1].splitlines() == [str(folder)]
    assert cm("find", "script", "micro:my-step")[1].splitlines() == [str(folder)]
    assert cm("find", "script", "nowhere:my-step")[1] == ""
    assert "no problems" in cm("lint", "script", "--tags=my,step")[1]


def test_a_new_script_may_go_to_the_local_repository_and_bring_its_native_script(cm: Cm, micro: Any) -> None:
    native = micro.base / "work.sh"
    native.write_text("echo from work.sh\n")
    assert cm("add", "script", "mine", "--tags=mine", f"--script_name={native}", "--json")[0] == 0
    folder = micro.home / "repos" / "local" / "script" / "mine"
    assert json.loads((folder / "_cm.json").read_text())["script_name"] == "work"
    assert "from work.sh" in cm("run", "script", "--tags=mine")[1]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--tags=x"], "has no alias"),
        (["a/b", "--tags=x"], "cannot be the alias"),
        (["new"], "cannot be the tags"),
        (["new", "--tags=a b"], "cannot be the tags"),
        (["old", "--tags=x"], "exists already"),
        (["new", "--tags=old"], "has the tags 'old' as well"),
        (["nowhere:new", "--tags=x"], "no repository 'nowhere'"),
        (["new", "--tags=x", "--script_name=/no/where"], "not found"),
        (["new,123", "--tags=x"], "cannot be"),
    ],
)
def test_a_new_script_that_cannot_be_is_refused(cm: Cm, micro: Any, arguments: list[str], text: str) -> None:
    micro.script("old")
    status, _, err = cm("add", "script", *arguments)
    assert status > 0
    assert text in err
    assert "Traceback" not in err


def test_lint_names_the_problems_of_foreign_scripts(cm: Cm, micro: Any) -> None:
    micro.script("a", deps=[{"tags": "nowhere"}], variations={"v": {"base": ["w"]}})
    status, out, err = cm("lint", "script", "--tags=a")
    assert status > 0
    assert "a: deps: 'nowhere' names 0 scripts (none), not one" in out
    assert "base 'w' does not exist" in out
    assert "problems" in err
    assert cm("lint", "script", "--tags=nothing")[0] == 16


def test_lint_holds_a_folder_to_the_rules_of_this_project(cm: Cm, micro: Any) -> None:
    micro.script("a")
    assert "a: " in cm("lint", "script", f"--path={micro.root}")[1]
    assert "no problems" in cm("lint", "script", f"--path={cm_repo()}")[1]
    assert cm("lint", "script", "--path=/no/where")[0] > 0


def test_doc_prints_a_page_or_writes_one_per_script(cm: Cm, micro: Any) -> None:
    micro.script("a-one", variations={"v": {}})
    micro.script("a-two")
    out = cm("doc", "script", "--tags=a")[1]
    assert "# a-one" in out
    assert "| `_v` |" in out
    cm("doc", "script", "--tags=a", "--output_dir=pages")
    assert sorted(file.name for file in (micro.work / "pages").iterdir()) == ["a-one.md", "a-two.md"]


def test_help_lists_the_actions(cm: Cm) -> None:
    out = cm("help", "tinyscript")[1]
    assert all(f"* cm  {action}  tinyscript" in out for action in ("doc", "lint", "run"))


def test_the_tests_of_a_meta_run(cm: Cm, micro: Any) -> None:
    inputs = [
        {"variations_list": ["v", "_v,_w"], "env": {"T_E": "1"}},
        {"id": "second", "test-all-variations": True},
        {"id": "third", "x": "flag"},
    ]
    micro.script(
        "a", variations={"v": {}, "w": {}, "g": {"group": "g"}, "d.#": {}}, tests={"run_inputs": inputs}, input_mapping={"x": "T_X"}
    )
    micro.script("b")
    status, out, _ = cm("test", "script", "--tags=a", "--env.T_U=u")
    assert status == 0
    assert [line.split()[2] for line in out.splitlines() if line.startswith("ok")] == ["a,_v", "a,_v,_w", "a,_v", "a,_w", "a"]
    rows = [row[2] for row in micro.trace if row[1] == "preprocess"]
    assert rows == [{"T_E": "1", "T_U": "u"}] * 2 + [{"T_U": "u"}] * 2 + [{"T_U": "u", "T_X": "flag"}]
    assert cm("test", "script", "a", "--test_input_index=3")[1].count("ok ") == 1
    assert cm("test", "script", "a", "--test_input_index=2+")[1].count("ok ") == 3
    assert cm("test", "script", "a", "--test_input_id=second")[1].count("ok ") == 2
    assert "has no test input 4" in cm("test", "script", "a", "--test_input_index=4")[2]
    assert "no script with a 'tests' key fits" in cm("test", "script", "b")[2]


def test_a_failing_test_of_a_meta_is_named_and_the_others_run(cm: Cm, micro: Any) -> None:
    micro.script("a", None, '[ "$T_X" = 1 ] && exit 3 || exit 0\n', variations={"v": {"env": {"T_X": "1"}}, "w": {}},
                 tests={"run_inputs": [{"test-all-variations": "yes"}]})  # fmt: skip
    micro.script("b", tests={"run_inputs": {}})
    micro.script("c", tests={"run_inputs": [{"docker": True}]})
    status, out, err = cm("test", "script", "a")
    assert status > 0
    assert "FAILED a a,_v" in out
    assert "ok     a a,_w" in out
    assert "1 of 2 tests of scripts failed" in err
    assert "is not understood" in cm("test", "script", "b")[2]
    assert "Docker" in cm("test", "script", "c")[2]


# --- where scripts and defaults come from -------------------------------------------------------------------------------------------
def test_a_repository_may_be_named_in_front_of_the_automation(cm: Cm, micro: Any) -> None:
    micro.script("a")
    assert cm("run", "cm4tiny:script", "--tags=a")[0] == 0
    assert cm("run", "cm4tiny:script", "a")[0] == 0
    assert micro.ran == ["a", "a"]


def test_the_default_configuration_holds_where_the_user_says_nothing(cm: Cm, micro: Any) -> None:
    micro.script("a", new_env_keys=["T_*"])
    folder = micro.root / "cfg" / "default"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"script": {"env": {"T_A": "default", "T_B": "default"}, "silent": True}}))
    status, out, _ = cm("run", "script", "--tags=a", "--env.T_B=typed")
    assert (status, [line for line in out.splitlines() if "cm run" in line]) == (0, [])
    assert micro.trace[0][2] == {"T_A": "default", "T_B": "typed"}
    (folder / "config.json").write_text("{")
    assert "cannot parse" in cm("run", "script", "--tags=a")[2]


def test_the_python_api_answers_as_upstream_does(cm: Cm, micro: Any) -> None:
    micro.script("a", env={"T_A": "1"}, new_env_keys=["T_A"], new_state_keys=["s"], state={"s": {"x": 1}})
    code = """
import cmind, json
good = cmind.access({"action": "run", "automation": "script", "tags": "a", "env": {"T_IN": "1"}})
bad = cmind.access({"action": "run", "automation": "script,c580d6eee46e4c8c", "tags": "nowhere"})
found = cmind.access({"action": "find", "automation": "script", "tags": "a"})
print(json.dumps([good["return"], good["new_env"], good["new_state"], good["env"]["T_IN"]]))
print(json.dumps([bad["return"], bad["error"][:30], found["list"][0].meta["alias"]]))
"""
    done = subprocess.run([sys.executable, "-c", code], env=cm.env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    good, bad = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    assert good == [0, {"T_A": "1"}, {"s": {"x": 1}}, "1"]
    assert bad == [16, "no script has the tags 'nowher", "a"]
    assert done.stderr == ""


# --- the cache ------------------------------------------------------------------------------------------------------------------------
def test_removing_entries_needs_a_yes_or_f_and_takes_them_out_of_the_index(cm: Cm, micro: Any) -> None:
    micro.script("a", cache=True, variations={"x": {}})
    cm("run", "script", "--tags=a")
    cm("run", "script", "--tags=a,_x")
    status, _, err = cm("rm", "cache", "--tags=a")
    assert status > 0
    assert "2 cache entries would be removed" in err
    assert "-f" in err
    assert len(micro.entries) == 2
    assert cm("rm", "cache", "-f", "--tags=a,_x")[0] == 0
    (left,) = micro.entries
    index = json.loads((micro.home / "index.json").read_text())["541d6f712a6b464e"]
    assert [row["path"] for row in index.values()] == [str(left)] * len(index)
    assert cm("rm", "cache", left.name, "--force")[0] == 0
    assert cm("rm", "cache", "-f", "--tags=a")[0] == 16
    assert micro.folders == []


def test_a_script_may_look_into_the_cache_and_remove_from_it(cm: Cm, micro: Any) -> None:
    hook = """
    def preprocess(i):
        access = i["automation"].cmind.access
        found = access({"action": "find", "automation": "cache,541d6f712a6b464e", "tags": ["leaf"]})
        i["env"]["T_FOUND"] = len(found["list"])
        i["env"]["T_REMOVED"] = access({"action": "rm", "automation": "cache", "tags": "leaf", "force": "true"})["return"]
        i["env"]["T_AGAIN"] = access({"action": "rm", "automation": "cache", "tags": "leaf", "f": True})["return"]
        return {"return": 0}
    """
    micro.script("leaf", cache=True)
    micro.script("top", hook, deps=[{"tags": "leaf"}], new_env_keys=["T_*"])
    status, out, _ = cm("run", "script", "--tags=top", "--j")
    assert (status, json.loads(out[out.index("{") :])["new_env"]) == (0, {"T_FOUND": 1, "T_REMOVED": 0, "T_AGAIN": 16})
    assert micro.entries == []


def test_an_entry_that_cannot_be_removed_is_an_error(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    monkeypatch.setattr(
        cache_edge, "search_cache", lambda automation, i: {"return": 0, "list": [SimpleNamespace(path=str(micro.work), meta={})]}
    )

    def refuse(folder: Path) -> None:
        raise OSError("no")

    monkeypatch.setattr(cache_edge, "remove_tree", refuse)
    assert "cannot remove" in cache_edge.remove_cache(SimpleNamespace(cmind=None), {"f": True})["error"]


# --- flags ----------------------------------------------------------------------------------------------------------------------------
def test_every_flag_that_the_engine_has_says_what_it_does() -> None:
    assert [option.name for option in OPTIONS.values() if option.available and not option.help] == []
    assert [option.name for option in OPTIONS.values() if not option.available] == ["docker_run_deps"]


def test_repro_writes_how_the_run_began_and_ended_without_secrets(cm: Cm, micro: Any) -> None:
    micro.script("leaf", customize="def postprocess(i):\n    return {'return': 0, 'version': '2.0'}\n")
    micro.script("a", deps=[{"tags": "leaf"}], new_env_keys=["T_A"], env={"T_A": "1"})
    assert cm("run", "script", "--tags=a", "--repro", "--gh_token=abc123", "--env.MY_PASSWORD=abc123")[0] == 0
    files = sorted((micro.work / "cm-repro").iterdir())
    assert [file.name.removeprefix("cm-run-script-") for file in files] == [
        "README-cm.md",
        "info.json",
        "input.json",
        "output.json",
        "run-state.json",
    ]
    texts = {file.name.removeprefix("cm-run-script-"): file.read_text() for file in files}
    assert not [name for name, text in texts.items() if "abc123" in text]
    assert json.loads(texts["input.json"])["tags"] == "a"
    assert json.loads(texts["output.json"])["new_env"] == {"T_A": "1"}
    assert "cm run script --tags=leaf --version=2.0" in texts["README-cm.md"]
    whole = json.loads((micro.work / "cm-output.json").read_text())
    assert whole["acm_ctuning_repro_badge_functional"] is True
    assert whole["version_info"]["leaf"]["version"] == "2.0"
    assert "abc123" not in json.dumps(whole)


def test_repro_writes_a_failure_as_well(cm: Cm, micro: Any) -> None:
    micro.script("a", None, "exit 4\n")
    assert cm("run", "script", "--tags=a", "--repro", "--repro_dir=here", "--repro_prefix=x")[0] > 0
    assert "exit status 4" in json.loads((micro.work / "here" / "x-output.json").read_text())["error"]
    assert "acm_ctuning_repro_badge_functional" not in json.loads((micro.work / "cm-output.json").read_text())


def test_versions_and_a_readme_are_printed_and_written(cm: Cm, micro: Any) -> None:
    micro.script("leaf", customize="def postprocess(i):\n    return {'return': 0, 'version': '2.0'}\n")
    micro.script("a", deps=[{"tags": "leaf"}])
    out = cm("run", "script", "--tags=a", "--print_versions", "--dump_version_info", "--print_readme")[1]
    assert "Versions of dependencies:\n* leaf: 2.0\n" in out
    rows = json.loads((micro.work / "version_info.json").read_text())
    assert rows == json.loads((micro.work / "cm-run-script-versions.json").read_text())
    (row,) = (row["leaf"] for row in rows if "leaf" in row)
    assert (row["version"], row["script_alias"], row["parent"].split(",")[0]) == ("2.0", "leaf", "a")
    assert "cm run script --tags=a" in (micro.work / "README-cm.md").read_text()


def test_the_environment_is_saved_as_a_script(cm: Cm, micro: Any) -> None:
    micro.script("a", env={"T_A": "a b", "+T_P": ["/x"]}, new_env_keys=["T_A", "+T_P"], state={"s": 1}, new_state_keys=["s"])
    assert cm("run", "script", "--tags=a", "--save_env")[0] == 0
    done = subprocess.run(["bash", "-c", '. ./tmp-env.sh; echo "$T_A $T_P"'], cwd=micro.work, capture_output=True, text=True, check=True)
    assert done.stdout == "a b /x:\n"
    assert json.loads((micro.work / "tmp-state.json").read_text()) == {"s": 1}


def test_a_shell_needs_a_terminal_and_pause_does_not_wait_without_one(cm: Cm, micro: Any) -> None:
    micro.script("a")
    assert "--shell needs a terminal" in cm("run", "script", "--tags=a", "--shell")[2]
    assert micro.ran == []
    assert cm("run", "script", "--tags=a", "--pause", "--space")[0] == 0


def test_fake_runs_and_fake_deps_keep_nothing(cm: Cm, micro: Any) -> None:
    micro.script("leaf")
    micro.script("never")
    micro.script("top", cache=True, deps=[{"tags": "leaf"}, {"tags": "never", "skip_if_fake_run": True}], post_deps=[{"tags": "never"}])
    assert cm("run", "script", "--tags=top", "--fake_run")[0] == 0
    assert micro.ran == ["leaf"]
    out = cm("run", "script", "--tags=top", "--fake_deps", "--print_deps")[1]
    assert micro.ran == ["top"]
    assert out.count("cm run script --tags=") == 3
    assert micro.folders == []


def test_a_failing_native_script_may_be_ignored(cm: Cm, micro: Any) -> None:
    micro.script("a", None, "exit 5\n")
    status, out, _ = cm("run", "script", "--tags=a", "--ignore_script_error")
    assert status == 0
    assert "exit status 5" in out


def test_only_what_is_cached_may_be_asked_for(cm: Cm, micro: Any) -> None:
    micro.script("a", cache=True)
    assert "no valid cache entry" in cm("run", "script", "--tags=a", "--only_execute_from_cache")[2]
    cm("run", "script", "--tags=a")
    assert cm("run", "script", "--tags=a", "--only_execute_from_cache")[0] == 0


def test_debugging_leaves_what_runs_the_native_script_alone(cm: Cm, micro: Any) -> None:
    micro.script("leaf", None, 'echo "leaf says $T_A"\n', env={"T_A": "$(hi)"})
    micro.script("a", deps=[{"tags": "leaf"}])
    assert cm("run", "script", "--tags=a", "--debug_script_tags=leaf", "--debug_uid=1")[0] == 0
    done = subprocess.run(["./tmp-run-without-cm.sh"], cwd=micro.work, capture_output=True, text=True, check=True)
    assert done.stdout == "leaf says $(hi)\n"


def test_dirty_leaves_temporary_files(cm: Cm, micro: Any) -> None:
    micro.script("a", None, "echo 1 > tmp-ver.out\n")
    cm("run", "script", "--tags=a")
    assert not (micro.work / "tmp-ver.out").exists()
    cm("run", "script", "--tags=a", "--dirty")
    assert (micro.work / "tmp-ver.out").exists()


# --- hostile input ----------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "arguments",
    [
        ("--tags=$(touch pwned),a",), ("--tags=a;touch pwned",), ("--tags=a", "--outdirname=$(touch pwned)"),
        ("--tags=a", "--env.T_X=$(touch pwned)"), ("--tags=a", '--env.T_X="; touch pwned; "'), ("--tags=a", "--env.A;touch pwned;B=1"),
        ("--tags=a", "--adr.x;touch pwned.tags=y"), ("--tags=../../etc",), ("--tags=a,_../x",), ("a\n\ntouch pwned",), ("--tags=",),
        ("--tags=,,,",), ("--tags=a", "--env=text"), ("--tags=a", "--adr.leaf=text"), ("--tags=a", "--name=../../x"),
        ("--tags=a", "--extra_cache_tags=../../x"), ("--tags=a", "--const=1"), ("--tags=a", "--state=1"), ("--tags=a", "--ad=1"),
    ],
    ids=lambda arguments: arguments[-1].replace("\n", " ")[:30],
)  # fmt: skip
def test_hostile_input_runs_nothing_and_has_no_traceback(cm: Cm, micro: Any, arguments: tuple[str, ...]) -> None:
    micro.script("leaf", cache=True)
    micro.script("a", run_sh="true\n", cache=True, deps=[{"tags": "leaf", "names": ["leaf"]}])
    status, out, err = cm("run", "script", *arguments)
    if arguments[-1].startswith(("--env=", "--adr.leaf", "--const=", "--state=", "--ad=")):
        assert (status > 0, "hint: write --" in err) == (True, True)
    assert "Traceback" not in out + err
    assert "the engine itself failed" not in out + err
    assert not list(micro.base.rglob("pwned"))
    cache = micro.home / "repos" / "local" / "cache"
    assert all(entry.parent == cache for entry in micro.entries)


def test_a_mistyped_name_is_told_although_everything_is_cached(cm: Cm, micro: Any) -> None:
    micro.script("leaf")
    micro.script("middle", cache=True, deps=[{"tags": "leaf", "names": ["compiler"]}])
    micro.script("top", deps=[{"tags": "middle"}])
    assert cm("run", "script", "--tags=top")[0] == 0
    out = cm("run", "script", "--tags=top", "--adr.compilr.env.T_A=1")[1]
    assert "--adr.compilr changed nothing: no dependency has this name; did you mean 'compiler'?" in out
    assert "changed nothing" not in cm("run", "script", "--tags=top", "--adr.compiler.env.T_A=1")[1]


@pytest.mark.parametrize("flag", ["--plan", "--dry_run", "--tag=a"])
@pytest.mark.parametrize("action", ["rm", "show", "find"])
def test_the_cache_refuses_flags_that_it_does_not_know(cm: Any, micro: Any, action: str, flag: str) -> None:
    micro.script("a", cache=True)
    assert cm("run", "script", "--tags=a")[0] == 0
    status, _, err = cm(action, "cache", *(["-f"] if action == "rm" else []), flag)
    assert status == 1
    assert f"the flag {flag.partition('=')[0]} is unknown" in err
    assert len(micro.entries) == 1


@pytest.mark.parametrize("flag", ["--plan", "--tag=a"])
@pytest.mark.parametrize("action", ["find", "ls", "lint", "doc", "test", "rm", "add"])
def test_actions_on_scripts_refuse_flags_that_they_do_not_have(cm: Any, micro: Any, action: str, flag: str) -> None:
    micro.script("a", tests={"run_inputs": [{}]})
    status, out, err = cm(action, "script", "new" if action == "add" else "a", *(["-f"] if action == "rm" else []), flag)
    assert status == 1
    assert str(micro.root) not in out
    assert f"the flag {flag.partition('=')[0]} is unknown" in err
    assert ("did you mean '--tags'?" in err) == (flag == "--tag=a")
    assert [folder.name for folder in sorted((micro.root / "script").iterdir())] == ["a"]
    assert micro.ran == []


def test_a_script_is_removed_where_that_is_asked_for(cm: Any, micro: Any) -> None:
    micro.script("a")
    assert cm("rm", "script", "a", "-f")[0] == 0
    assert not (micro.root / "script" / "a").exists()


def test_cms_second_command_runs_scripts_as_well(cm: Any, micro: Any) -> None:
    micro.script("a")
    command = [str(Path(sys.executable).parent / "cmx"), "run", "script", "--tags=a"]
    done = subprocess.run(command, env=cm.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert micro.ran == ["a"]


def test_the_home_folder_in_the_value_of_a_flag_is_meant(cm: Any, micro: Any) -> None:
    micro.script("a", input_mapping={"model": "T_MODEL"})
    assert cm("run", "script", "--tags=a", "--model=~/m.tflite", HOME=str(micro.base))[0] == 0
    assert micro.trace[0][2]["T_MODEL"] == str(micro.base / "m.tflite")
