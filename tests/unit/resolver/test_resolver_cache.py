# SPDX-License-Identifier: Apache-2.0
"""The cache: what counts for its keys, and that nothing half-made is ever used."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.errors import DependencyError, ScriptFailedError
from cm4tiny.resolver.plan.resolve import new_request
from cm4tiny.resolver.run.runner import run
from cm4tiny.resolver.store import cache as cache_module

COUNTING = """
import os
def preprocess(i):
    with open("count.txt", "a") as file:
        file.write("x")
    print(i["env"].get("T_IN"))
    if i["env"].get("T_FAIL") == "yes":
        raise ValueError("told to fail")
    return {"return": 0}
def postprocess(i):
    with open(os.environ["TRACE"], "a") as file:
        file.write('["' + i["meta"]["alias"] + '", "preprocess", {}]\\n')
    i["env"]["T_OUT"] = os.path.join(os.getcwd(), "count.txt")
    return {"return": 0}
"""


def cached(micro: Any, alias: str = "c", **meta: Any) -> Path:
    folder: Path = micro.script(alias, COUNTING, **{"cache": True, "new_env_keys": ["T_OUT"], **meta})
    return folder


def test_the_second_run_comes_from_the_cache_with_the_same_result(micro: Any) -> None:
    cached(micro)
    first, second = micro.run("c"), micro.run("c")
    assert micro.ran == ["c"]
    assert not first.cached
    assert second.cached
    assert first.new_env == second.new_env
    assert Path(second.new_env["T_OUT"]).read_text() == "x"
    assert first.path == second.path == micro.entries[0]


def test_an_entry_is_laid_out_as_cm_does_it(micro: Any) -> None:
    cached(micro, tags=["c", "cm4tiny"], variations={"v": {}})
    micro.run("c,_v", extra_cache_tags="more")
    (entry,) = micro.entries
    meta = json.loads((entry / "_cm.json").read_text())
    assert entry.parent == micro.home / "repos" / "local" / "cache"
    assert entry.name == f"c_{meta['uid']}"
    assert (meta["automation_alias"], meta["automation_uid"]) == ("cache", "541d6f712a6b464e")
    assert meta["tags"][:3] == ["c", "_v", "more"]
    assert "cm4tiny" not in meta["tags"]
    assert meta["associated_script_artifact"].startswith("c,")
    assert set(json.loads((entry / "cm-cached-state.json").read_text())) >= {"new_env", "new_state", "version", "deps"}


def test_an_entry_has_its_version_as_a_tag_if_it_has_one(micro: Any) -> None:
    def version_tags() -> list[str]:
        return [tag for entry in micro.entries for tag in json.loads((entry / "_cm.json").read_text())["tags"] if "version" in tag]

    cached(micro)
    micro.run("c")
    assert version_tags() == []
    micro.run("c", version="1.5")
    assert version_tags() == ["version-1.5"]


def keys_differ(micro: Any, first: dict[str, Any], second: dict[str, Any], tags: str = "c") -> bool:
    micro.run(tags, **first)
    micro.run(tags, **second)
    return len(micro.ran) == 2


def test_declared_environment_counts(micro: Any) -> None:
    cached(micro, default_env={"T_DECLARED": "1"}, input_mapping={"flag": "T_FLAG"})
    assert not keys_differ(micro, {}, {"env": {"T_DECLARED": "1"}})
    assert keys_differ(micro, {"env": {"T_DECLARED": "2"}}, {"env": {"T_DECLARED": "3"}})
    assert keys_differ(micro, {"flag": "a"}, {"flag": "b"})


def test_environment_counts_if_the_code_names_it_and_not_otherwise(micro: Any) -> None:
    cached(micro)
    assert keys_differ(micro, {}, {"env": {"T_IN": "1"}})
    assert not keys_differ(micro, {"env": {"T_OTHER": "1"}}, {"env": {"T_OTHER": "2"}})


def test_an_own_output_in_the_incoming_environment_does_not_count_unless_the_user_set_it(micro: Any) -> None:
    cached(micro)
    micro.script("top", deps=[{"tags": "c"}, {"tags": "c"}])
    micro.run("top")
    assert micro.ran == ["c", "top"]
    assert len(micro.entries) == 1
    micro.run("c", env={"T_OUT": "/mine"})
    assert len(micro.entries) == 2


def test_variations_version_and_extra_tags_count(micro: Any) -> None:
    cached(micro, variations={"v": {}, "w": {}})
    assert keys_differ(micro, {}, {}, "c") is False
    for flags in ({"version": "1"}, {"version": "2"}, {"extra_cache_tags": "t"}, {"name": "n"}):
        micro.run("c", **flags)
    micro.run("c,_v")
    micro.run("c,_w")
    assert len(micro.entries) == 7


ORDERS = ("c,_v,_w,_x", "c,_x,_v,_w", "_w,c,_x,_v")


def test_three_orders_of_variations_are_one_result(micro: Any) -> None:
    variations = {name: {"env": {f"T_{name.upper()}": "1"}, "new_env_keys": [f"T_{name.upper()}"]} for name in "vwx"}
    cached(micro, variations=variations)
    micro.script("top", deps=[{"tags": "c,_x,_w,_v"}])
    outcomes = [micro.run(tags).new_env for tags in ORDERS]
    micro.run("top")
    assert micro.ran == ["c", "top"]
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_the_order_of_variations_counts_where_the_later_one_wins(micro: Any) -> None:
    cached(micro, variations={"v": {"env": {"T_IN": "1"}}, "w": {"env": {"T_IN": "2"}}})
    micro.run("c,_v,_w")
    micro.run("c,_w,_v")
    assert len(micro.ran) == 2


def test_the_order_of_variations_counts_where_the_code_asks_for_it(micro: Any) -> None:
    micro.script(
        "c", "def preprocess(i):\n    print(i['variation_tags'])\n    return {'return': 0}\n", cache=True, variations={"v": {}, "w": {}}
    )
    micro.run("c,_v,_w")
    micro.run("c,_w,_v")
    assert len(micro.entries) == 2


def test_the_scripts_files_count(micro: Any) -> None:
    folder = cached(micro)
    micro.run("c")
    (folder / "helper.txt").write_text("new")
    micro.run("c")
    (folder / "README.md").write_text("documentation does not")
    micro.run("c")
    assert len(micro.ran) == 2


def test_a_dependency_counts_with_its_files_and_its_environment(micro: Any) -> None:
    leaf = micro.script("leaf", default_env={"T_LEAF": "1"})
    cached(micro, deps=[{"tags": "leaf", "names": ["l"]}])
    micro.run("c")
    micro.run("c", env={"T_LEAF": "2"})
    micro.run("c", adr={"l": {"version": "3"}})
    (leaf / "customize.py").write_text("# empty\n")
    micro.run("c")
    assert len(micro.entries) == 4


def test_a_dependency_that_may_be_enabled_by_an_earlier_one_counts(micro: Any) -> None:
    micro.script("first", env={"T_SWITCH": "on"}, new_env_keys=["T_SWITCH"])
    second = micro.script("second")
    cached(micro, deps=[{"tags": "first"}, {"tags": "second", "enable_if_env": {"T_SWITCH": ["on"]}}])
    micro.run("c")
    (second / "customize.py").write_text("# changed\n")
    micro.run("c")
    assert len(micro.entries) == 2


def test_the_content_of_a_file_that_a_flag_names_counts(micro: Any) -> None:
    cached(micro, input_mapping={"model": "T_MODEL"})
    model = micro.base / "model.tflite"
    model.write_bytes(b"one")
    micro.run("c", model=str(model))
    micro.run("c", model=str(model))
    model.write_bytes(b"two")
    micro.run("c", model=str(model))
    assert len(micro.entries) == 2


def test_environment_that_the_meta_turns_into_cache_tags_counts(micro: Any) -> None:
    micro.script("c", cache=True, extra_cache_tags_from_env=[{"env": "T_PYTHON", "prefix": "python-"}])
    micro.run("c", env={"T_PYTHON": "3.10"})
    micro.run("c", env={"T_PYTHON": "3.11"})
    tags = sorted(tag for entry in micro.entries for tag in json.loads((entry / "_cm.json").read_text())["tags"] if "python" in tag)
    assert tags == ["deps-python-3.10", "deps-python-3.11"]


def test_on_a_hit_only_dynamic_dependencies_run(micro: Any) -> None:
    micro.script("plain")
    micro.script("dynamic")
    cached(micro, deps=[{"tags": "plain"}, {"tags": "dynamic", "dynamic": True}], post_deps=[{"tags": "plain"}])
    micro.run("c")
    assert micro.ran == ["plain", "dynamic", "c", "plain"]
    micro.run("c")
    assert micro.ran == ["dynamic"]


def test_what_a_wildcard_lets_through_is_not_stored(micro: Any) -> None:
    cached(micro, new_env_keys=["T_*"])
    micro.run("c", env={"T_PASSING": "1"})
    result = micro.run("c", env={"T_PASSING": "2"})
    assert result.cached
    assert result.env["T_PASSING"] == "2"


def test_a_failed_run_leaves_nothing_and_the_next_one_starts_clean(micro: Any) -> None:
    cached(micro, input_mapping={"fail": "T_FAIL"})
    for _ in range(2):
        with pytest.raises(ScriptFailedError):
            micro.run("c", fail="yes")
        assert micro.folders == []
    result = micro.run("c")
    assert Path(result.new_env["T_OUT"]).read_text() == "x"


def test_an_interrupted_run_leaves_nothing(micro: Any) -> None:
    micro.script("c", "def preprocess(i):\n    open('half', 'w').close()\n    raise KeyboardInterrupt\n", cache=True)
    with pytest.raises(KeyboardInterrupt):
        micro.run("c")
    assert micro.folders == []
    assert Path.cwd() == micro.work


def test_what_a_killed_run_left_is_not_used_and_removed(micro: Any) -> None:
    cached(micro)
    entry = micro.run("c").path
    (entry / "_cm.json").unlink()
    (entry / "count.txt").write_text("left over by a killed run ")
    result = micro.run("c")
    assert not result.cached
    assert Path(result.new_env["T_OUT"]).read_text() == "x"


def test_a_damaged_entry_is_made_again(micro: Any) -> None:
    cached(micro)
    entry = micro.run("c").path
    (entry / "cm-cached-state.json").write_text("{")
    assert not micro.run("c").cached
    assert micro.run("c").cached


def test_an_entry_whose_files_are_gone_is_made_again(micro: Any) -> None:
    cached(micro)
    Path(micro.run("c").new_env["T_OUT"]).unlink()
    assert not micro.run("c").cached


def test_an_entry_whose_dependent_path_is_gone_is_made_again(micro: Any) -> None:
    elsewhere = micro.base / "elsewhere"
    elsewhere.mkdir()
    hook = f"def preprocess(i):\n    i['env']['CM_GET_DEPENDENT_CACHED_PATH'] = '{elsewhere}'\n    return {{'return': 0}}\n"
    micro.script("c", hook, cache=True)
    micro.run("c")
    assert micro.run("c").cached
    elsewhere.rmdir()
    assert not micro.run("c").cached


def test_an_entry_is_made_again_if_the_entry_of_its_dependency_is_gone_or_new(micro: Any) -> None:
    cached(micro, "below", new_env_keys=["T_BELOW"])
    micro.script("between", deps=[{"tags": "below"}])
    cached(micro, deps=[{"tags": "between"}])
    micro.run("c")
    assert micro.run("c").cached
    shutil.rmtree(next(entry for entry in micro.entries if entry.name.startswith("below_")))
    assert not micro.run("c").cached
    assert micro.run("c").cached
    micro.run("below", renew=True)
    assert not micro.run("c").cached


def test_a_validation_script_decides_about_a_hit(micro: Any) -> None:
    folder = cached(micro)
    (folder / "validate_cache.sh").write_text(f'test ! -e "{micro.base}/invalid"\n')
    micro.run("c")
    assert micro.run("c").cached
    (micro.base / "invalid").touch()
    assert not micro.run("c").cached


def test_a_version_outside_the_range_is_no_hit(micro: Any) -> None:
    micro.script("c", "def preprocess(i):\n    i['env']['CM_DETECTED_VERSION'] = '1.5'\n    return {'return': 0}\n", cache=True)
    assert micro.run("c", version_max="2").version == "1.5"
    assert micro.run("c", version_max="2").cached


def test_new_starts_empty_and_renew_keeps_the_files(micro: Any) -> None:
    cached(micro)
    micro.run("c")
    assert Path(micro.run("c", new=True).new_env["T_OUT"]).read_text() == "x"
    assert Path(micro.run("c", renew=True).new_env["T_OUT"]).read_text() == "xx"
    assert len(micro.entries) == 1


def test_a_failed_new_run_keeps_the_old_entry(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    micro.script("c", "import os\ndef preprocess(i):\n    assert not os.environ.get('BREAK')\n    return {'return': 0}\n", cache=True)
    micro.run("c")
    monkeypatch.setenv("BREAK", "1")
    with pytest.raises(ScriptFailedError):
        micro.run("c", new=True)
    assert micro.run("c").cached


@pytest.mark.parametrize("flag", ["skip_cache", "no_cache"])
def test_skip_cache_neither_reads_nor_writes(micro: Any, flag: str) -> None:
    micro.script("c", cache=True)
    micro.run("c", **{flag: True})
    micro.run("c", **{flag: True})
    assert micro.ran == ["c", "c"]
    assert micro.folders == []


def test_a_variation_may_switch_the_cache_off(micro: Any) -> None:
    cached(micro, variations={"live": {"cache": False}})
    micro.run("c,_live")
    assert micro.entries == []


def test_force_cache_needs_permission(micro: Any) -> None:
    micro.script("never")
    micro.script("may", can_force_cache=True)
    micro.run("never", force_cache=True)
    assert micro.entries == []
    micro.run("may", force_cache=True)
    assert len(micro.entries) == 1


def _run_in_another_process(micro: Any, results: Any) -> None:
    os.chdir(micro.work)
    result = micro.run("c")
    results.put((result.cached, result.new_env["T_OUT"]))


def test_two_processes_make_an_entry_once(micro: Any) -> None:
    micro.script("c", COUNTING.replace("import os", "import os, time; time.sleep(0.3)"), cache=True, new_env_keys=["T_OUT"])
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_run_in_another_process, args=(micro, results)) for _ in range(2)]
    for process in processes:
        process.start()
    outcomes = sorted(results.get(timeout=30) for _ in processes)
    for process in processes:
        process.join(timeout=30)
    assert [cached_ for cached_, _ in outcomes] == [False, True]
    assert outcomes[0][1] == outcomes[1][1]
    assert Path(outcomes[0][1]).read_text() == "x"


def test_an_entry_that_needs_itself_is_an_error_and_not_a_deadlock(micro: Any) -> None:
    micro.script("c", cache=True, deps=[{"tags": "between"}])
    hook = "def preprocess(i):\n    i['env']['OT' + 'HER'] = '1'\n    return {'return': 0}\n"
    micro.script("between", hook, prehook_deps=[{"tags": "c"}])
    with pytest.raises(DependencyError, match="never end") as caught:
        micro.run("c")
    assert caught.value.why == "c -> between -> c"
    assert micro.folders == []


def test_the_last_thing_written_is_the_mark_of_an_entry(micro: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cached(micro)
    written: list[str] = []
    original = cache_module.write_atomically

    def record(file: Path, text: str) -> None:
        written.append(file.name)
        original(file, text)

    monkeypatch.setattr(cache_module, "write_atomically", record)
    micro.run("c")
    assert written == ["cm-cached-state.json", "_cm.json"]


def test_a_session_knows_the_entries_that_it_created(micro: Any) -> None:
    cached(micro)
    for expected in (1, 0):
        session = micro.session()
        result = run(session, new_request({"tags": "c"}))
        assert session.created == [result.path] * expected
