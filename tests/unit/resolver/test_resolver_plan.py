# SPDX-License-Identifier: Apache-2.0
"""Static plans: what they say, that nothing runs for them, and how ``--plan`` and ``--print_deps`` show them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.micro_cm import Cm

from cm4tiny.errors import MetaError, ScriptNotFoundError
from cm4tiny.resolver import Repository
from cm4tiny.resolver.adapter import plan_view
from cm4tiny.resolver.catalogue.repository import ScriptStore
from cm4tiny.resolver.language import conditions as conditions_of
from cm4tiny.resolver.language.host import os_info
from cm4tiny.resolver.plan.fingerprint import content_of
from cm4tiny.resolver.plan.plan_cache import PlanCache, Subtree
from cm4tiny.resolver.plan.planner import Planner
from cm4tiny.resolver.plan.resolve import new_request, pick, resolve
from cm4tiny.resolver.plan.tree import PlannedDep, PlanNode

EXPLOSIVE = "raise SystemExit('customize.py was executed')\n"
NOT_MADE: Callable[[PlanNode], bool] = lambda node: False  # noqa: E731


@pytest.fixture
def cm(micro: Any) -> Cm:
    return Cm(micro)


def plan(micro: Any, tags: str, *, quiet: bool = False, plan_cache: PlanCache | None = None, **flags: Any) -> PlanNode:
    store = ScriptStore([Repository(micro.root, "micro")])
    request = new_request({"tags": tags, **flags})
    script, query = pick(store, request, quiet=quiet)
    planner = Planner(store, {**request.env, **request.const}, quiet=quiet)
    return planner.plan(resolve(script, query, request), plan_cache)


def lines(node: PlanNode, **options: Any) -> list[str]:
    return list(plan_view.as_lines(node, NOT_MADE, **options))


def dep(node: PlanNode, number: int = 0) -> PlannedDep:
    return node.deps[number]


# --- what a plan says -----------------------------------------------------------------------------------------------------------
def test_a_plan_is_the_whole_tree_in_the_order_of_the_run(micro: Any) -> None:
    micro.script("leaf", EXPLOSIVE, "echo run >> ../ran\n", variations={"x": {}}, default_version="1.2", cache=True)
    micro.script("mid", EXPLOSIVE, deps=[{"tags": "leaf,_x", "names": ["the-leaf"]}], post_deps=[{"tags": "leaf", "version": "3"}])
    micro.script(
        "top", EXPLOSIVE, "exit 1\n",
        deps=[{"tags": "mid"}], prehook_deps=[{"tags": "leaf"}], posthook_deps=[{"tags": "mid"}], post_deps=[{"tags": "leaf,_x"}],
    )  # fmt: skip
    before = sorted(micro.base.rglob("*"))
    node = plan(micro, "top")
    assert lines(node) == [
        "top",
        "  deps: mid -> mid",
        "    deps: leaf,_x -> leaf _x version 1.2 [to be cached]",
        "    post_deps: leaf -> leaf version 3 [to be cached]",
        "  prehook_deps: leaf -> leaf version 1.2 [to be cached]",
        "  posthook_deps: mid -> mid  (as above)",
        "  post_deps: leaf,_x -> leaf _x version 1.2 [to be cached]",
    ]
    assert [below.script.alias for below in node.walk()] == ["top", "mid", "leaf", "leaf", "leaf"]
    assert node.size() == 9
    assert dep(node).names == ()
    first = dep(node).node
    assert first is not None
    assert dep(first).names == ("the-leaf",)
    assert [entry.kind for entry in node.children("post_deps")] == ["post_deps"]
    assert sorted(micro.base.rglob("*")) == before, "planning made files"


def test_what_an_earlier_step_may_set_leaves_a_dependency_open(micro: Any) -> None:
    micro.script("maker", new_env_keys=["T_MADE", "T_WILD_*"])
    micro.script("leaf")
    condition = {"enable_if_env": {"T_MADE": ["yes"]}}
    micro.script(
        "top",
        deps=[
            {"tags": "leaf", **condition}, {"tags": "maker"}, {"tags": "leaf", **condition},
            {"tags": "leaf", "skip_if_any_env": {"T_WILD_1": ["x"]}}, {"tags": "leaf", "enable_if_env": {"T_OTHER": ["x"]}},
        ],
    )  # fmt: skip
    node = plan(micro, "top")
    assert [(entry.outcome, entry.assumed, entry.open_keys) for entry in node.deps] == [
        ("skipped", False, ()), ("runs", True, ()), ("open", False, ("T_MADE",)), ("open", True, ("T_WILD_1",)), ("skipped", False, ()),
    ]  # fmt: skip
    assert lines(node, skipped=True) == [
        "top",
        "  - deps: leaf (skipped by enable_if_env)",
        "  deps: maker -> maker",
        "  ? deps: leaf (depends on T_MADE) -> leaf",
        "  ? deps: leaf (depends on T_WILD_1) -> leaf",
        "  - deps: leaf (skipped by enable_if_env)",
    ]
    const = plan(micro, "top", const={"T_MADE": "yes"})
    assert [entry.outcome for entry in const.deps[:3]] == ["runs", "runs", "runs"], "nothing overwrites a const"


def test_an_and_with_a_certain_no_is_certain(micro: Any) -> None:
    micro.script("maker", new_env_keys=["T_MADE"])
    micro.script("leaf")
    micro.script("top", deps=[{"tags": "maker"}, {"tags": "leaf", "enable_if_env": {"T_MADE": ["yes"], "T_NEVER": ["yes"]}}])
    assert dep(plan(micro, "top"), 1).outcome == "skipped"


def test_the_scripts_own_code_may_set_what_its_later_lists_ask_for(micro: Any) -> None:
    hook = "def preprocess(i):\n    i['env']['T_OWN'] = 'yes'\n    return {'return': 0}\n"
    micro.script("leaf")
    asks = [{"tags": "leaf", "enable_if_env": {"T_OWN": ["yes"]}}]
    micro.script("top", hook, deps=asks, prehook_deps=asks, post_deps=asks)
    assert [entry.outcome for entry in plan(micro, "top").deps] == ["skipped", "open", "open"]
    micro.script("early", hook.replace("preprocess", "predeps"), deps=asks)
    assert dep(plan(micro, "early")).outcome == "open", "predeps runs before the dependencies"
    assert micro.run("early").deps == ["leaf"]
    micro.script("early", hook.replace("preprocess", "predeps"), deps=asks, predeps=False)
    assert dep(plan(micro, "early")).outcome == "skipped"
    assert micro.run("early").deps == []


def test_what_every_script_finds_on_this_machine_is_known(micro: Any) -> None:
    micro.script("detector", new_env_keys=["CM_HOST_OS_*"])
    micro.script("leaf")
    here, elsewhere = os_info()["platform"], "plan9"
    micro.script(
        "top",
        deps=[
            {"tags": "detector"}, {"tags": "leaf", "enable_if_env": {"CM_HOST_OS_TYPE": [elsewhere]}},
            {"tags": "leaf", "enable_if_env": {"CM_HOST_OS_TYPE": [here]}},
        ],
    )  # fmt: skip
    assert [entry.outcome for entry in plan(micro, "top").deps] == ["runs", "skipped", "open"]


def test_what_metas_declare_reaches_later_dependencies(micro: Any) -> None:
    micro.script("maker", env={"T_KIND": "x", "+T_LIST": ["/m"]}, new_env_keys=["T_KIND", "+T_LIST"])
    micro.script("leaf", variations={"x": {}}, env={"T_SEEN": "<<<T_KIND>>>"})
    micro.script("top", deps=[{"tags": "maker"}, {"tags": "leaf", "update_tags_from_env_with_prefix": {"_": ["T_KIND"]}}])
    assert lines(plan(micro, "top"))[2] == "  deps: leaf,_x -> leaf _x"


def test_tags_that_are_not_known_yet_are_told(micro: Any) -> None:
    micro.script("leaf")
    micro.script("top", deps=[{"tags": "leaf,<<<T_LATER>>>"}])
    entry = dep(plan(micro, "top"))
    assert (entry.node, entry.open_keys) == (None, ("T_LATER",))
    assert entry.problem == "its tags depend on T_LATER, which is not known before the run"


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.dictionaries(
                st.sampled_from("AB"), st.lists(st.sampled_from(["yes", "no", "x", ""]), min_size=1, max_size=2), max_size=2
            )
            for name in conditions_of.CONDITION_KEYS
        },
    ),
    st.dictionaries(st.sampled_from("AB"), st.sampled_from(["yes", "no", "x", "y"]), max_size=2),
)
def test_what_is_certain_holds_whatever_the_unknown_key_turns_out_to_be(entry: dict[str, Any], env: dict[str, str]) -> None:
    values: list[str | None] = [None, "", "yes", "no", "x", "y", "other"]
    possible = [{**env, "A": value} if value is not None else {key: env[key] for key in env if key != "A"} for value in values]
    answers = {conditions_of.is_enabled(entry, other) for other in possible}
    assert answers <= conditions_of.outcomes(entry, env, lambda key: [] if key == "A" else None)
    assert conditions_of.outcomes(entry, env, lambda key: None) == {conditions_of.is_enabled(entry, env)}
    if sum("A" in condition for condition in entry.values()) == 0:
        assert len(conditions_of.outcomes(entry, env, lambda key: [] if key == "A" else None)) == 1


# --- what a plan refuses --------------------------------------------------------------------------------------------------------
def test_a_dependency_that_names_no_script_or_several_is_a_problem(micro: Any) -> None:
    micro.script("leaf-a", tags=["leaf"])
    micro.script("leaf-b", tags=["leaf"])
    micro.script("top", deps=[{"tags": "leaf"}, {"tags": "laef"}, {"tags": "leaf,_x"}])
    several, none, variation = plan(micro, "top").problems()
    assert several.startswith("top, deps[1] 'leaf': 2 scripts have the tags 'leaf', which script 'top' needs")
    assert "leaf-a" in several
    assert "leaf-b" in several
    assert "no script at all has 'laef'" in none
    assert "did you mean 'leaf'" in none
    assert "has no variation '_x'" in variation
    assert [text.partition(":")[0] for text in plan(micro, "top", quiet=True).problems()] == [
        "top, deps[2] 'laef'", "top, deps[3] 'leaf,_x'",
    ]  # fmt: skip


def test_a_problem_that_may_not_matter_is_a_doubt(micro: Any) -> None:
    micro.script("maker", new_env_keys=["T_MADE"])
    micro.script("top", deps=[{"tags": "maker"}, {"tags": "gone", "enable_if_env": {"T_MADE": ["yes"]}}])
    node = plan(micro, "top")
    assert node.problems() == []
    assert [text.partition(":")[0] for text in node.doubts()] == ["top, deps[2] 'gone'"]


def test_a_circle_is_printed(micro: Any) -> None:
    micro.script("a", deps=[{"tags": "b"}])
    micro.script("b", deps=[{"tags": "c"}])
    micro.script("c", deps=[{"tags": "b"}])
    (problem,) = plan(micro, "a").problems()
    assert "the dependencies never end: b -> c -> b; break the circle with skip_if_env" in problem


def test_a_circle_that_a_condition_may_end_is_no_problem(micro: Any) -> None:
    micro.script("b", deps=[{"tags": "c", "skip_if_env": {"T_STOP": ["yes"]}}])
    micro.script("c", deps=[{"tags": "b", "env": {"T_STOP": "yes"}}])
    node = plan(micro, "b")
    assert node.problems() == []
    assert lines(node) == ["b", "  deps: c -> c", "    deps: b (the same run is already in progress above)"]


def test_a_circle_that_a_hook_on_the_way_may_end_is_no_problem(micro: Any) -> None:
    """As upstream's get,compiler-flags and get,llvm: the first is skipped once the second found a compiler."""
    micro.script("flags", deps=[{"tags": "compiler", "skip_if_env": {"T_FOUND": ["yes"]}}])
    hook = "def preprocess(i):\n    i['env']['T_FOUND'] = 'yes'\n    return {'return': 0}\n"
    micro.script("compiler", hook, post_deps=[{"tags": "flags"}])
    assert plan(micro, "flags").problems() == []
    assert micro.run("flags").deps == ["compiler"]


