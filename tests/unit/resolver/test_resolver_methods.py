# SPDX-License-Identifier: Apache-2.0
"""The methods of ``i['automation']`` that upstream's scripts call, in micro-scripts and by themselves."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cm4tiny.errors import NotAvailableError, ScriptFailedError
from cm4tiny.resolver.adapter.methods import Methods
from cm4tiny.resolver.adapter.nested import give_automation
from cm4tiny.resolver.language.host import os_info
from cm4tiny.resolver.plan.resolve import new_request
from cm4tiny.resolver.run.runner import RunResult, run

TOOL = """
import os

def preprocess(i):
    env = i["env"]
    r = i["automation"].find_artifact({
        "file_name": "tool", "env": env, "os_info": i["os_info"], "default_path_env_key": "PATH", "detect_version": True,
        "env_path_key": "T_TOOL", "run_script_input": i["run_script_input"], "recursion_spaces": i["recursion_spaces"],
    })
    if r["return"] == 16:
        env["T_INSTALL"] = "yes"
        return {"return": 0}
    return r

def detect_version(i):
    r = i["automation"].parse_version({"match_text": r"tool ([0-9.]+)", "group_number": 1, "env_key": "T_VERSION", "which_env": i["env"]})
    return r if r["return"] > 0 else {"return": 0, "version": r["version"]}

def postprocess(i):
    r = detect_version(i)
    return r if r["return"] > 0 else {"return": 0, "version": r["version"]}
