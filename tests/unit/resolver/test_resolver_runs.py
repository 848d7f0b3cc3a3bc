# SPDX-License-Identifier: Apache-2.0
"""Runs of scripts: selection, order, environment, hooks, native scripts, errors, events."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.errors import (
    AmbiguousScriptError,
    DependencyError,
    MetaError,
    ScriptFailedError,
    ScriptNotFoundError,
    UsageError,
    VariationError,
)
from cm4tiny.events import Failed
from cm4tiny.resolver import Repository, new_session
from cm4tiny.resolver.plan.resolve import new_request
from cm4tiny.resolver.run.progress import ScriptFinished, ScriptNote, ScriptStarted
from cm4tiny.resolver.run.runner import run


# --- selection ----------------------------------------------------------------------------------------------------------------
def test_a_mistyped_tag_is_answered_with_the_nearest_one(micro: Any) -> None:
    micro.script("build-firmware")
    with pytest.raises(ScriptNotFoundError, match="firmwre") as caught:
        micro.run("build,firmwre")
    assert "'firmware'" in caught.value.hint
    assert caught.value.cm_code == 16


def test_tags_that_exist_but_not_together_are_answered_with_the_nearest_scripts(micro: Any) -> None:
    micro.script("a-b")
    micro.script("c-d")
    with pytest.raises(ScriptNotFoundError, match="'a,d'") as caught:
        micro.run("a,d")
    assert "a-b" in caught.value.hint


def test_an_unknown_variation_is_answered_with_the_nearest_one_and_not_with_another_script(micro: Any) -> None:
    micro.script("a", variations={"performance": {}})
    with pytest.raises(VariationError, match="_performnce") as caught:
        micro.run("a,_performnce")
    assert "'_performance'" in caught.value.hint


def test_scripts_that_lack_the_variation_are_no_candidates(micro: Any) -> None:
    micro.script("a-one", variations={"x": {}})
    micro.script("a-two", variations={"y": {}})
    micro.run("a,_y")
    assert micro.ran == ["a-two"]


def test_several_candidates_are_an_error_that_lists_them_and_quiet_takes_the_first(micro: Any) -> None:
    micro.script("a-two", sort=1)
    micro.script("a-one", sort=2)
    with pytest.raises(AmbiguousScriptError) as caught:
        micro.run("a")
    assert "a-one" in caught.value.why
    assert "a-two" in caught.value.why
    micro.run("a", quiet=True)
    assert micro.ran == ["a-two"]


def test_an_excluded_tag_decides(micro: Any) -> None:
    micro.script("a-one")
    micro.script("a-two")
    micro.run("a,-two")
    assert micro.ran == ["a-one"]


def test_nothing_asked_for_is_an_error(micro: Any) -> None:
    with pytest.raises(UsageError, match="no script is named"):
        micro.run("")


# --- order and environment ----------------------------------------------------------------------------------------------------
def test_the_parts_of_a_run_come_in_upstreams_order(micro: Any) -> None:
    for name in ("d1", "d2", "d3", "d4"):
        micro.script(name)
    lists = {"deps": "d1", "prehook_deps": "d2", "posthook_deps": "d3", "post_deps": "d4"}
    meta = {kind: [{"tags": tags}] for kind, tags in lists.items()}
    micro.script("main", run_sh="""echo '["main", "run.sh", {}]' >> "$TRACE"\n""", **meta)
    micro.run("main")
    main_or_dep = [row[0] if row[0] != "main" else row[1] for row in micro.trace if row[0] == "main" or row[1] == "preprocess"]
    assert main_or_dep == ["d1", "preprocess", "d2", "run.sh", "d3", "postprocess", "d4"]


def test_the_command_line_wins_over_variation_meta_user_env_and_default(micro: Any) -> None:
    micro.script(
        "p",
        default_env={"T_1": "default", "T_2": "default"}, env={"T_3": "meta", "T_4": "meta"},
        input_mapping={"five": "T_5"}, variations={"v": {"env": {"T_4": "variation", "T_5": "variation"}}},
    )  # fmt: skip
    micro.run("p,_v", five="flag", env={"T_2": "user", "T_3": "user"})
    assert micro.trace[0][2] == {"T_1": "default", "T_2": "user", "T_3": "meta", "T_4": "variation", "T_5": "flag"}


def test_a_flag_reaches_the_dependencies_and_wins_there_too(micro: Any) -> None:
    micro.script("leaf", env={"T_X": "leaf"})
    micro.script("top", input_mapping={"x": "T_X"}, deps=[{"tags": "leaf"}])
    micro.run("top", x="flag")
    assert [row[2]["T_X"] for row in micro.trace] == ["flag"] * 4


def test_only_new_env_keys_come_back_from_a_dependency(micro: Any) -> None:
    micro.script("leaf", env={"T_OUT": "1", "T_OUT2": "2", "T_HIDDEN": "3"}, new_env_keys=["T_OUT*"])
    micro.script("top", deps=[{"tags": "leaf", "env": {"T_LOCAL": "x"}}])
    micro.run("top")
    rows = micro.trace
    assert rows[0][2]["T_LOCAL"] == "x"
    assert rows[-1][2] == {"T_OUT": "1", "T_OUT2": "2"}


def test_keys_of_one_run_are_hidden_from_its_dependencies(micro: Any) -> None:
    hook = """
    def preprocess(i):
        assert "CM_OUTPUT" not in i["env"] and "T_MINE" not in i["env"] and "T_OPEN" not in i["env"], i["env"]
        return {"return": 0}
    """
    micro.script("leaf", hook)
    micro.script("top", env={"T_MINE": "1", "T_OPEN": "<<<T_LATER>>>"}, local_env_keys=["T_MI*"], deps=[{"tags": "leaf"}])
    micro.run("top", output="o")
    assert micro.trace[0][2] == {"T_MINE": "1", "T_OPEN": "<<<T_LATER>>>"}


def test_a_disabled_dependency_does_not_run_and_its_script_need_not_exist(micro: Any) -> None:
    micro.script("leaf")
    micro.script(
        "top", default_env={"T_E": "microtvm"},
        deps=[{"tags": "nowhere", "enable_if_env": {"T_E": ["tflm"]}}, {"tags": "leaf", "enable_if_env": {"T_E": ["microtvm"]}}],
    )  # fmt: skip
    micro.run("top")
    assert micro.ran == ["leaf", "top"]


def test_a_dependency_that_does_not_exist_names_the_script_that_needs_it(micro: Any) -> None:
    micro.script("top", deps=[{"tags": "nowhere"}])
    with pytest.raises(ScriptNotFoundError, match="'top' needs"):
        micro.run("top")


def test_tags_of_a_dependency_follow_the_environment(micro: Any) -> None:
    micro.script("leaf", variations={"ic": {"env": {"T_M": "ic"}}, "kws": {"env": {"T_M": "kws"}}})
    micro.script("top", default_env={"T_MODEL": "kws"}, deps=[{"tags": "leaf", "update_tags_from_env_with_prefix": {"_": ["T_MODEL"]}}])
    result = micro.run("top", env={"T_MODEL": "ic"})
    assert micro.trace[0][2]["T_M"] == "ic"
    assert result.deps == ["leaf,_ic"]


def test_adr_reaches_dependencies_of_dependencies(micro: Any) -> None:
    micro.script("leaf", variations={"x": {"env": {"T_LEAF": "x"}}})
    micro.script("middle", deps=[{"tags": "leaf", "names": ["the-leaf"]}])
    micro.script("top", deps=[{"tags": "middle"}])
    micro.run("top", adr={"the-leaf": {"tags": "_x"}})
    assert micro.trace[0] == ["leaf", "preprocess", {"T_LEAF": "x"}]


def test_the_adr_of_a_variation_stays_in_its_own_tree(micro: Any) -> None:
    micro.script("leaf", variations={"x": {"env": {"T_LEAF": "x"}}})
    micro.script("one", variations={"v": {"adr": {"l": {"tags": "_x"}}}}, deps=[{"tags": "leaf", "names": ["l"]}])
    micro.script("two", deps=[{"tags": "leaf", "names": ["l"]}])
    micro.script("top", deps=[{"tags": "one,_v"}, {"tags": "two"}])
    micro.run("top")
    assert [row[2] for row in micro.trace if row[:2] == ["leaf", "preprocess"]] == [{"T_LEAF": "x"}, {}]


@pytest.mark.parametrize("cache", [False, True])
def test_a_circle_of_dependencies_is_an_error_that_shows_the_way(micro: Any, cache: bool) -> None:
    micro.script("a", deps=[{"tags": "b"}])
    micro.script("b", deps=[{"tags": "a"}], cache=cache)
    with pytest.raises(DependencyError, match="never end") as caught:
        micro.run("a")
    assert caught.value.why == "a -> b -> a"


def test_a_script_may_run_itself_with_another_environment(micro: Any) -> None:
    micro.script("a", deps=[{"tags": "a", "env": {"T_STOP": "yes"}, "skip_if_env": {"T_STOP": ["yes"]}}])
    micro.run("a")
    assert micro.ran == ["a", "a"]


def test_a_meta_is_not_changed_by_its_runs(micro: Any) -> None:
    micro.script("leaf", variations={"x": {}, "size.#": {"env": {"T_S": "#"}}})
    micro.script("top", deps=[{"tags": "leaf,_size.3", "names": ["l"], "update_tags_from_env": ["T_TAG"]}, {"tags": "leaf,_size.4"}])
    first = micro.run("top", env={"T_TAG": "_x"})
    assert [row[2].get("T_S") for row in micro.trace if row[:2] == ["leaf", "preprocess"]] == ["3", "4"]
    session = micro.session()
    before = repr([script.meta for script in session.store.scripts])
    second = run(session, new_request({"tags": "top", "env": {"T_TAG": "_x"}}))
    assert repr([script.meta for script in session.store.scripts]) == before
    assert first.deps == second.deps == ["leaf,_size.3,_x", "leaf,_size.4"]


def test_outdirname_is_made_and_worked_in_and_left_again(micro: Any) -> None:
    micro.script("a", "import os\ndef preprocess(i):\n    open('made', 'w').close()\n    return {'return': 0}\n")
    micro.run("a", outdirname="out/deep")
    assert (micro.work / "out" / "deep" / "made").exists()
    assert Path.cwd() == micro.work


# --- hooks --------------------------------------------------------------------------------------------------------------------
def test_a_hook_sees_what_upstream_gives_it(micro: Any) -> None:
    keys = "input env state meta os_info automation run_script_input recursion_spaces artifact customize script_tags variation_tags"
    hook = f"""
    def preprocess(i):
        assert set("{keys}".split()) <= set(i), sorted(i)
        assert i["os_info"]["platform"] in ("linux", "darwin")
        assert i["run_script_input"]["path"] == i["artifact"].path == i["env"]["CM_TMP_CURRENT_SCRIPT_PATH"]
        assert i["script_tags"] == ["a"] and i["variation_tags"] == ["v"]
        i["state"]["t"] = {{"deep": [1]}}
        return {{"return": 0}}
    """
    micro.script("a", hook, variations={"v": {}}, new_state_keys=["t"])
    assert micro.run("a,_v").new_state == {"t": {"deep": [1]}}


def test_an_exception_in_a_hook_names_script_place_and_log(micro: Any) -> None:
    micro.script("leaf", "def preprocess(i):\n    return 1 / 0\n")
    micro.script("top", deps=[{"tags": "leaf"}])
    with pytest.raises(ScriptFailedError) as caught:
        micro.run("top")
    error = caught.value
    assert error.what == "script 'leaf' (needed by 'top') failed in preprocess: ZeroDivisionError: division by zero"
    assert "customize.py, line 2" in error.why
    log = Path(error.hint.rpartition(" ")[2])
    assert "Traceback" in log.read_text()


def test_an_error_of_ours_in_a_hook_keeps_what_why_hint_and_code(micro: Any) -> None:
    hook = """
    from cm4tiny.errors import ScriptNotFoundError
    def postprocess(i):
        raise ScriptNotFoundError("no board", why="no port", hint="plug it in")
    """
    micro.script("a", hook)
    with pytest.raises(ScriptFailedError) as caught:
        micro.run("a")
    assert str(caught.value) == "script 'a' failed in postprocess: no board\n  why: no port\n  hint: plug it in"
    assert caught.value.cm_code == 16


def test_a_returned_error_keeps_what_why_and_hint(micro: Any) -> None:
    hook = """
    from cm4tiny.errors import UsageError
    def preprocess(i):
        return {**UsageError("bad", why="x", hint="y").as_cm(), "return": 3}
    """
    micro.script("a", hook)
    with pytest.raises(ScriptFailedError) as caught:
        micro.run("a")
    assert (caught.value.what, caught.value.why, caught.value.hint) == ("script 'a' failed in preprocess: bad", "x", "y")
    assert caught.value.as_cm()["return"] == 3


@pytest.mark.parametrize("body", ["return None", "return {}", "return 0"])
def test_a_hook_that_returns_no_result_is_an_error(micro: Any, body: str) -> None:
    micro.script("a", f"def preprocess(i):\n    {body}\n")
    with pytest.raises(ScriptFailedError, match="failed in preprocess") as caught:
        micro.run("a")
    assert "return {'return': 0}" in caught.value.hint


def test_a_customize_that_cannot_be_imported_is_an_error_of_the_script(micro: Any) -> None:
    micro.script("a", "import no_such_module\n")
    with pytest.raises(ScriptFailedError, match="'a' failed in import: ModuleNotFoundError"):
        micro.run("a")


def test_a_changed_customize_is_loaded_again(micro: Any) -> None:
    for value in ("first", "second!"):
        micro.script("a", f"def preprocess(i):\n    i['env']['T_V'] = '{value}'\n    return {{'return': 0}}\n", new_env_keys=["T_V"])
        assert micro.run("a").new_env == {"T_V": value}


def test_skip_leaves_the_environment_as_it_was(micro: Any) -> None:
    micro.script("a", "def preprocess(i):\n    i['env']['T_X'] = '1'\n    return {'return': 0, 'skip': True}\n", new_env_keys=["T_X"])
    micro.script("top", deps=[{"tags": "a"}])
    assert micro.run("a").skipped
    micro.run("top")
    assert micro.trace[0] == ["top", "preprocess", {}]


def test_skip_may_name_another_script(micro: Any) -> None:
    micro.script("a", "def preprocess(i):\n    return {'return': 0, 'skip': True, 'script': {'tags': 'b'}}\n")
    micro.script("b", env={"T_B": "b"}, new_env_keys=["T_B"])
    assert micro.run("a").new_env == {"T_B": "b"}


# --- native scripts -----------------------------------------------------------------------------------------------------------
def test_what_a_native_script_writes_comes_back_whole(micro: Any) -> None:
    run_sh = """
    echo "T_URL=https://x/?a=1&b=2" > tmp-run-env.out
    echo '{"t": {"n": 1}}' > tmp-run-state.json
    """
    micro.script("a", None, run_sh, new_env_keys=["T_URL"], new_state_keys=["t"])
    result = micro.run("a")
    assert result.new_env == {"T_URL": "https://x/?a=1&b=2"}
    assert result.new_state == {"t": {"n": 1}}
    assert list(micro.work.iterdir()) == []


def test_values_reach_a_native_script_with_quotes_and_backticks(micro: Any) -> None:
    micro.script("a", None, 'echo "T_OUT=$T_IN|${PATH%%:*}" > tmp-run-env.out\n', new_env_keys=["T_OUT"])
    assert micro.run("a", env={"T_IN": 'say "x" `y`', "+PATH": ["/first"]}).new_env == {"T_OUT": 'say "x" `y`|/first'}


def test_a_failing_native_script_tells_status_command_last_lines_and_log(micro: Any) -> None:
    folder = micro.script("a", None, "for n in $(seq 1 40); do echo line $n; done; echo to stderr >&2; exit 7\n")
    micro.script("top", deps=[{"tags": "a"}])
    with pytest.raises(ScriptFailedError) as caught:
        micro.run("top")
    text = str(caught.value)
    assert text.startswith("script 'a' (needed by 'top') failed\n  why: run.sh ended with exit status 7\n")
    assert f"command: . {folder}/run.sh" in text
    assert f"folder: {micro.work}" in text
    assert "| line 40\n  | to stderr\n" in text
    assert "| line 29\n" not in text
    log = Path(text.partition("see its output in ")[2].partition(";")[0])
    assert log.read_text().startswith("line 1\nline 2\n")


def test_a_native_script_that_a_signal_ended_says_so(micro: Any) -> None:
    micro.script("a", None, "kill -9 $$\n")
    with pytest.raises(ScriptFailedError) as caught:
        micro.run("a")
    assert "was ended by signal 9" in caught.value.why


def test_what_a_native_script_prints_is_seen_while_it_runs(micro: Any, capfd: pytest.CaptureFixture[str]) -> None:
    seen = micro.base / "seen"
    micro.script("a", None, f'echo first; for n in $(seq 100); do test -e "{seen}" && break; sleep 0.05; done; test -e "{seen}"\n')

    def look() -> None:
        while "first" not in capfd.readouterr().out:
            time.sleep(0.02)
        seen.touch()

    looker = threading.Thread(target=look)
    looker.start()
    micro.run("a")
    looker.join()


def test_a_process_that_a_native_script_leaves_behind_does_not_hold_the_run(micro: Any) -> None:
    micro.script("a", None, "sleep 30 &\necho $! > sleeper\n")
    begun = time.monotonic()
    micro.run("a")
    os.kill(int((micro.work / "sleeper").read_text()), 9)
    assert time.monotonic() - begun < 10


def test_an_error_reaches_cmind_with_the_same_text(micro: Any) -> None:
    micro.script("a", None, "echo the reason; exit 3\n")
    with pytest.raises(ScriptFailedError) as caught:
        micro.run("a")
    answer = caught.value.as_cm()
    assert answer["return"] > 0
    assert answer["error"].rstrip("\n") == str(caught.value)
    assert "exit status 3" in answer["error"]
    assert "| the reason" in answer["error"]


def test_the_most_special_native_script_is_taken(micro: Any) -> None:
    folder = micro.script("a", None, "echo T_OUT=plain > tmp-run-env.out\n", new_env_keys=["T_OUT"])
    (folder / "run-ubuntu.sh").write_text("echo T_OUT=special > tmp-run-env.out\n")
    assert micro.run("a").new_env == {"T_OUT": "plain"}
    assert micro.run("a", env={"CM_HOST_OS_FLAVOR": "ubuntu"}).new_env == {"T_OUT": "special"}


def test_a_script_name_without_a_file_is_an_error(micro: Any) -> None:
    micro.script("a", None, script_name="other")
    with pytest.raises(ScriptFailedError, match=r"no file other\.sh"):
        micro.run("a")


def test_a_native_script_cannot_wait_for_input(micro: Any) -> None:
    micro.script("a", None, 'read answer; echo "T_OUT=[$answer]" > tmp-run-env.out\n', new_env_keys=["T_OUT"])
    assert micro.run("a").new_env == {"T_OUT": "[]"}


# --- metas and events ---------------------------------------------------------------------------------------------------------
def test_an_unknown_key_is_an_error_in_an_own_script_and_a_warning_in_another(micro: Any) -> None:
    micro.script("a", new_env_key=["T_X"])
    with pytest.raises(MetaError, match="'a' breaks the language") as caught:
        micro.run("a", own=True)
    assert "new_env_keys" in caught.value.why
    micro.run("a")
    notes = [event for event in micro.events if isinstance(event, ScriptNote) and event.level == "warning"]
    assert any("new_env_key" in note.text for note in notes)


def test_a_value_of_the_wrong_shape_is_an_error_in_every_script(micro: Any) -> None:
    micro.script("a", deps=[7], default_env=5)
    with pytest.raises(MetaError) as caught:
        micro.run("a")
    assert caught.value.why == "top level: 'default_env' is int, not a mapping; top level, deps[1]: is not a mapping"


def test_a_broken_meta_of_another_repository_hides_only_itself(micro: Any) -> None:
    folder = micro.script("a")
    (folder / "_cm.json").write_text("{")
    micro.script("b")
    micro.run("b")
    assert micro.ran == ["b"]
    with pytest.raises(MetaError, match="cannot parse"):
        micro.run("b", own=True)


def test_the_event_stream_hears_every_script_with_its_depth(micro: Any) -> None:
    micro.script("leaf")
    micro.script("top", deps=[{"tags": "leaf"}])
    micro.run("top")
    heard = [(type(event), event.step, event.depth) for event in micro.events if isinstance(event, (ScriptStarted, ScriptFinished))]
    assert heard == [(ScriptStarted, "top", 0), (ScriptStarted, "leaf", 1), (ScriptFinished, "leaf", 1), (ScriptFinished, "top", 0)]


def test_the_event_stream_hears_a_failure(micro: Any) -> None:
    micro.script("a", "def preprocess(i):\n    raise OSError('gone')\n")
    with pytest.raises(ScriptFailedError):
        micro.run("a")
    assert [event.step for event in micro.events if isinstance(event, Failed)] == ["a"]


# --- finding scripts ----------------------------------------------------------------------------------------------------------
def test_a_script_that_was_added_changed_or_removed_is_seen_at_once(micro: Any) -> None:
    folder = micro.script("a")
    micro.run("a")
    micro.script("b")
    micro.run("b")
    micro.script("a", tags=["changed-tags"])
    micro.run("changed-tags")
    (folder / "_cm.json").unlink()
    with pytest.raises(ScriptNotFoundError):
        micro.run("changed-tags")


def test_a_damaged_catalogue_is_made_anew(micro: Any) -> None:
    micro.script("a")
    micro.run("a")
    (catalogue,) = (micro.home / "cm4tiny" / "catalogues").glob("scripts-*.sqlite")
    catalogue.write_text("{ half")
    micro.run("a")
    assert micro.ran == ["a", "a"]


def test_a_home_that_cannot_be_written_does_not_stop_a_run(micro: Any) -> None:
    micro.script("a")
    micro.home.mkdir()
    (micro.home / "cm4tiny").write_text("a file where a folder should be")
    micro.run("a")
    assert micro.ran == ["a"]
    assert list(micro.work.iterdir()) == []


def test_an_own_script_goes_before_another_repositorys_with_the_same_tags_or_uid(micro: Any) -> None:
    foreign = micro.script("a-foreign", sort=-5)
    double = micro.script("double", env={"T_WHICH": "foreign"})
    own = micro.base / "own"
    (own / "script" / "a-own").mkdir(parents=True)
    meta = json.loads((foreign / "_cm.json").read_text())
    (own / "script" / "a-own" / "_cm.json").write_text(json.dumps({**meta, "alias": "a-own", "uid": "00000000000000aa", "tags": ["a"]}))
    shutil.copytree(double, own / "script" / "double")
    meta = json.loads((double / "_cm.json").read_text())
    (own / "script" / "double" / "_cm.json").write_text(json.dumps({**meta, "env": {"T_WHICH": "own"}, "new_env_keys": ["T_WHICH"]}))
    session = new_session(micro.home, [Repository(own, "ours", own=True), Repository(micro.root, "micro")])
    run(session, new_request({"tags": "a"}))
    assert run(session, new_request({"tags": "double"})).new_env == {"T_WHICH": "own"}
    assert micro.ran == ["double"]


def test_constants_win_over_what_predeps_sets_before_the_dependencies_see_it(micro: Any) -> None:
    hook = """
    def predeps(i):
        i["env"].update(T_CONST="hook", T_FREE="hook")
        return {"return": 0}
    """
    micro.script("leaf")
    micro.script("other")
    deps = [{"tags": "leaf", "enable_if_env": {"T_CONST": ["meta"]}}, {"tags": "other", "enable_if_env": {"T_CONST": ["hook"]}}]
    micro.script("a", hook, deps=deps, const={"T_CONST": "meta"})
    micro.run("a")
    (name, _, seen), _ = micro.trace
    assert (name, seen["T_CONST"], seen["T_FREE"]) == ("leaf", "meta", "hook")