def test_versions_that_cannot_be_met_are_a_problem(micro: Any) -> None:
    micro.script("leaf")
    micro.script("top", deps=[{"tags": "leaf", "version_min": "2", "version_max": "1"}])
    (problem,) = plan(micro, "top").problems()
    assert "no version of script 'leaf' can be met; version_min 2 is above version_max 1" in problem


def test_a_broken_variation_of_another_repositorys_script_only_matters_when_it_is_used(micro: Any) -> None:
    micro.script("a", variations={"good": {}, "bad": {"adr": {"n": "text"}}, "worse": ["no", "mapping"]}, versions={"1": {"deps": 5}})
    assert plan(micro, "a,_good").problems() == []
    for tags, flags in (("a,_bad", {}), ("a,_worse", {}), ("a", {"version": "1"})):
        with pytest.raises(MetaError, match="breaks the language"):
            plan(micro, tags, **flags)
    with pytest.raises(MetaError):
        micro.run("a,_good", own=True)
    micro.run("a,_good")


# --- the language ---------------------------------------------------------------------------------------------------------------
def test_update_meta_if_env_sets_what_the_environment_asks_for(micro: Any) -> None:
    updates = [
        {"enable_if_env": {"T_KIND": ["x"]}, "env": {"T_X": "1"}, "state": {"t_seen": ["x"]}, "adr": {"the-leaf": {"tags": "_x"}}},
        {"skip_if_env": {"T_KIND": ["x"]}, "env": {"T_X": "0"}, "default_env": {"T_D": "d"}},
    ]
    micro.script("leaf", variations={"x": {}})
    deps = [{"tags": "leaf", "names": ["the-leaf"]}]
    keys: dict[str, Any] = {"new_env_keys": ["T_*"], "new_state_keys": ["t_seen"]}
    micro.script("a", deps=deps, update_meta_if_env=updates, variations={"x": {"env": {"T_KIND": "x"}}, "z": {}}, **keys)
    assert {key: value for key, value in plan(micro, "a").env.items() if key in ("T_X", "T_D")} == {"T_X": "0", "T_D": "d"}
    chosen = plan(micro, "a,_x")
    assert (chosen.env["T_X"], dep(chosen).tags) == ("1", "leaf,_x")
    ran = micro.run("a,_x")
    assert (ran.new_env["T_X"], ran.new_state, micro.run("a").new_state) == ("1", {"t_seen": ["x"]}, {})