"""
RUN_TOOL = '"$T_TOOL" > tmp-ver.out\n'


def run_with_methods(micro: Any, tags: str, **flags: Any) -> RunResult:
    session = micro.session(quiet=True)
    give_automation(session, SimpleNamespace(cmind=None, meta={}, path=""))
    return run(session, new_request({"tags": tags, **flags}))


def tool(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "tool"
    file.write_text(f"#!/bin/sh\necho tool {version}\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def tools(micro: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(micro.base) / "tools"
    old, new = tool(folder / "old", "1.9"), tool(folder / "new", "2.10")
    monkeypatch.setenv("PATH", f"{old.parent}:{new.parent}:{os.environ['PATH']}")
    micro.script("get-tool", TOOL, RUN_TOOL, new_env_keys=["T_*", "+PATH"])
    return folder


def test_a_tool_is_found_on_the_path_with_its_version(micro: Any, tools: Path) -> None:
    result = run_with_methods(micro, "get,tool")
    assert result.new_env == {"T_TOOL": str(tools / "old" / "tool"), "T_VERSION": "1.9"}
    assert result.version == "1.9"


def test_a_tool_of_the_wrong_version_is_passed_over(micro: Any, tools: Path) -> None:
    assert run_with_methods(micro, "get,tool", version_min="2.9").new_env["T_TOOL"] == str(tools / "new" / "tool")
    assert run_with_methods(micro, "get,tool", version="1.9").new_env["T_TOOL"] == str(tools / "old" / "tool")
    installed = tool(tools / "installed", "0.9")
    (micro.root / "script" / "get-tool" / "run.sh").write_text(f'[ "$T_INSTALL" ] && T_TOOL="{installed}"\n{RUN_TOOL}')
    assert run_with_methods(micro, "get,tool", version_max="1.0").new_env["T_INSTALL"] == "yes"


def test_a_tool_outside_the_path_is_put_in_front_of_it(micro: Any, tools: Path) -> None:
    elsewhere = tool(tools / "elsewhere", "3.0").parent
    assert run_with_methods(micro, "get,tool", path=str(elsewhere)).new_env["+PATH"] == [str(elsewhere)]
    assert run_with_methods(micro, "get,tool", input=str(elsewhere / "tool")).new_env["T_TOOL"] == str(elsewhere / "tool")


@pytest.mark.parametrize(("flag", "text"), [("path", "path /no/where doesn't exist"), ("input", "file /no/where doesn't exist")])
def test_a_place_that_does_not_exist_is_an_error(flag: str, text: str, micro: Any, tools: Path) -> None:
    with pytest.raises(ScriptFailedError, match=text):
        run_with_methods(micro, "get,tool", **{flag: "/no/where"})


def test_looking_for_versions_leaves_no_trace_in_the_environment(micro: Any, tools: Path) -> None:
    hook = TOOL.replace("    if r[", '    assert "T_VERSION" not in env and i["run_script_input"]["env"] is env\n    if r[', 1)
    micro.script("get-tool", hook, RUN_TOOL, new_env_keys=["T_*"])
    run_with_methods(micro, "get,tool")


def test_a_native_script_runs_on_request_and_its_environment_is_given_back(micro: Any) -> None:
    hook = """
    def preprocess(i):
        given = i["run_script_input"]
        r = i["automation"].run_native_script({"run_script_input": given, "env": dict(i["env"], T_IN="in"), "script_name": "extra"})
        assert r["return"] == 0, r
        i["env"]["T_SEEN"] = r["env_tmp"]["T_OUT"]
        assert "T_OUT" not in i["env"] and given["script_name"] == ""
        r = i["automation"].run_native_script({"run_script_input": given, "env": {}, "script_name": "failing"})
        i["env"]["T_CODE"] = r["return"]
        i["env"]["T_ERROR"] = r["error"]
        return {"return": 0}
    """
    folder = micro.script("a", hook, new_env_keys=["T_*"])
    (folder / "extra.sh").write_text('echo "T_OUT=$T_IN-out" > tmp-run-env.out\n')
    (folder / "failing.sh").write_text("exit 3\n")
    new_env = run_with_methods(micro, "a").new_env
    assert (new_env["T_SEEN"], new_env["T_CODE"]) == ("in-out", 2)
    assert "exit status 3" in new_env["T_ERROR"]


def test_a_version_is_detected_with_the_scripts_own_native_script(micro: Any) -> None:
    hook = """
    def preprocess(i):
        r = i["automation"].detect_version_using_script({"env": i["env"], "run_script_input": i["run_script_input"]})
        i["env"]["T_FOUND"] = r.get("detected_version", r["return"])
        return {"return": 0}

    def detect_version(i):
        return {"return": 0, "version": "2.5"}
    """
    micro.script("a", hook, new_env_keys=["T_*"])
    assert run_with_methods(micro, "a").new_env == {"T_FOUND": "2.5"}
    assert run_with_methods(micro, "a", version_max="2.4").new_env == {"T_FOUND": 16}
    assert run_with_methods(micro, "a", version="2.5").new_env == {"T_FOUND": "2.5"}


def test_a_hook_changes_dependencies_that_run_later_and_nothing_else(micro: Any) -> None:
    hook = """
    def preprocess(i):
        return i["automation"].update_deps({"deps": i["meta"]["post_deps"], "update_deps": {"leaf": {"tags": "_x", "env": {"T_E": "1"}}}})
    """
    micro.script("leaf", new_env_keys=["T_*"], env={"T_LEAF": "plain"}, variations={"x": {"env": {"T_LEAF": "x"}}})
    micro.script("top", hook, post_deps=[{"tags": "leaf", "names": ["leaf"]}], new_env_keys=["T_*"])
    for _ in range(2):
        result = run_with_methods(micro, "top")
        assert (result.deps, result.new_env["T_LEAF"]) == (["leaf,_x"], "x")
        assert micro.trace[0][2]["T_E"] == "1"
    micro.script("other", "def preprocess(i):\n    return {'return': 0}\n", post_deps=[{"tags": "leaf", "names": ["leaf"]}])
    assert run_with_methods(micro, "other").deps == ["leaf"]


def test_a_hook_sees_the_run_state_that_upstream_gives(micro: Any) -> None:
    hook = """
    def preprocess(i):
        state = i["run_script_input"]["run_state"]
        i["env"]["T_ID"] = state["script_id"] + ":" + ",".join(state["script_variation_tags"])
        i["env"]["T_VERSIONS"] = ";".join(tags for row in i["input"]["run_state"]["version_info"] for tags in row)
        return {"return": 0}
    """
    micro.script("leaf", variations={"x": {}})
    micro.script("a", hook, deps=[{"tags": "leaf,_x"}], variations={"v": {}}, new_env_keys=["T_*"])
    new_env = run_with_methods(micro, "a,_v").new_env
    assert new_env["T_ID"].startswith("a,")
    assert new_env["T_ID"].endswith(":v")
    assert new_env["T_VERSIONS"] == "leaf,_x"


def test_an_unknown_method_is_an_error_with_a_hint(micro: Any) -> None:
    micro.script("a", "def preprocess(i):\n    return i['automation'].dockerfile({})\n")
    with pytest.raises(ScriptFailedError, match="no method 'dockerfile'") as caught:
        run_with_methods(micro, "a")
    assert "cm run script,5b4e0237da074764" in caught.value.hint
    assert issubclass(NotAvailableError, Exception)


# --- by themselves --------------------------------------------------------------------------------------------------------------
@pytest.fixture
def methods() -> Methods:
    return Methods(lambda text: None)


def in_paths(methods: Methods, **given: Any) -> list[str]:
    answer = methods.find_file_in_paths(given)
    assert answer["return"] == 0
    return [Path(file).name for file in answer["found_files"]]


def test_files_are_found_with_the_usual_endings_each_once(methods: Methods, tmp_path: Path) -> None:
    for name in ("gcc", "gcc-9", "gcc-12", "gcc3.1", "gcc-12-extra", "libx.so.1"):
        (tmp_path / name).touch()
    (tmp_path / "gcc-link").symlink_to(tmp_path / "gcc")
    assert in_paths(methods, paths=["", "/no/where", str(tmp_path), str(tmp_path)], file_name="gcc") == ["gcc", "gcc-9", "gcc-12", "gcc3.1"]
    assert in_paths(methods, paths=[str(tmp_path)], file_name_re=r"gcc-\d+$") == ["gcc-12", "gcc-9"]
    assert in_paths(methods, paths=[str(tmp_path)], file_name="libx.so*") == ["libx.so.1"]


def test_a_hook_may_pass_files_over_or_fail(methods: Methods, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "a1").touch()

    def only_the_second(i: dict[str, Any]) -> dict[str, Any]:
        return {"return": 0, "skip": not i["file"].endswith("1")}

    assert in_paths(methods, paths=[str(tmp_path)], file_name="a", hook=only_the_second) == ["a1"]
    failing = {"paths": [str(tmp_path)], "file_name": "a", "hook": lambda i: {"return": 1, "error": "no"}}
    assert methods.find_file_in_paths(failing) == {"return": 1, "error": "no"}


def test_the_first_of_several_files_is_taken_and_told(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "a").touch()
    (tmp_path / "a1").touch()
    assert in_paths(Methods(told.append), paths=[str(tmp_path)], file_name="a", select=True) == ["a"]
    assert told[0].startswith("2 files fit")


def test_files_are_found_below_and_above(methods: Methods, tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "x.h").touch()
    (tmp_path / "a" / "x.h").touch()
    assert methods.find_file_deep({"paths": [str(tmp_path)], "file_name": "x.h"})["found_paths"] == [str(tmp_path / "a"), str(deep)]
    restricted = {"paths": [str(tmp_path)], "file_name": "x.h", "restrict_paths": ["b/c"]}
    assert methods.find_file_deep(restricted)["found_paths"] == [str(deep)]
    assert methods.find_file_back({"path": str(deep / "no" / "where"), "file_name": "x.h"})["found_path"] == str(deep)
    assert methods.find_file_back({"path": str(deep), "file_name": "not-there.xyz"})["found_path"] == ""


def test_a_version_that_cannot_be_parsed_is_an_error(methods: Methods, tmp_path: Path) -> None:
    file = tmp_path / "v"
    given: dict[str, Any] = {"file_name": str(file), "match_text": r"v(\d+)", "group_number": 1, "env_key": "T_V", "which_env": {}}
    assert methods.parse_version(given)["return"] == 16
    file.write_text("nothing")
    assert "(nothing)" in methods.parse_version(given)["error"]
    file.write_text("first line\nthis is v12")
    assert methods.parse_version({**given, "group_number": 2})["error"].endswith("group 2 is asked for, the last one is 1")
    assert methods.parse_version(given)["version"] == "12"
    assert given["which_env"] == {"T_V": "12", "CM_DETECTED_VERSION": "12"}


def test_small_helpers_answer_as_upstream_does(methods: Methods, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T_PATHS", "/a:/b")
    assert methods.get_default_path_list({"default_path_env_key": "T_PATHS", "os_info": os_info()}) == ["/a", "/b"]
    assert methods.get_default_path_list({"os_info": os_info()}) == []
    answer = methods._available_variations({"meta": {"alias": "s", "variations": {"b": {}, "a": {}}}})
    assert answer["return"] == 1
    assert answer["error"].endswith("Available: _a _b")
    (tmp_path / "tmp-state.json").touch()
    (tmp_path / "mine").touch()
    assert methods.clean_some_tmp_files({"env": {"CM_TMP_CURRENT_SCRIPT_WORK_PATH": str(tmp_path)}}) == {"return": 0}
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]
    assert methods.clean_some_tmp_files({}) == {"return": 0}


def test_a_native_script_on_request_is_followed_by_the_version_hook_if_asked(micro: Any) -> None:
    hook = """
    def preprocess(i):
        given = {"run_script_input": i["run_script_input"], "env": {}, "script_name": "extra"}
        for name, more in (("T_PLAIN", {}), ("T_ASKED", {"detect_version": True})):
            i["env"][name] = i["automation"].run_native_script({**given, **more}).get("version", "none")
        return {"return": 0}

    def detect_version(i):
        return {"return": 0, "version": "2.5"}
    """
    folder = micro.script("a", hook, new_env_keys=["T_*"])
    (folder / "extra.sh").write_text("true\n")
    assert run_with_methods(micro, "a").new_env == {"T_PLAIN": "none", "T_ASKED": "2.5"}


def test_a_hook_may_ask_what_the_automation_can_do(micro: Any) -> None:
    """Python itself asks objects for methods of two underscores; only what a script writes is answered with an error."""
    hook = """
    import copy
    def preprocess(i):
        found = [name for name in ("__fspath__", "__len__", "__deepcopy__") if hasattr(i["automation"], name)]
        i["env"]["T_FOUND"] = ",".join(found)
        return {"return": 0}
    """
    micro.script("a", hook, new_env_keys=["T_*"])
    assert run_with_methods(micro, "a").new_env == {"T_FOUND": ""}