def test_the_adr_of_a_default_version_changes_what_is_below_the_dependencies(micro: Any) -> None:
    micro.script("leaf", variations={"x": {}})
    micro.script("mid", deps=[{"tags": "leaf", "names": ["the-leaf"]}])
    deps = [{"tags": "leaf", "names": ["the-leaf"]}, {"tags": "mid"}]
    micro.script("top", deps=deps, default_version="1", versions={"1": {"adr": {"the-leaf": {"tags": "_x"}}}})
    assert lines(plan(micro, "top"))[1:] == ["  deps: leaf -> leaf", "  deps: mid -> mid", "    deps: leaf,_x -> leaf _x"]
    assert lines(plan(micro, "top", version="1"))[1] == "  deps: leaf,_x -> leaf _x"


def test_of_two_combinations_the_larger_one_chooses_the_default_of_a_group(micro: Any) -> None:
    group = {"group": "size"}
    blocks = {"a": {}, "b": {}, "c": {}, "s.#": {**group, "env": {"T_S": "#"}}}
    combined = {"a,b": {"default_variations": {"size": "s.1"}}, "a,b,c": {"default_variations": {"size": "s.2"}}}
    micro.script("t", variations={**blocks, **combined})
    assert plan(micro, "t,_a,_b").env["T_S"] == "1"
    node = plan(micro, "t,_a,_b,_c")
    assert (node.variations, node.env["T_S"]) == (("a", "b", "c", "s.2"), "2")


def test_names_written_as_text_are_names(micro: Any) -> None:
    micro.script("leaf", variations={"x": {}})
    micro.script("top", deps=[{"tags": "leaf", "names": "one two"}])
    assert dep(plan(micro, "top", adr={"two": {"tags": "_x"}})).tags == "leaf,_x"


# --- subtrees that are used again -----------------------------------------------------------------------------------------------
class Forgetful(PlanCache):
    """A plan cache that remembers nothing."""

    def keep(self, request: Any, subtree: Subtree) -> None:
        """Forgets."""


def both(micro: Any, *requests: str) -> list[str]:
    """The lines of the last plan, which is checked to be the same as without a plan cache."""
    shared = PlanCache()
    for tags in requests:
        node = plan(micro, tags, plan_cache=shared)
        assert _expanded(node) == _expanded(plan(micro, tags, plan_cache=Forgetful()))
    return lines(node)


def test_a_subtree_is_another_one_in_another_environment(micro: Any) -> None:
    micro.script("inner")
    micro.script("leaf", deps=[{"tags": "inner", "enable_if_env": {"T_K": ["x"]}}])
    micro.script("maker", env={"T_K": "x"}, new_env_keys=["T_K"])
    micro.script("top", deps=[{"tags": "leaf"}, {"tags": "maker"}, {"tags": "leaf"}])
    assert both(micro, "top") == [
        "top",
        "  deps: leaf -> leaf",
        "  deps: maker -> maker",
        "  deps: leaf -> leaf",
        "    deps: inner -> inner",
    ]


def test_a_subtree_is_another_one_with_other_changes(micro: Any) -> None:
    micro.script("leaf", variations={"x": {}, "y": {}})
    micro.script("mid", deps=[{"tags": "leaf", "names": ["the-leaf"]}])
    variations = {name: {"adr": {"the-leaf": {"tags": f"_{name}"}, "other": {"tags": f"_{name}"}}} for name in "xy"}
    micro.script("upper", deps=[{"tags": "mid"}], variations=variations)
    micro.script("top", deps=[{"tags": "upper,_x"}, {"tags": "upper,_y"}, {"tags": "upper,_x"}])
    shown = both(micro, "top")
    assert [line.strip() for line in shown if "leaf" in line] == ["deps: leaf,_x -> leaf _x", "deps: leaf,_y -> leaf _y"]
    assert shown[-1] == "  deps: upper,_x -> upper _x  (as above)"


def test_a_subtree_is_another_one_below_a_run_that_occurs_in_it(micro: Any) -> None:
    micro.script("b", deps=[{"tags": "c"}])
    micro.script("c", deps=[{"tags": "b"}])
    micro.script("top", deps=[{"tags": "c"}, {"tags": "b"}])
    assert [line.strip().partition(" (")[0] for line in both(micro, "c", "top")] == [
        "top", "deps: c -> c", "deps: b -> b", "deps: c", "deps: b -> b", "deps: c -> c", "deps: b",
    ]  # fmt: skip


KEYS = ("T_A", "T_B", "T_C")
conditions = st.dictionaries(st.sampled_from(KEYS), st.sampled_from([["yes"], ["no"], ["x"]]), max_size=2)
entries = st.fixed_dictionaries(
    {"tags": st.sampled_from(["s0", "s1", "s2", "s3", "s1,_v"])},
    optional={
        "enable_if_env": conditions, "skip_if_env": conditions, "names": st.just(["n"]),
        "env": st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["yes", "no", "x", "<<<T_B>>>"]), max_size=1),
    },
)  # fmt: skip
metas = st.fixed_dictionaries(
    {"variations": st.fixed_dictionaries({"v": st.fixed_dictionaries({"env": st.just({"T_C": "yes"})})})},
    optional={
        "deps": st.lists(entries, max_size=3), "post_deps": st.lists(entries, max_size=2),
        "env": st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["yes", "no"]), max_size=2),
        "new_env_keys": st.lists(st.sampled_from([*KEYS, "T_*"]), max_size=2),
        "adr": st.just({}), "cache": st.booleans(),
    },
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(metas, min_size=4, max_size=4), st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["yes", "no"]), max_size=2))
def test_a_plan_with_subtrees_used_again_is_the_plan_without(micro: Any, drawn: list[dict[str, Any]], env: dict[str, str]) -> None:
    for number, meta in enumerate(drawn):
        micro.script(f"s{number}", None, tags=[f"s{number}"], **meta)
    content_of.cache_clear()  # the files of the last example have the same names; a session begins with this
    shared = PlanCache()
    for tags in ("s0", "s1", "s2,_v"):
        assert _expanded(plan(micro, tags, plan_cache=shared, env=env)) == _expanded(plan(micro, tags, plan_cache=Forgetful(), env=env))


def _expanded(node: PlanNode) -> Any:
    rows = [(replace(entry, node=None), _expanded(entry.node) if entry.node else None) for entry in node.deps]
    return replace(node, script=None, deps=()), node.script.alias, rows


# --- the command line -----------------------------------------------------------------------------------------------------------
def test_plan_prints_the_tree_and_runs_nothing(cm: Cm, micro: Any) -> None:
    micro.script("leaf", EXPLOSIVE, cache=True)
    micro.script("top", EXPLOSIVE, "touch ran\n", deps=[{"tags": "leaf"}])
    status, out, err = cm("run", "script", "--tags=top", "--plan")
    assert (status, err) == (0, "")
    assert out.endswith("top\n  deps: leaf -> leaf [to be cached]\n")
    assert list(micro.work.iterdir()) == []
    assert micro.folders == []


def test_plan_knows_what_is_in_the_cache(cm: Cm, micro: Any) -> None:
    micro.script("leaf", cache=True)
    micro.run("leaf")
    assert "leaf [in the cache]" in cm("run", "script", "--tags=leaf", "--plan")[1]


def test_plan_as_json(cm: Cm, micro: Any) -> None:
    micro.script("leaf", EXPLOSIVE, variations={"x": {"env": {"T_X": "1"}}}, cache=True)
    micro.script("top", EXPLOSIVE, deps=[{"tags": "leaf,_x"}, {"tags": "leaf", "enable_if_env": {"T_NO": ["yes"]}}])
    cm("find", "script", "--tags=leaf")
    status, out, _ = cm("run", "script", "--tags=top", "--plan", "--j")
    answer = json.loads(out)
    assert (status, answer["return"], answer["problems"]) == (0, 0, [])
    first, second = answer["plan"]["deps"]
    assert (first["outcome"], second["outcome"], second["condition"]) == ("runs", "skipped", {"enable_if_env": {"T_NO": ["yes"]}})
    leaf = first["plan"]
    assert (leaf["script"], leaf["variations"], leaf["env"], leaf["in_the_cache"]) == ("leaf", ["x"], {"T_X": "1"}, False)
    assert len(leaf["key"]) == len(leaf["content"]) == 64


def test_a_plan_that_would_fail_is_shown_and_refused(cm: Cm, micro: Any) -> None:
    micro.script("top", deps=[{"tags": "gone"}])
    status, out, err = cm("run", "script", "--tags=top", "--plan")
    assert status == 1
    assert "  deps: gone (cannot be planned: no script has the tags 'gone'" in out
    assert "this run would fail: one dependency cannot be resolved" in err
    answer = json.loads(cm("run", "script", "--tags=top", "--plan", "--j")[1])
    assert answer["return"] > 0
    assert answer["plan"]["deps"][0]["problem"]


def test_a_quiet_plan_takes_the_first_of_several_scripts_as_a_quiet_run_does(cm: Cm, micro: Any) -> None:
    for alias in ("leaf-a", "leaf-b"):
        micro.script(alias, tags=["leaf"])
    micro.script("top", deps=[{"tags": "leaf"}])
    assert "2 scripts have the tags 'leaf'" in cm("run", "script", "--tags=top", "--plan")[2]
    assert cm("run", "script", "--tags=top", "--plan", "--quiet")[1].endswith("top\n  deps: leaf -> leaf-a\n")


def test_print_deps_goes_down_the_tree_also_on_a_cache_hit(cm: Cm, micro: Any) -> None:
    micro.script("leaf")
    micro.script("mid", deps=[{"tags": "leaf"}])
    micro.script("top", cache=True, deps=[{"tags": "mid"}, {"tags": "leaf", "enable_if_env": {"T_NO": ["yes"]}}])
    for _ in range(2):
        out = cm("run", "script", "--tags=top", "--print_deps")[1]
        assert out.endswith("cm run script --tags=mid\n  cm run script --tags=leaf\n")


# --- the store ------------------------------------------------------------------------------------------------------------------
def test_two_scripts_of_one_repository_with_the_same_uid_are_refused(micro: Any) -> None:
    micro.script("a")
    folder = micro.script("b")
    meta = json.loads((folder / "_cm.json").read_text())
    meta["uid"] = json.loads((micro.root / "script" / "a" / "_cm.json").read_text())["uid"]
    (folder / "_cm.json").write_text(json.dumps(meta))
    with pytest.raises(MetaError, match="2 scripts of one repository have the uid") as caught:
        micro.run("a", own=True)
    assert str(folder) in caught.value.why
    assert plan(micro, "b").script.alias == "b", "in another repository the tags still say which one is meant"
    store = ScriptStore([Repository(micro.root, "micro")])
    request = new_request({})
    request.name = meta["uid"]
    with pytest.raises(MetaError):
        pick(store, request, quiet=True)


@pytest.mark.parametrize(
    ("name", "text", "place", "why"),
    [
        ("_cm.yaml", "alias: a\ntags: [a, b\nuid: x\n", "line 3, column 4", "did not find expected ',' or ']'"),
        ("_cm.yaml", "alias: a\n\tuid: x\n", "line 2, column 1", "found a tab character"),
        ("_cm.json", '{"alias": "a",\n "tags": [}', "line 2, column 11", "Expecting value"),
    ],
)
def test_a_meta_that_cannot_be_parsed_is_named_with_line_and_column(micro: Any, name: str, text: str, place: str, why: str) -> None:
    folder: Path = micro.root / "script" / "broken"
    folder.mkdir()
    (folder / name).write_text(text)
    with pytest.raises(MetaError) as caught:
        micro.run("anything", own=True)
    assert f"cannot parse {folder / name}, {place}" in str(caught.value)
    assert why in caught.value.why
    with pytest.raises(ScriptNotFoundError) as missing:
        micro.run("anything")
    assert f"cannot parse {folder / name}, {place}" in missing.value.why, "it may be the one that is looked for"


def test_an_unknown_script_is_still_a_plain_error(cm: Cm) -> None:
    status, _, err = cm("run", "script", "--tags=gone", "--plan")
    assert status == 16
    assert "no script has the tags 'gone'" in err
